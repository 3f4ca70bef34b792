"""The gRPC face of one retriever: its start, its gauges, and its calls."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from retrieval.errors import Conflict, EncoderAway, InvalidRequest, NotFound
from serving.process.gauges import Gauges
from serving.process.progress import StartupProgress
from serving.process.startup import Startup
from serving.retriever import codec
from serving.retriever.request import RetrieverStats

log = logging.getLogger(__name__)

Answer = Callable[[Any], Awaitable[Any]]


REFUSALS = {
    InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    EncoderAway: grpc.StatusCode.ABORTED,
}
"""Why a call is not answered, and the status that says so."""


class RetrieverService:
    """Serves one retriever to any number of gateways. All belongs to the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._answers: Mapping[str, Answer] | None = None
        self._ending = ""  # why calls end, once they do
        self._startup = Startup(loop)
        self._gauges = Gauges(RetrieverStats(), codec.encode_stats, self._ready_answers)

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as `grpc.aio.Server.add_generic_rpc_handlers` takes it."""
        calls = {
            name: grpc.unary_unary_rpc_method_handler(self._answering(name), call.decode_request, call.encode_answer)
            for name, call in codec.CALLS.items()
        }
        streams = {"WatchStartup": self._startup.handler(), "WatchStats": self._gauges.handler()}
        return grpc.method_handlers_generic_handler(codec.SERVICE, streams | calls)

    def report(self, progress: StartupProgress) -> None:
        """Tell every watcher how far the retriever has come."""
        self._startup.note(progress)

    def serve(self, answers: Mapping[str, Answer]) -> None:
        """Answer calls from now on."""
        self._answers = answers
        self._startup.note(StartupProgress("ready"))

    def publish(self, stats: RetrieverStats) -> None:
        """Tell every watcher the gauges, where they changed."""
        self._gauges.publish(stats)

    def close(self, reason: str) -> None:
        """End every stream for `reason`, and take no new call."""
        self._ending = self._ending or reason
        self._startup.close(reason)
        self._gauges.close(reason)

    def _answering(self, name: str) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[Any]]:
        async def answer(request: Any, context: grpc.aio.ServicerContext) -> Any:
            answers = await self._ready_answers(context)
            try:
                return await answers[name](request)
            except tuple(REFUSALS) as error:
                await context.abort(REFUSALS[type(error)], str(error))
            except Exception:  # its text is for the log
                log.exception("%s failed", name)
                await context.abort(grpc.StatusCode.INTERNAL, "the retriever failed")

        return answer

    async def _ready_answers(self, context: grpc.aio.ServicerContext) -> Mapping[str, Answer]:
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
        if self._answers is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the retriever is not ready: {self._startup.stage}")
        return self._answers
