"""The table of collections: made, found, listed, dropped, and each one's version."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.errors import NotFound
from retrieval.store.schema import collections

_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class CollectionRecord:
    """A tenant's collection. `version` grows with every change of its documents; `uid` is never used again."""

    id: int
    tenant: str
    name: str
    uid: str
    encoder: str
    dimensions: int
    version: int
    created: float


async def find(connection: AsyncConnection, tenant: str, name: str) -> CollectionRecord:
    """The tenant's collection. Raises NotFound, whether it is another tenant's or nobody's."""
    found = (await connection.execute(_select(tenant).where(collections.c.name == name))).first()
    if found is None:
        raise NotFound(f"there is no collection {name!r}")
    return CollectionRecord(**found._mapping)


async def listed(connection: AsyncConnection, tenant: str) -> list[CollectionRecord]:
    """The tenant's collections by name."""
    rows = await connection.execute(_select(tenant).order_by(collections.c.name))
    return [CollectionRecord(**row._mapping) for row in rows]


async def find_or_create(
    connection: AsyncConnection, tenant: str, name: str, encoder: str, dimensions: int, now: float
) -> CollectionRecord:
    """The tenant's collection, made when there is none. Nobody else changes it until the transaction ends."""
    wanted = _select(tenant).where(collections.c.name == name).with_for_update()  # SQLite has one writer anyway
    found = (await connection.execute(wanted)).first()
    if found is None:
        added = _INSERT[connection.dialect.name](collections).values(
            tenant=tenant,
            name=name,
            uid=secrets.token_hex(16),
            encoder=encoder,
            dimensions=dimensions,
            version=0,
            created=now,
        )
        await connection.execute(added.on_conflict_do_nothing())  # somebody else may be first
        found = (await connection.execute(wanted)).first()
    if found is None:
        raise NotFound(f"the collection {name!r} was dropped at this moment")
    return CollectionRecord(**found._mapping)


async def version(connection: AsyncConnection, collection: CollectionRecord) -> int:
    """The collection's version now. Raises NotFound when it was dropped meanwhile."""
    found = (await connection.execute(select(collections.c.version).where(*_is(collection)))).scalar()
    if found is None:
        raise _gone(collection)
    return found


async def drop(connection: AsyncConnection, collection: CollectionRecord) -> None:
    """Removes the collection with all that is in it."""
    await connection.execute(delete(collections).where(*_is(collection)))


async def advance(connection: AsyncConnection, collection: CollectionRecord) -> int:
    """The version that this transaction makes. Raises NotFound when the collection was dropped meanwhile."""
    changed = update(collections).where(*_is(collection)).values(version=collections.c.version + 1)
    version = (await connection.execute(changed.returning(collections.c.version))).scalar()
    if version is None:
        raise _gone(collection)
    return version


def _gone(collection: CollectionRecord) -> NotFound:
    return NotFound(f"there is no collection {collection.name!r} any more")


def _select(tenant: str):
    return select(collections).where(collections.c.tenant == tenant)


def _is(collection: CollectionRecord):
    return collections.c.id == collection.id, collections.c.tenant == collection.tenant


async def uids(connection: AsyncConnection) -> set[str]:
    """Of all tenants' collections: the names of their indexes' folders."""
    return set((await connection.execute(select(collections.c.uid))).scalars())
