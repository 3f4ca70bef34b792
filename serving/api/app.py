"""The gateway's HTTP application."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry

from serving.api import chat, collections, completions, embeddings, health, models, tokens
from serving.api.envelope import RequestEnvelope
from serving.api.errors import install_error_answers
from serving.api.gateway import Gateway
from serving.fleet.encoder_replica import EncoderReplica
from serving.fleet.retriever_replica import RetrieverReplica
from serving.fleet.supervisor import Supervisor
from serving.orchestrator.embedding import TextEmbedder
from serving.orchestrator.generation import Orchestrator
from serving.orchestrator.grounded_prompt import GroundedPrompts
from serving.orchestrator.grounding import Grounding
from serving.orchestrator.served_model import ServedModel
from serving.settings import Settings
from serving.telemetry.embeddings import EmbeddingMetrics, EncoderCollector
from serving.telemetry.grounding import GroundingMetrics
from serving.telemetry.metrics import EngineCollector, RequestMetrics
from serving.telemetry.retrieval import RetrieverCollector

PAGE = Path(__file__).parent / "page"

FORM_BYTES = 2**20
"""What a form of documents may hold beside them."""

DESCRIPTION = """
An OpenAI-compatible API in front of a continuous-batching JAX engine. Any OpenAI client works: give it this
server's address with `/v1` at the end as its base URL, and any API key.
"""


def create_app(
    settings: Settings,
    supervisor: Supervisor,
    model: ServedModel,
    *,
    encoder: Supervisor | None = None,
    retriever: Supervisor | None = None,
    clock: Callable[[], float] = time.time,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> FastAPI:
    """Serve `model` from the replica that `supervisor` keeps, which starts and stops with the application.

    So do the encoder, whose replica turns texts into vectors, and the retriever, which keeps documents, where there are
    any.
    `clock` gives seconds since the epoch, for the `created` of answers; `stopwatch` the seconds that latencies are
    measured in, which are finer than the event loop's milliseconds.
    """
    replica = supervisor.replica
    registry = CollectorRegistry()
    registry.register(EngineCollector(model.name, lambda: replica.stats))
    orchestrator = Orchestrator(replica, model, RequestMetrics(registry, model.name), stopwatch)
    embedder = _embedder(encoder.replica, registry, stopwatch) if encoder else None
    if retriever:
        registry.register(RetrieverCollector(lambda: retriever.replica.stats))
    supervisors = [each for each in (supervisor, encoder, retriever) if each]

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for each in supervisors:
            each.start()
        try:
            yield
        finally:
            await asyncio.gather(*(each.stop() for each in supervisors))

    app = FastAPIOffline(
        title="Tradewind",
        version=version("tradewind"),
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},  # the badge of a foreign host
        redirect_slashes=False,
    )
    app.state.gateway = Gateway(
        model,
        replica,
        orchestrator,
        embedder,
        retriever.replica if retriever else None,
        _grounding(settings, retriever.replica, model, registry, stopwatch) if retriever else None,
        GroundedPrompts(model),
        settings.server.collection,
        registry,
        clock,
        started=int(clock()),
    )
    app.add_middleware(RequestEnvelope, max_body_bytes=lambda path: body_limit(settings, path))
    install_error_answers(app)
    for part in (chat, completions, embeddings, collections, models, tokens, health):
        app.include_router(part.router)
    app.frontend("/", directory=PAGE, fallback=None)
    return app


def body_limit(settings: Settings, path: str) -> int:
    """Bytes of the largest body that is read at `path`: where documents are taken, the largest of them fits."""
    limit = settings.server.max_body_bytes
    if path.startswith(f"{collections.router.prefix}/") and path.endswith("/documents"):
        return max(limit, settings.retriever.document_bytes + FORM_BYTES)
    return limit


def _grounding(
    settings: Settings,
    retriever: RetrieverReplica,
    model: ServedModel,
    registry: CollectorRegistry,
    stopwatch: Callable[[], float],
) -> Grounding:
    metrics = GroundingMetrics(registry, model.name)
    return Grounding(retriever, metrics, stopwatch, deadline=settings.server.retrieval_deadline)


def _embedder(replica: EncoderReplica, registry: CollectorRegistry, stopwatch: Callable[[], float]) -> TextEmbedder:
    registry.register(EncoderCollector(replica.name, lambda: replica.stats))
    return TextEmbedder(replica, EmbeddingMetrics(registry, replica.name), stopwatch)
