"""What the endpoints of one app share, and how they get at it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry

from serving.api.errors import ModelNotFound
from serving.fleet.replica import Replica
from serving.fleet.retriever_replica import RetrieverReplica
from serving.orchestrator.embedding import TextEmbedder
from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.generation import Orchestrator
from serving.orchestrator.grounded_prompt import GroundedPrompts
from serving.orchestrator.grounding import Grounding
from serving.orchestrator.served_model import ServedModel


@dataclass(frozen=True, slots=True)
class Gateway:
    """One app's parts. `clock` gives seconds since the epoch, for `created`."""

    model: ServedModel
    replica: Replica
    orchestrator: Orchestrator
    embedder: TextEmbedder | None  # None where texts are not turned into vectors
    retriever: RetrieverReplica | None  # None where no documents are kept
    grounding: Grounding | None  # None where there is no retriever
    prompts: GroundedPrompts
    collection: str  # that chats are answered from where they name none; empty for none
    registry: CollectorRegistry
    clock: Callable[[], float]
    started: int  # when the app was made, in seconds since the epoch

    def check_model(self, asked: str | None) -> None:
        """Raise ModelNotFound unless `asked` is the served model; nothing means that one."""
        if asked is not None and asked != self.model.name:
            raise ModelNotFound(asked, self.model.name)

    def require_embedder(self, asked: str | None) -> TextEmbedder:
        """Who turns texts into vectors. Raises ModelNotFound unless `asked`, or nothing, means its model."""
        if self.embedder is None:
            raise InvalidRequest("This server turns no texts into vectors; it was started without an encoder.")
        if asked is not None and asked != self.embedder.model:
            raise ModelNotFound(asked, self.embedder.model)
        return self.embedder

    def require_retriever(self) -> RetrieverReplica:
        """Who keeps documents and finds passages in them."""
        if self.retriever is None:
            raise InvalidRequest("This server keeps no documents; it was started without retrieval.")
        return self.retriever

    def require_grounding(self) -> Grounding:
        """Who finds passages for chats."""
        self.require_retriever()
        return self.grounding


def _gateway_of(request: Request) -> Gateway:
    return request.app.state.gateway


SharedGateway = Annotated[Gateway, Depends(_gateway_of)]
