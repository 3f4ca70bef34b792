"""The documents of a collection: what an ingest made of uploads, listings, removal, and what filters look at."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.checks import Scalar
from retrieval.chunking import Chunk
from retrieval.errors import NotFound
from retrieval.rows import ChunkRows
from retrieval.store import chunks as chunk_table
from retrieval.store.collections import CollectionRecord, advance
from retrieval.store.schema import documents, uploads
from retrieval.store.uploads import PendingUpload

Facts = dict[str, Scalar | list[Scalar]]
"""What a filter sees of a document: its metadata and, where that has none of the name, `id`, `source`, `title` and
`media_type`."""


@dataclass(frozen=True, slots=True)
class DocumentRecord:
    """A document as it is listed. `status` is pending, ready or failed; `error` says why it failed."""

    id: int
    key: str
    status: str
    error: str | None
    source: str
    media_type: str
    title: str
    metadata: dict[str, Any]
    bytes: int
    chunks: int
    updated: float


@dataclass(frozen=True, slots=True)
class Read:
    """An upload that was read, cut and embedded."""

    pending: PendingUpload
    title: str
    chunks: Sequence[Chunk]
    vectors: Float32[np.ndarray, "chunks dimensions"]


@dataclass(frozen=True, slots=True)
class Unread:
    """An upload of which no chunks could be made, and why."""

    pending: PendingUpload
    error: str


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction did to a collection: the step from the version before to this one."""

    version: int
    removed: Int64[np.ndarray, " removed"]  # ids of chunks
    added: tuple[ChunkRows, ...] = ()
    documents: dict[int, Facts] = field(default_factory=dict)
    dropped: tuple[int, ...] = ()  # ids of documents


_LISTED = [documents.c[name] for name in DocumentRecord.__dataclass_fields__]
_FACTS = [documents.c[name] for name in ("id", "key", "source", "title", "media_type", "metadata")]
_NOTHING = np.empty(0, np.int64)


async def commit(
    connection: AsyncConnection, collection: CollectionRecord, outcomes: Sequence[Read | Unread], now: float
) -> Change:
    """Puts what was made of uploads in the place of what there was. Of a document that failed, the old content stays.

    An upload that was replaced or removed meanwhile is passed over.
    """
    version = await advance(connection, collection)
    removed, added, changed = [_NOTHING], [], []
    for outcome in outcomes:
        gone = delete(uploads).where(uploads.c.id == outcome.pending.id, uploads.c.collection_id == collection.id)
        queued = (await connection.execute(gone.returning(uploads.c.recipe))).first()
        if queued is None:
            continue
        document_id, upload = outcome.pending.document_id, outcome.pending.upload
        values: dict[str, Any] = {"updated": now}
        if isinstance(outcome, Unread):
            values |= {"status": "failed", "error": outcome.error}
        else:
            old, new = await chunk_table.replace(connection, collection, document_id, outcome.chunks, outcome.vectors)
            removed.append(old)
            added.append(new)
            changed.append(document_id)
            values |= {"status": "ready", "error": None, "title": outcome.title, "recipe": queued.recipe}
            values |= {"source": upload.source, "media_type": upload.media_type, "metadata": dict(upload.metadata)}
            values |= {"bytes": len(upload.content), "chunks": len(outcome.chunks)}
        await connection.execute(update(documents).where(documents.c.id == document_id).values(**values))
    return Change(version, np.concatenate(removed), tuple(added), await facts(connection, collection, changed))


async def remove(connection: AsyncConnection, collection: CollectionRecord, key: str) -> Change:
    """Removes a document with its chunks and whatever waits for it. Raises NotFound."""
    version = await advance(connection, collection)
    found = await get(connection, collection, key)
    removed = await chunk_table.remove(connection, found.id)
    await connection.execute(delete(documents).where(documents.c.id == found.id))
    return Change(version, removed, dropped=(found.id,))


async def get(connection: AsyncConnection, collection: CollectionRecord, key: str) -> DocumentRecord:
    """One document. Raises NotFound."""
    row = (await connection.execute(select(*_LISTED).where(*_of(collection), documents.c.key == key))).first()
    if row is None:
        raise NotFound(f"the collection {collection.name!r} has no document {key!r}")
    return DocumentRecord(**row._mapping)


async def listed(
    connection: AsyncConnection, collection: CollectionRecord, after: str = "", limit: int = 100
) -> list[DocumentRecord]:
    """Documents by key, those after `after`, at most `limit`."""
    query = select(*_LISTED).where(*_of(collection), documents.c.key > after).order_by(documents.c.key).limit(limit)
    return [DocumentRecord(**row._mapping) for row in await connection.execute(query)]


async def counts(connection: AsyncConnection, collection: CollectionRecord) -> dict[str, int]:
    """How many documents have which status."""
    query = select(documents.c.status, func.count()).where(*_of(collection)).group_by(documents.c.status)
    return dict((await connection.execute(query)).all())


async def facts(
    connection: AsyncConnection, collection: CollectionRecord, only: Sequence[int] | None = None
) -> dict[int, Facts]:
    """What filters look at, of all documents that were read, or only of some, by the document's id."""
    query = select(*_FACTS).where(*_of(collection), documents.c.recipe != "")
    if only is not None:
        query = query.where(documents.c.id.in_(only))
    return {
        row.id: {"id": row.key, "source": row.source, "title": row.title, "media_type": row.media_type, **row.metadata}
        for row in await connection.execute(query)
    }


def _of(collection: CollectionRecord):
    return documents.c.collection_id == collection.id, documents.c.tenant == collection.tenant
