"""One encoder as the gateway sees it: texts go in, vectors come out."""

import asyncio
from collections.abc import Callable

import grpc

from serving.encoder import codec
from serving.encoder.request import Embeddings, EmbedRequest, EncoderDescription, EncoderStats, InputTooLong
from serving.fleet.served_process import ServedProcess
from serving.process.channel import KEEPALIVE
from serving.process.codec import encode_empty

Embed = grpc.aio.UnaryUnaryMultiCallable


class EncoderReplica(ServedProcess):
    """One encoder's client."""

    kind = "encoder"
    methods = codec.METHODS

    def __init__(
        self, name: str, *, on_change: Callable[["EncoderReplica"], None] = lambda _: None, keepalive: float = KEEPALIVE
    ) -> None:
        super().__init__(name, on_change=on_change, keepalive=keepalive)
        self.description: EncoderDescription | None = None
        self.stats = EncoderStats()
        self._embed: Embed | None = None  # while there is a connection

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """A vector for each text. Cancelling the task that waits drops the texts in the encoder.

        Raises InputTooLong, ValueError for other inputs that the encoder cannot read, and ReplicaUnavailable, at once
        unless the replica is ready, and when the encoder dies.
        """
        self._require_ready()
        try:
            return await self._embed(request)
        except grpc.aio.AioRpcError as error:
            match error.code():
                case grpc.StatusCode.OUT_OF_RANGE:
                    raise InputTooLong(error.details()) from None
                case grpc.StatusCode.INVALID_ARGUMENT:
                    raise ValueError(error.details()) from None
            raise self.unavailable() from error
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise
            raise self.unavailable() from None  # the connection was closed, and this call with it

    async def _carry(self, channel: grpc.aio.Channel) -> None:
        describe = channel.unary_unary(codec.METHODS["Describe"], encode_empty, codec.decode_description)
        self.description = await describe(None)
        self._embed = channel.unary_unary(codec.METHODS["Embed"], codec.encode_request, codec.decode_embeddings)
        stats = channel.unary_stream(codec.METHODS["WatchStats"], encode_empty, codec.decode_stats)(None)
        await stats.initial_metadata()  # the encoder sends it when the stream stands
        if not stats.done():
            self._ready()
        async for self.stats in stats:
            pass

    def _end_requests(self) -> None:
        """The connection has ended, and all calls with it."""
        self.stats = EncoderStats()
        self._embed = None
