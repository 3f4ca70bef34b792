"""The engine's process: a gRPC server that answers from the first moment, while the model loads behind it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import grpc

from serving.engine.options import EngineOptions
from serving.engine.request import StartupProgress
from serving.engine.service import EngineService, ServedEngine

log = logging.getLogger(__name__)

GRACE = 3.0  # seconds that streams, then the engine's loop, have to end

SERVER_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),  # a long prompt's ids, a long prompt's logprobs
    ("grpc.so_reuseport", 0),  # two engines at one address is a mistake, not load balancing
    ("grpc.http2.max_ping_strikes", 0),  # gateways ping often to notice an engine that hangs
)

Load = Callable[[Callable[[StartupProgress], None]], ServedEngine]


def run(listen: str, model: Path, options: EngineOptions, *, exit_with_parent: bool = False) -> NoReturn:
    """Serve the model in `model` at `listen` (`unix:/path` or `host:port`) until told to stop; ends the process.

    SIGTERM, SIGINT and, with `exit_with_parent`, the end of standard input stop it. The exit status is 1 when the
    address cannot be had, the model cannot be loaded or the engine's loop fails.
    """

    def load(report: Callable[[StartupProgress], None]) -> ServedEngine:
        from serving.engine.engine import Engine  # brings JAX, which takes a second that progress should not wait for

        return Engine.load(model, options, report)

    serve_process(listen, load, exit_with_parent=exit_with_parent)


def serve_process(listen: str, load: Load, *, exit_with_parent: bool = False) -> NoReturn:
    """`run` for any engine: `load` is called on a thread, with the function that takes its progress."""
    status = asyncio.Runner().run(serve(listen, load, exit_with_parent=exit_with_parent))
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a usual exit would wait for a compilation or a device step, which nothing can interrupt


async def serve(listen: str, load: Load, *, exit_with_parent: bool = False) -> int:
    """Serve until told to stop; returns the process's exit status."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(status: int) -> None:
        if not stopped.done():
            stopped.set_result(status)

    def on_failure(error: BaseException) -> None:
        log.error("the engine's loop failed", exc_info=error)
        stop(1)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop, 0)
    service = EngineService(loop, on_failure)
    server = grpc.aio.server(options=SERVER_OPTIONS)
    server.add_generic_rpc_handlers((service.handler(),))
    try:
        server.add_insecure_port(listen)
    except RuntimeError as error:
        log.error("cannot listen at %s: %s", listen, error)
        return 1
    await server.start()
    tasks = [asyncio.create_task(_load(load, service, stop))]
    if exit_with_parent:
        tasks.append(asyncio.create_task(_watch_parent(stop)))
    status = await stopped
    service.close("the engine is stopping")
    await server.stop(GRACE)
    await service.stop_engine(GRACE)
    for task in tasks:
        task.cancel()
    return status


async def _load(load: Load, service: EngineService, stop: Callable[[int], None]) -> None:
    try:
        service.serve(await asyncio.to_thread(load, service.report))
        return
    except (OSError, ValueError) as error:  # a model or options that do not fit; the message is for people
        log.error("the engine could not start: %s", error)
        reason = str(error)
    except Exception as error:
        log.exception("the engine could not start")
        reason = f"{type(error).__name__}: {error}"
    service.report(StartupProgress("failed", message=reason))
    stop(1)


async def _watch_parent(stop: Callable[[int], None]) -> None:
    """The parent holds the other end of standard input, so the input ends when the parent does, however it does."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass
    stop(0)
