"""The retriever's process: a gRPC server that answers from the first moment, while the library opens behind it."""

import asyncio
import logging
from pathlib import Path
from typing import NoReturn

from serving.process.channel import started_server
from serving.process.ending import GRACE, Ending, explained, run_to_end
from serving.process.progress import StartupProgress
from serving.retriever.options import RetrieverOptions
from serving.retriever.service import RetrieverService

log = logging.getLogger(__name__)


def run(
    listen: str,
    folder: Path,
    encoder_address: str,
    encoder_folder: Path,
    options: RetrieverOptions,
    *,
    exit_with_parent: bool = False,
) -> NoReturn:
    """Keep documents in `folder` and serve them at `listen` (`unix:/path` or `host:port`); ends the process.

    SIGTERM, SIGINT and, with `exit_with_parent`, the end of standard input stop it. The exit status is 1 when the
    address cannot be had, the folder or the database cannot be opened, or the encoder becomes another one.

    Args:
        encoder_address: where the encoder listens, or will.
        encoder_folder: where that encoder's tokenizer is.
    """
    run_to_end(serve(listen, folder, encoder_address, encoder_folder, options, exit_with_parent=exit_with_parent))


async def serve(
    listen: str,
    folder: Path,
    encoder_address: str,
    encoder_folder: Path,
    options: RetrieverOptions,
    *,
    exit_with_parent: bool = False,
) -> int:
    """Serve until told to stop; returns the exit status."""
    ending = Ending(with_parent=exit_with_parent)
    service = RetrieverService(asyncio.get_running_loop())
    try:
        server = await started_server(listen, service.handler())
    except OSError as error:
        log.error("%s", error)
        return 1
    working = asyncio.create_task(_work(service, ending, folder, encoder_address, encoder_folder, options))
    status, reason = await ending.wait()
    service.close(reason if status else "the retriever is stopping")
    working.cancel()
    await asyncio.wait((working,), timeout=GRACE)
    await server.stop(GRACE)
    return status


async def _work(
    service: RetrieverService,
    ending: Ending,
    folder: Path,
    encoder_address: str,
    encoder_folder: Path,
    options: RetrieverOptions,
) -> None:
    try:
        service.report(StartupProgress("loading", message="documents"))
        loading = await asyncio.to_thread(_import_loading)
        await loading.work(service, folder, encoder_address, encoder_folder, options)
    except Exception as error:
        failure = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        reason, unexpected = explained(failure)
        service.report(StartupProgress("failed", message=reason))
        ending.fail(f"the retriever ends: {reason}", unexpected)


def _import_loading():
    from serving.retriever import loading  # brings indexes and SQL, for which progress should not wait

    return loading
