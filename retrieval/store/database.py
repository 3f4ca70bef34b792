"""The connection to SQL: SQLite by default, PostgreSQL by its URL; the schema is brought up to date when it opens."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from retrieval.errors import InvalidRequest

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}
_BUSY = 30  # seconds that one writer of SQLite waits for another


class Database:
    """Transactions on a database whose schema is the one that this version knows."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # A transaction of SQLite's sees one state anyway.
        sqlite = engine.dialect.name == "sqlite"
        self._readers = engine if sqlite else engine.execution_options(isolation_level="REPEATABLE READ")

    @classmethod
    async def open(cls, url: str) -> "Database":
        """Connects and migrates. Raises InvalidRequest for another kind of database, or a newer version's."""
        try:
            address = make_url(url)
        except ArgumentError:
            given = re.sub(r":[^:@/]*@", ":***@", url)
            raise InvalidRequest(f"{given!r} is no database's address; accepted are {_ACCEPTED}") from None
        kind = address.get_backend_name() if address.drivername != "postgres" else "postgres"
        if kind not in _DRIVERS:
            raise InvalidRequest(
                f"the database {address.render_as_string()} is of no kind known; accepted: {_ACCEPTED}"
            )
        address = address.set(drivername=_DRIVERS[kind])
        if kind == "sqlite":
            engine = create_async_engine(address, connect_args={"timeout": _BUSY})
            event.listen(engine.sync_engine, "connect", _set_up_sqlite)
            event.listen(engine.sync_engine, "begin", _begin_sqlite)
        else:
            engine = create_async_engine(address, pool_pre_ping=True)
        database = cls(engine)
        try:
            async with database.write() as connection:
                await connection.run_sync(_migrate)
        except CommandError as error:
            await database.close()
            raise InvalidRequest(f"the database {address.render_as_string()} is of a newer version: {error}") from error
        return database

    async def close(self) -> None:
        """Ends all connections."""
        await self._engine.dispose()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one state of the database throughout, and may not write."""
        async with self._readers.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that is committed when the block ends, and undone when it raises."""
        async with self._engine.connect() as connection:
            await connection.execution_options(writes=True)
            async with connection.begin():
                yield connection


_ACCEPTED = "sqlite:///FILE and postgresql://USER:PASSWORD@HOST/NAME"


def _set_up_sqlite(connection, _record) -> None:
    connection.isolation_level = None  # the driver would begin transactions late, and leave reads without one
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")  # readers and the writer do not wait for each other
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(files("retrieval.store") / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
