"""Documents accepted and not yet read: a queue that outlives the process."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.checks import Metadata
from retrieval.store.collections import CollectionRecord
from retrieval.store.schema import collections, documents, uploads

_AT_ONCE = 500  # keys in one question


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it is handed in. `source` says where it is from, such as its path; empty takes the key."""

    key: str
    content: bytes
    media_type: str = ""
    source: str = ""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What becomes of an upload: it waits to be read, or the very same document is there already."""

    key: str
    status: Literal["pending", "unchanged"]


@dataclass(frozen=True, slots=True)
class PendingUpload:
    """An upload with the row of its document, and how often somebody began to read it."""

    id: int
    document_id: int
    upload: Upload
    attempts: int


def recipe(upload: Upload, settings: str) -> str:
    """Digest of everything that a document's rows are made from; `settings` names encoder and chunking."""
    parts = [upload.media_type, upload.source, json.dumps(upload.metadata, sort_keys=True), settings]
    digest = hashlib.blake2b(json.dumps(parts).encode(), digest_size=32)
    digest.update(upload.content)
    return digest.hexdigest()


async def accept(
    connection: AsyncConnection, collection: CollectionRecord, given: Sequence[Upload], settings: str, now: float
) -> list[Receipt]:
    """Queues what is new or different. The old content of a document stays until the new one is read.

    The transaction has the collection for itself, as `find_or_create` leaves it.
    """
    known = {}
    for start in range(0, len(given), _AT_ONCE):
        keys = [upload.key for upload in given[start : start + _AT_ONCE]]
        query = (
            select(
                documents.c.key, documents.c.id, documents.c.status, documents.c.recipe, uploads.c.recipe.label("next")
            )
            .join_from(documents, uploads, uploads.c.document_id == documents.c.id, isouter=True)
            .where(documents.c.collection_id == collection.id, documents.c.tenant == collection.tenant)
            .where(documents.c.key.in_(keys))
        )
        known |= {row.key: row for row in await connection.execute(query)}
    receipts = []
    for upload in given:
        wanted, row = recipe(upload, settings), known.get(upload.key)
        if row and row.next is None and row.status == "ready" and row.recipe == wanted:
            receipts.append(Receipt(upload.key, "unchanged"))
            continue
        if row is None or row.next != wanted:
            await _queue(connection, collection, upload, wanted, row.id if row else None, now)
        receipts.append(Receipt(upload.key, "pending"))
    return receipts


async def _queue(
    connection: AsyncConnection,
    collection: CollectionRecord,
    upload: Upload,
    wanted: str,
    known: int | None,
    now: float,
) -> None:
    mine = {"tenant": collection.tenant, "collection_id": collection.id}
    described = {"source": upload.source, "media_type": upload.media_type, "metadata": dict(upload.metadata)}
    if known is None:
        blank = {
            "status": "pending",
            "title": "",
            "recipe": "",
            "bytes": len(upload.content),
            "chunks": 0,
            "updated": now,
        }
        added = insert(documents).values(key=upload.key, **mine, **described, **blank).returning(documents.c.id)
        known = (await connection.execute(added)).scalar_one()
    else:
        await connection.execute(delete(uploads).where(uploads.c.document_id == known))
        await connection.execute(update(documents).where(documents.c.id == known).values(status="pending", error=None))
    queued = insert(uploads).values(
        document_id=known, recipe=wanted, content=upload.content, attempts=0, **mine, **described
    )
    await connection.execute(queued)


async def next_collection(connection: AsyncConnection, after: int) -> CollectionRecord | None:
    """The next collection by id, beginning anew after the last, for which an upload waits."""
    for lowest in (after, 0):
        waiting = select(func.min(uploads.c.collection_id)).where(uploads.c.collection_id > lowest)
        row = (
            await connection.execute(select(collections).where(collections.c.id == waiting.scalar_subquery()))
        ).first()
        if row is not None:
            return CollectionRecord(**row._mapping)
    return None


async def take(connection: AsyncConnection, collection: CollectionRecord, count: int, size: int) -> list[PendingUpload]:
    """The uploads of a collection that wait longest: `count` of them and `size` bytes at most, but one at least.

    Each one's attempts are counted, so that a document which ends the process is known by them. Whoever was taken
    together with it is suspected too, and from then on each is taken alone.
    """
    mine = uploads.c.collection_id == collection.id, uploads.c.tenant == collection.tenant
    measured = select(uploads.c.id, uploads.c.attempts, func.length(uploads.c.content).label("size"))
    taken, total = [], 0
    for row in await connection.execute(measured.where(*mine).order_by(uploads.c.id).limit(count)):
        total += row.size
        if taken and (total > size or row.attempts):
            break
        taken.append(row.id)
        if row.attempts:
            break
    await connection.execute(update(uploads).where(uploads.c.id.in_(taken)).values(attempts=uploads.c.attempts + 1))
    columns = ("id", "document_id", "attempts", "content", "media_type", "source", "metadata")
    query = (
        select(documents.c.key, *(uploads.c[name] for name in columns))
        .join_from(uploads, documents, uploads.c.document_id == documents.c.id)
        .where(*mine, uploads.c.id.in_(taken))
        .order_by(uploads.c.id)
    )
    return [
        PendingUpload(
            row.id,
            row.document_id,
            Upload(row.key, row.content, row.media_type, row.source, row.metadata),
            row.attempts,
        )
        for row in await connection.execute(query)
    ]


async def put_back(connection: AsyncConnection, taken: Sequence[PendingUpload]) -> None:
    """Uploads that were taken and, by no fault of theirs, not read: this attempt does not count."""
    back = update(uploads).where(uploads.c.id.in_([pending.id for pending in taken]))
    await connection.execute(back.values(attempts=uploads.c.attempts - 1))


async def count(connection: AsyncConnection) -> int:
    """How many wait."""
    return (await connection.execute(select(func.count()).select_from(uploads))).scalar_one()
