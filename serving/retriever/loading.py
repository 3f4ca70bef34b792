"""From a folder, a database and an encoder to a library that works, with all that runs beside it."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from retrieval.errors import InvalidRequest
from retrieval.library import Library
from retrieval.parsing.process import ParserProcess
from retrieval.store.database import Database
from serving.process.progress import StartupProgress
from serving.retriever.answers import Answers
from serving.retriever.options import RetrieverOptions
from serving.retriever.remote_encoder import RemoteEncoder, encoder_of
from serving.retriever.request import RetrieverDescription, RetrieverStats
from serving.retriever.service import RetrieverService

STATS = 1.0  # seconds between two looks at the gauges
TIDY = 60  # of these looks between two at what lies idle


async def work(
    service: RetrieverService, folder: Path, encoder_address: str, encoder_folder: Path, options: RetrieverOptions
) -> None:
    """Opens everything, has `service` answer from it, and reads what documents come, until it is cancelled.

    Raises OSError or ValueError, with a message for people, for what cannot be opened, and ValueError when the encoder
    becomes another one.
    """
    logging.getLogger("bm25s").setLevel(logging.WARNING)  # it tells of every index at level debug, unasked
    async with AsyncExitStack() as stack:
        stack.enter_context(_locked(folder))
        database = await stack.enter_async_context(_opened(options.database_url, folder))
        remote = RemoteEncoder(encoder_address)
        stack.push_async_callback(remote.close)
        service.report(StartupProgress("loading", message="waiting for the encoder"))
        description = await remote.described()
        encoder = encoder_of(remote, description, encoder_folder)
        workers = stack.enter_context(_threads(os.cpu_count() or 1, "worker"))
        builders = stack.enter_context(_threads(1, "builder"))
        parser = stack.enter_context(ParserProcess(options.parse_seconds))
        library = Library(
            database,
            folder / "index",
            encoder,
            parse=parser.parse,
            workers=workers,
            builders=builders,
            options=options,
        )
        stack.push_async_callback(library.close)
        await library.clean()
        answers = Answers(library, RetrieverDescription(encoder.name, encoder.dimensions, options.document_bytes))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(remote.follow(description), name="follow the encoder")
            tasks.create_task(library.ingest.run(), name="ingest")
            tasks.create_task(_tend(library, answers, service.publish), name="tend")
            service.serve(answers.by_call)


async def _tend(library: Library, answers: Answers, publish: Callable[[RetrieverStats], None]) -> None:
    """Publishes gauges, and drops indexes that nobody uses, for ever."""
    looks = 0
    while True:
        publish(await answers.stats())
        await asyncio.sleep(STATS)
        looks += 1
        if looks % TIDY == 0:
            library.loaded.drop_idle()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The folder for one retriever alone."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise OSError(f"another server keeps its documents in {folder}; --data-dir names another folder") from None
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def _opened(url: str, folder: Path) -> AsyncIterator[Database]:
    address = url or URL.create("sqlite", database=str(folder / "library.db")).render_as_string()
    try:
        database = await Database.open(address)
    except InvalidRequest as error:
        raise ValueError(f"--database-url: {error}") from None
    except (SQLAlchemyError, OSError) as error:
        raise ValueError(f"the database cannot be opened: {getattr(error, 'orig', None) or error}") from None
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def _threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that nobody waits for in the end: this process's last act ends them."""
    executor = ThreadPoolExecutor(count, name)
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
