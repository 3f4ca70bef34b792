"""A library in a temporary folder, and executors for it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from retrieval.library import Library
from retrieval.parsing.process import ParserProcess
from retrieval.store.database import Database
from tests.retrieval.word_encoder import word_encoder


@pytest.fixture(scope="session")
def workers() -> Iterator[ThreadPoolExecutor]:
    """For searches."""
    with ThreadPoolExecutor(2, "worker") as executor:
        yield executor


@pytest.fixture(scope="session")
def builders() -> Iterator[ThreadPoolExecutor]:
    """For merges."""
    with ThreadPoolExecutor(1, "builder") as executor:
        yield executor


@pytest.fixture(scope="session")
def parser() -> Iterator[ParserProcess]:
    """For all documents."""
    with ParserProcess(60) as process:
        yield process


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty one."""
    opened = await Database.open(f"sqlite:///{tmp_path / 'documents.db'}")
    yield opened
    await opened.close()


@pytest.fixture
async def open_library(
    database: Database,
    tmp_path: Path,
    parser: ParserProcess,
    workers: ThreadPoolExecutor,
    builders: ThreadPoolExecutor,
) -> AsyncIterator[Callable[..., Awaitable[Library]]]:
    """Opens libraries on one database and folder: `open_library(encoder=, policy=, ...)`; open one at a time."""
    opened: list[Library] = []

    async def start(encoder=None, **more) -> Library:
        for library in opened:
            await library.close()
        library = Library(
            database,
            tmp_path / "indexes",
            encoder or word_encoder(),
            parse=parser.parse,
            workers=workers,
            builders=builders,
            **more,
        )
        await library.clean()
        opened.append(library)
        return library

    yield start
    for library in opened:
        await library.close()


@pytest.fixture
async def library(open_library: Callable[..., Awaitable[Library]]) -> Library:
    """With every default, but the encoder."""
    return await open_library()
