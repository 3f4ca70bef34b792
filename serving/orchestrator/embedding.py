"""Texts to vectors: what is asked of the encoder, and what becomes of its vectors."""

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from serving.encoder.request import Embeddings, EmbedRequest, EncoderDescription, InputTooLong
from serving.fleet.encoder_replica import EncoderReplica
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.orchestrator.failures import InvalidRequest
from serving.telemetry.embeddings import EmbeddingMetrics


class TextEmbedder:
    """Has texts turned into vectors by the encoder's replica, and measures it by `stopwatch`, in seconds."""

    def __init__(self, replica: EncoderReplica, metrics: EmbeddingMetrics, stopwatch: Callable[[], float]) -> None:
        self._replica = replica
        self._metrics = metrics
        self._now = stopwatch

    @property
    def model(self) -> str:
        """The encoder's name for clients."""
        return self._replica.name

    @property
    def description(self) -> EncoderDescription | None:
        """What the encoder said of itself; None before it was ready for the first time."""
        return self._replica.description

    async def embed(
        self, inputs: Sequence[str | Sequence[int]], *, dimensions: int | None = None, truncate: bool = False
    ) -> Embeddings:
        """A vector for each text or list of token ids, of the first `dimensions` of the encoder's where that is given.

        Texts beyond the encoder's limit are cut off where `truncate` is set.
        Raises InvalidRequest, and ReplicaUnavailable at once while the encoder is not ready and when it dies.
        """
        began = self._now()
        try:
            normalised = self._check(dimensions).normalised
            given = tuple(text if isinstance(text, str) else tuple(text) for text in inputs)
            embeddings = await self._replica.embed(EmbedRequest(given, truncate))
        except InputTooLong as error:
            self._metrics.failed("invalid")
            raise InvalidRequest(f"{error}. Shorten it.", "input", "context_length_exceeded") from None
        except ValueError as error:
            self._metrics.failed("invalid")
            raise InvalidRequest(str(error), "input") from None
        except InvalidRequest:
            self._metrics.failed("invalid")
            raise
        except ReplicaUnavailable:
            self._metrics.failed("unavailable")
            raise
        except asyncio.CancelledError:
            self._metrics.failed("abort")
            raise
        self._metrics.served(len(given), sum(embeddings.token_counts), self._now() - began)
        return Embeddings(cut(embeddings.vectors, dimensions, normalised), embeddings.token_counts)

    def _check(self, dimensions: int | None) -> EncoderDescription:
        """The encoder that would serve a request now."""
        replica = self._replica
        if replica.state is not ReplicaState.READY or replica.description is None:
            raise replica.unavailable()
        most = replica.description.dimensions
        if dimensions is not None and dimensions > most:
            raise InvalidRequest(f"dimensions is {dimensions}; this encoder has 1 to {most}", "dimensions")
        return replica.description


def cut(
    vectors: Float[np.ndarray, "texts all"], dimensions: int | None, normalised: bool
) -> Float[np.ndarray, "texts dimensions"]:
    """The first dimensions of vectors, at length 1 again where `normalised` says that they were before."""
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    kept = vectors[:, :dimensions]
    if not normalised:
        return kept
    return kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-12)
