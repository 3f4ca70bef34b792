"""How far a process has come on its way to serving, told to every gateway that watches."""

import asyncio

import grpc

from serving.process.codec import decode_empty, encode_progress
from serving.process.progress import StartupProgress


class Startup:
    """The stages of one process's start, from loading to ready. All but `report` belongs to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop
        self._progress: list[StartupProgress] = []
        self._news = asyncio.Event()
        self._ending = ""  # why nobody will be told more

    @property
    def stage(self) -> str:
        """The latest stage."""
        return self._progress[-1].stage if self._progress else "starting"

    def handler(self) -> grpc.RpcMethodHandler:
        """The call that sends every stage; it ends after `ready` or `failed`."""
        return grpc.unary_stream_rpc_method_handler(self._watch, decode_empty, encode_progress)

    def report(self, progress: StartupProgress) -> None:
        """Tell every watcher; from any thread."""
        self._loop.call_soon_threadsafe(self.note, progress)

    def note(self, progress: StartupProgress) -> None:
        """As `report`, from the event loop, at once."""
        self._progress.append(progress)
        self._wake()

    def close(self, reason: str) -> None:
        """Tell watchers that they wait in vain."""
        self._ending = self._ending or reason
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def _watch(self, _: None, context: grpc.aio.ServicerContext) -> None:
        sent = 0
        while True:
            news = self._news
            for progress in self._progress[sent:]:
                await context.write(progress)
                sent += 1
                if progress.stage in ("ready", "failed"):
                    return
            if self._ending:
                await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
            await news.wait()
