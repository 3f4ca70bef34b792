"""The gRPC face of one encoder: its start, its description, its gauges, and texts to vectors."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import grpc

from serving.encoder import codec
from serving.encoder.inputs import read_inputs
from serving.encoder.request import (
    Embeddings,
    EmbedRequest,
    EncoderDescription,
    EncoderStats,
    InputTooLong,
    TokenIds,
    Vectors,
)
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.process.codec import decode_empty
from serving.process.gauges import Gauges
from serving.process.progress import StartupProgress
from serving.process.startup import Startup


class EncoderService:
    """Serves one encoder to any number of gateways. All but `report` belongs to the event loop.

    `on_failure` is called when the encoder's thread has failed; to `close` is left to whoever hears of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_failure: Callable[[BaseException], None]):
        self._loop = loop
        self._on_failure = on_failure
        self._embedder: ServedEmbedder | None = None
        self._ending = ""  # why calls end, once they do
        self._startup = Startup(loop)
        self._gauges = Gauges(EncoderStats(), codec.encode_stats, self._ready_embedder)

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as `grpc.aio.Server.add_generic_rpc_handlers` takes it."""
        return grpc.method_handlers_generic_handler(
            codec.SERVICE,
            {
                "WatchStartup": self._startup.handler(),
                "Describe": grpc.unary_unary_rpc_method_handler(self._describe, decode_empty, codec.encode_description),
                "WatchStats": self._gauges.handler(),
                "Embed": grpc.unary_unary_rpc_method_handler(
                    self._embed, codec.decode_request, codec.encode_embeddings
                ),
            },
        )

    def report(self, progress: StartupProgress) -> None:
        """Tell every watcher how far the encoder has come; from any thread."""
        self._startup.report(progress)

    def serve(self, embedder: "ServedEmbedder") -> None:
        """Start the encoder's thread and take requests for it from now on."""
        self._embedder = embedder
        embedder.start(lambda stats: self._loop.call_soon_threadsafe(self._take, stats))
        self._startup.note(StartupProgress("ready"))

    def close(self, reason: str) -> None:
        """End every call for `reason`, and take no new one."""
        self._ending = self._ending or reason
        self._startup.close(reason)
        self._gauges.close(reason)

    async def stop_embedder(self, grace: float) -> None:
        """End the encoder's thread; after `grace` seconds it is left to itself."""
        if self._embedder is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(self._embedder.stop), grace)

    def _take(self, stats: EncoderStats) -> None:
        self._gauges.publish(stats)
        if self._embedder.failed is not None:
            self._on_failure(self._embedder.failed)

    async def _describe(self, _: None, context: grpc.aio.ServicerContext) -> EncoderDescription:
        return (await self._ready_embedder(context)).description

    async def _embed(self, request: EmbedRequest, context: grpc.aio.ServicerContext) -> Embeddings:
        embedder = await self._ready_embedder(context)
        try:
            texts = await asyncio.to_thread(read_inputs, request, embedder.tokenizer, embedder.description)
            vectors = await asyncio.wrap_future(embedder.submit(texts))
        except InputTooLong as error:
            await context.abort(grpc.StatusCode.OUT_OF_RANGE, str(error))
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        except asyncio.CancelledError:
            if self._ending:
                await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
            raise
        except Exception:  # its text is for the log
            await context.abort(grpc.StatusCode.INTERNAL, "the encoder failed")
        return Embeddings(vectors, tuple(map(len, texts)))

    async def _ready_embedder(self, context: grpc.aio.ServicerContext) -> "ServedEmbedder":
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
        if self._embedder is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the encoder is not ready: {self._startup.stage}")
        return self._embedder


class ServedEmbedder(Protocol):
    """What the service asks of an encoder: `serving.encoder.embedder.Embedder`, or a stand-in for it."""

    description: EncoderDescription
    tokenizer: EncoderTokenizer
    failed: BaseException | None

    def start(self, publish: Callable[[EncoderStats], None]) -> None:
        """Begin to compute on a thread of its own; `publish` is called there after each batch."""

    def submit(self, texts: list[TokenIds]) -> Future[Vectors]:
        """A vector for each text; thread-safe, returns at once."""

    def stop(self) -> None:
        """End the thread."""
