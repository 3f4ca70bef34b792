"""The engine's process: a gRPC server that answers from the first moment, while the model loads behind it.

Over several hosts this is the leader's process, and the only one that serves; `follower` is that of the others.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from serving.engine.leader import Followers
from serving.engine.member import Member, ProcessGroup
from serving.engine.options import EngineOptions
from serving.engine.service import EngineService, ServedEngine
from serving.process.channel import started_server
from serving.process.ending import GRACE, Ending, explained, run_to_end
from serving.process.progress import StartupProgress

log = logging.getLogger(__name__)

Load = Callable[[Callable[[StartupProgress], None]], ServedEngine]


def run(
    listen: str,
    model: Path,
    options: EngineOptions,
    *,
    group: ProcessGroup | None = None,
    exit_with_parent: bool = False,
) -> NoReturn:
    """Serve the model in `model` at `listen` (`unix:/path` or `host:port`) until told to stop; ends the process.

    With a `group` of processes this one leads it. SIGTERM, SIGINT and, with `exit_with_parent`, the end of standard
    input stop the process. The exit status is 1 when the address cannot be had, the model cannot be loaded, the
    engine's loop fails or another process of the group is lost.
    """

    def load(report: Callable[[StartupProgress], None]) -> ServedEngine:
        # These bring JAX, which takes a second that progress should not wait for.
        if group is not None:
            from serving.engine.distributed import load_together

            return load_together(group, model, options, report)
        from serving.engine.engine import Engine

        return Engine.load(model, options, report)

    member = Member.of(group, options) if group else Member()
    serve_process(listen, load, member=member, exit_with_parent=exit_with_parent)


def serve_process(listen: str, load: Load, *, member: Member | None = None, exit_with_parent: bool = False) -> NoReturn:
    """`run` for any engine: `load` is called on a thread, with the function that takes its progress."""
    run_to_end(serve(listen, load, member=member, exit_with_parent=exit_with_parent))


async def serve(listen: str, load: Load, *, member: Member | None = None, exit_with_parent: bool = False) -> int:
    """Serve until told to stop, as the leader of the processes that `member` counts; returns the exit status."""
    ending = Ending(with_parent=exit_with_parent)
    followers = Followers(member or Member(), on_loss=ending.fail)
    failures: asyncio.Queue[BaseException] = asyncio.Queue()
    service = EngineService(asyncio.get_running_loop(), failures.put_nowait)
    try:
        server = await started_server(listen, service.handler(), followers.handler())
    except OSError as error:
        log.error("%s", error)
        return 1
    working = asyncio.create_task(_work(load, service, followers, failures, ending))
    status, reason = await ending.wait()
    working.cancel()
    service.close(reason if status else "the engine is stopping")
    if status:
        followers.close(reason)  # at once: their devices may be waiting for this one's
    await service.stop_engine(GRACE)
    followers.close()
    await server.stop(GRACE)
    return status


async def _work(
    load: Load,
    service: EngineService,
    followers: Followers,
    failures: asyncio.Queue[BaseException],
    ending: Ending,
) -> None:
    """Loads, serves, and ends the process when that fails. A process that was lost is the better reason."""
    try:
        await followers.join(service.report)
        engine = await asyncio.to_thread(load, service.report)
        await followers.load(engine.description)
        service.serve(engine, followers.announce)
    except Exception as error:
        await followers.settle()
        reason, unexpected = explained(error)
        service.report(StartupProgress("failed", message=reason))
        ending.fail(f"the engine could not start: {reason}", unexpected)
        return
    error = await failures.get()
    await followers.settle()
    ending.fail(f"the engine failed: {type(error).__name__}: {error}", error)
