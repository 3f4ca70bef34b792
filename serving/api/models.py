"""GET /v1/models."""

from typing import Literal

from fastapi import APIRouter

from serving.api.answer import ERRORS
from serving.api.errors import ModelNotFound
from serving.api.gateway import Gateway, SharedGateway
from serving.api.wire.models import ModelCard, ModelList

router = APIRouter(tags=["OpenAI"], responses=ERRORS)


@router.get("/v1/models", summary="List the models")
async def list_models(gateway: SharedGateway) -> ModelList:
    """The chat model first, then the one for embeddings."""
    return {"object": "list", "data": list(_cards(gateway).values())}


@router.get("/v1/models/{model:path}", summary="Describe a model")
async def retrieve_model(model: str, gateway: SharedGateway) -> ModelCard:
    """A model by its name, which may hold slashes."""
    cards = _cards(gateway)
    if model not in cards:
        raise ModelNotFound(model, *cards)
    return cards[model]


def _cards(gateway: Gateway) -> dict[str, ModelCard]:
    engine = gateway.replica.description
    cards = [_card(gateway, gateway.model.name, "generate", engine and engine.max_context)]
    if gateway.embedder is not None:
        encoder = gateway.embedder.description
        cards.append(_card(gateway, gateway.embedder.model, "embed", encoder and encoder.max_tokens))
    return {card["id"]: card for card in cards}


def _card(gateway: Gateway, name: str, task: Literal["generate", "embed"], longest: int | None) -> ModelCard:
    return {
        "id": name,
        "object": "model",
        "created": gateway.started,
        "owned_by": "tradewind",
        "task": task,
        "max_model_len": longest,
    }
