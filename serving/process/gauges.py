"""What a process counts, told to every gateway that watches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import grpc

from serving.process.codec import decode_empty

Stats = TypeVar("Stats")
Ready = Callable[[grpc.aio.ServicerContext], Awaitable[object]]


class Gauges(Generic[Stats]):
    """The latest gauges of one process. All belongs to the event loop.

    `encode` writes them for the wire; `ready` aborts a call that comes before the process can serve.
    """

    def __init__(self, first: Stats, encode: Callable[[Stats], bytes], ready: Ready):
        self._stats = first
        self._encode = encode
        self._ready = ready
        self._news = asyncio.Event()
        self._ending = ""  # why nobody will be told more

    def handler(self) -> grpc.RpcMethodHandler:
        """The call that sends the gauges, and again whenever they changed; it lasts as long as the process serves."""
        return grpc.unary_stream_rpc_method_handler(self._watch, decode_empty, self._encode)

    def publish(self, stats: Stats) -> None:
        """Tell every watcher, where something changed."""
        if stats != self._stats:
            self._stats = stats
            self._wake()

    def close(self, reason: str) -> None:
        """End every watcher's call."""
        self._ending = self._ending or reason
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _watch(self, _: None, context: grpc.aio.ServicerContext) -> None:
        await self._ready(context)
        await context.send_initial_metadata(())  # tells the gateway that the stream stands
        while not self._ending:
            news = self._news
            await context.write(self._stats)
            await news.wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
