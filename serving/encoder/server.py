"""The encoder's process: a gRPC server that answers from the first moment, while the model loads behind it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from serving.encoder.options import EncoderOptions
from serving.encoder.service import EncoderService, ServedEmbedder
from serving.process.channel import started_server
from serving.process.ending import GRACE, Ending, explained, run_to_end
from serving.process.progress import StartupProgress

log = logging.getLogger(__name__)

Load = Callable[[Callable[[StartupProgress], None]], ServedEmbedder]


def run(listen: str, folder: Path, options: EncoderOptions, *, exit_with_parent: bool = False) -> NoReturn:
    """Serve the encoder in `folder` at `listen` (`unix:/path` or `host:port`) until told to stop; ends the process.

    SIGTERM, SIGINT and, with `exit_with_parent`, the end of standard input stop it. The exit status is 1 when the
    address cannot be had, the model cannot be loaded or a batch fails.
    """

    def load(report: Callable[[StartupProgress], None]) -> ServedEmbedder:
        from serving.encoder.loading import load  # brings JAX, which takes a second that progress should not wait for

        return load(folder, options, report)

    serve_process(listen, load, exit_with_parent=exit_with_parent)


def serve_process(listen: str, load: Load, *, exit_with_parent: bool = False) -> NoReturn:
    """`run` for any encoder: `load` is called on a thread, with the function that takes its progress."""
    run_to_end(serve(listen, load, exit_with_parent=exit_with_parent))


async def serve(listen: str, load: Load, *, exit_with_parent: bool = False) -> int:
    """Serve until told to stop; returns the exit status."""
    ending = Ending(with_parent=exit_with_parent)
    service = EncoderService(
        asyncio.get_running_loop(),
        lambda error: ending.fail(f"the encoder failed: {type(error).__name__}: {error}", error),
    )
    try:
        server = await started_server(listen, service.handler())
    except OSError as error:
        log.error("%s", error)
        return 1
    loading = asyncio.create_task(_load(load, service, ending))
    status, reason = await ending.wait()
    loading.cancel()
    service.close(reason if status else "the encoder is stopping")
    await service.stop_embedder(GRACE)
    await server.stop(GRACE)
    return status


async def _load(load: Load, service: EncoderService, ending: Ending) -> None:
    try:
        service.serve(await asyncio.to_thread(load, service.report))
    except Exception as error:
        reason, unexpected = explained(error)
        service.report(StartupProgress("failed", message=reason))
        ending.fail(f"the encoder could not start: {reason}", unexpected)
