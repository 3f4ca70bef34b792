"""GET /v1/models."""

from fastapi import APIRouter

from serving.api.answer import ERRORS
from serving.api.gateway import Gateway, SharedGateway
from serving.api.wire.models import ModelCard, ModelList

router = APIRouter(tags=["OpenAI"], responses=ERRORS)


@router.get("/v1/models", summary="List the models")
async def list_models(gateway: SharedGateway) -> ModelList:
    """The one model of this server."""
    return {"object": "list", "data": [_card(gateway)]}


@router.get("/v1/models/{model:path}", summary="Describe a model")
async def retrieve_model(model: str, gateway: SharedGateway) -> ModelCard:
    """A model by its name, which may hold slashes."""
    gateway.check_model(model)
    return _card(gateway)


def _card(gateway: Gateway) -> ModelCard:
    engine = gateway.replica.description
    return {
        "id": gateway.model.name,
        "object": "model",
        "created": gateway.started,
        "owned_by": "tradewind",
        "max_model_len": engine.max_context if engine else None,
    }
