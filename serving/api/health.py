"""GET /health, /ready and /metrics: for those who keep the server running."""

from dataclasses import asdict

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from serving.api.answer import ERRORS
from serving.api.encoding import JsonAnswer
from serving.api.errors import failure_of
from serving.api.gateway import SharedGateway
from serving.api.wire.models import Readiness
from serving.fleet.replica import ReplicaUnavailable

router = APIRouter(tags=["Operations"])


@router.get("/health", summary="Is the process alive?")
async def health() -> dict[str, str]:
    """Answers as long as the gateway's process does, whatever the engine is doing."""
    return {"status": "ok"}


@router.get("/ready", summary="Are requests served now?", response_model=Readiness, responses=ERRORS)
async def ready(gateway: SharedGateway) -> Response:
    """200 while requests are served; else 503 with an error, how far the start has come, and when to ask again."""
    replica = gateway.replica
    readiness: Readiness = {
        "status": replica.state.value,
        "model": gateway.model.name,
        "progress": asdict(replica.progress),
    }
    try:
        gateway.orchestrator.require_engine()
    except ReplicaUnavailable as error:
        failure = failure_of(error)
        return JsonAnswer({**failure.envelope, **readiness}, failure.status, dict(failure.headers))
    return JsonAnswer(readiness)


@router.get(
    "/metrics",
    summary="Metrics for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(gateway: SharedGateway) -> Response:
    """Counters, gauges and histograms, by vLLM's names."""
    # Always the text format: what the library writes as OpenMetrics for Prometheus 2 has vllm_x in place of vllm:x.
    return Response(generate_latest(gateway.registry), headers={"content-type": CONTENT_TYPE_PLAIN_0_0_4})
