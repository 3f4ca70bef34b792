"""What becomes of the encoder's vectors, of its refusals, and what is counted."""

import asyncio

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from serving.encoder.request import Embeddings, EmbedRequest, EncoderDescription, InputTooLong
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.orchestrator.embedding import TextEmbedder, cut
from serving.orchestrator.failures import InvalidRequest
from serving.telemetry.embeddings import EmbeddingMetrics

VECTORS = np.array([[0.6, 0.0, 0.8], [0.0, -1.0, 0.0]], np.float32)


class Replica:
    """Has a replica's face; answers VECTORS, or raises `error`."""

    name = "tiny"

    def __init__(self) -> None:
        self.state = ReplicaState.READY
        self.description = EncoderDescription("tiny", 3, 16, 100, True, "cpu", "f00d")
        self.error: BaseException | None = None
        self.requests: list[EmbedRequest] = []

    def unavailable(self) -> ReplicaUnavailable:
        return ReplicaUnavailable("the encoder is starting", 3.0)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        self.requests.append(request)
        if self.error:
            raise self.error
        return Embeddings(VECTORS, (4, 5))


class Bench:
    def __init__(self) -> None:
        self.replica = Replica()
        self.registry = CollectorRegistry()
        ticks = iter(range(100))
        self.embedder = TextEmbedder(self.replica, EmbeddingMetrics(self.registry, "tiny"), lambda: next(ticks))

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"tradewind:{name}", {"model_name": "tiny"} | labels)


@pytest.fixture
def bench():
    return Bench()


async def test_vectors_and_what_is_counted_of_them(bench):
    embeddings = await bench.embedder.embed(["a", [1, 2]], truncate=True)
    np.testing.assert_array_equal(embeddings.vectors, VECTORS)
    assert bench.replica.requests == [EmbedRequest(("a", (1, 2)), truncate=True)]
    assert (bench.count("embedding_texts_total"), bench.count("embedding_tokens_total")) == (2, 9)
    assert bench.count("embedding_requests_total", outcome="success") == 1
    assert bench.count("embedding_request_seconds_sum") == 1


async def test_fewer_dimensions_are_a_cut_vector_at_length_1(bench):
    embeddings = await bench.embedder.embed(["a", "b"], dimensions=2)
    np.testing.assert_allclose(embeddings.vectors, [[1, 0], [0, -1]])
    np.testing.assert_allclose(cut(VECTORS, 2, normalised=False), [[0.6, 0], [0, -1]])
    np.testing.assert_array_equal(cut(VECTORS, 3, normalised=True), VECTORS)
    np.testing.assert_array_equal(cut(VECTORS[1:], 1, normalised=True), [[0]])  # nothing is left, and no NaN


async def test_more_dimensions_than_there_are_are_refused_before_anything_is_computed(bench):
    with pytest.raises(InvalidRequest, match="dimensions is 4; this encoder has 1 to 3") as refused:
        await bench.embedder.embed(["a", "b"], dimensions=4)
    assert refused.value.field == "dimensions" and not bench.replica.requests
    assert bench.count("embedding_requests_total", outcome="invalid") == 1


@pytest.mark.parametrize(
    ("error", "raised", "code", "outcome"),
    [
        (InputTooLong("input[0] has 17 tokens"), InvalidRequest, "context_length_exceeded", "invalid"),
        (ValueError("input[0] has no token"), InvalidRequest, None, "invalid"),
        (ReplicaUnavailable("gone", 1.0), ReplicaUnavailable, None, "unavailable"),
        (asyncio.CancelledError(), asyncio.CancelledError, None, "abort"),
    ],
)
async def test_failures_are_told_and_counted(bench, error, raised, code, outcome):
    bench.replica.error = error
    with pytest.raises(raised) as failed:
        await bench.embedder.embed(["a"])
    assert getattr(failed.value, "code", None) == code
    assert bench.count("embedding_requests_total", outcome=outcome) == 1
    assert bench.count("embedding_texts_total") == 0


async def test_an_encoder_that_is_not_ready_is_asked_nothing(bench):
    bench.replica.state = ReplicaState.STARTING
    with pytest.raises(ReplicaUnavailable, match="starting"):
        await bench.embedder.embed(["a"])
    assert not bench.replica.requests
