"""The database opens migrated, and what it keeps survives."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from retrieval.errors import InvalidRequest
from retrieval.store import collections
from retrieval.store.database import Database
from retrieval.store.schema import metadata


async def test_migrations_make_the_tables_that_the_queries_know(database: Database):
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"version_table": "retrieval_schema"})
        return compare_metadata(context, metadata)

    async with database.read() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_is_opened_again_as_it_was(tmp_path: Path):
    for _ in range(2):
        database = await Database.open(f"sqlite:///{tmp_path / 'own.db'}")
        async with database.write() as connection:
            record = await collections.find_or_create(connection, "ann", "notes", "words", 8, 5.0)
        await database.close()
    assert (record.id, record.version, record.created) == (1, 0, 5.0)


async def test_what_fails_within_a_transaction_is_undone(database: Database):
    async def fail() -> None:
        async with database.write() as connection:
            await collections.find_or_create(connection, "ann", "notes", "words", 8, 5.0)
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await fail()
    async with database.read() as connection:
        assert await collections.listed(connection, "ann") == []


async def test_a_reader_sees_one_state_while_others_write(database: Database):
    async with database.read() as reading:
        assert await collections.listed(reading, "ann") == []
        async with database.write() as connection:
            await collections.find_or_create(connection, "ann", "notes", "words", 8, 5.0)
        assert await collections.listed(reading, "ann") == []


@pytest.mark.parametrize("url", ["notes.db", "mysql://host/name", ""])
async def test_other_databases_are_refused(url):
    with pytest.raises(InvalidRequest, match="accepted.*sqlite:///FILE and postgresql://"):
        await Database.open(url)


@pytest.mark.parametrize("url", ["mysql://me:secret@host/name", "postgresql//me:secret@host/name"])
async def test_a_password_is_not_repeated(url):
    with pytest.raises(InvalidRequest, match=r"me:\*\*\*@host/name") as refused:
        await Database.open(url)
    assert "secret" not in str(refused.value)


async def test_a_newer_versions_database_is_left_as_it_is(database: Database, tmp_path: Path):
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE retrieval_schema SET version_num = '9999'")
    with pytest.raises(InvalidRequest, match="is of a newer version: .*9999"):
        await Database.open(f"sqlite:///{tmp_path / 'documents.db'}")
    async with database.read() as connection:
        assert (await connection.exec_driver_sql("SELECT version_num FROM retrieval_schema")).scalar() == "9999"
