"""The gateway's HTTP application."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from prometheus_client import CollectorRegistry

from serving.api import chat, completions, health, models, tokens
from serving.api.envelope import RequestEnvelope
from serving.api.errors import install_error_answers
from serving.api.gateway import Gateway
from serving.fleet.supervisor import Supervisor
from serving.orchestrator.generation import Orchestrator
from serving.orchestrator.served_model import ServedModel
from serving.settings import Settings
from serving.telemetry.metrics import EngineCollector, RequestMetrics

PAGE = Path(__file__).parent / "page"

DESCRIPTION = """
An OpenAI-compatible API in front of a continuous-batching JAX engine. Any OpenAI client works: give it this
server's address with `/v1` at the end as its base URL, and any API key.
"""


def create_app(
    settings: Settings,
    supervisor: Supervisor,
    model: ServedModel,
    *,
    clock: Callable[[], float] = time.time,
    stopwatch: Callable[[], float] = time.perf_counter,
) -> FastAPI:
    """Serve `model` from the replica that `supervisor` keeps, which starts and stops with the application.

    `clock` gives seconds since the epoch, for the `created` of answers; `stopwatch` the seconds that latencies are
    measured in, which are finer than the event loop's milliseconds.
    """
    replica = supervisor.replica
    registry = CollectorRegistry()
    registry.register(EngineCollector(model.name, lambda: replica.stats))
    orchestrator = Orchestrator(replica, model, RequestMetrics(registry, model.name), stopwatch)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        supervisor.start()
        try:
            yield
        finally:
            await supervisor.stop()

    app = FastAPIOffline(
        title="Tradewind",
        version=version("tradewind"),
        description=DESCRIPTION,
        lifespan=lifespan,
        redoc_url=None,
        swagger_ui_parameters={"validatorUrl": None},  # the badge of a foreign host
        redirect_slashes=False,
    )
    app.state.gateway = Gateway(model, replica, orchestrator, registry, clock, started=int(clock()))
    app.add_middleware(RequestEnvelope, max_body_bytes=settings.server.max_body_bytes)
    install_error_answers(app)
    for part in (chat, completions, models, tokens, health):
        app.include_router(part.router)
    app.frontend("/", directory=PAGE, fallback=None)
    return app
