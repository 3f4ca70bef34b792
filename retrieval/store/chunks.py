"""The chunks of a collection: as rows of arrays for indexes, as passages for people."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64
from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval.checks import Scalar
from retrieval.chunking import Chunk, embedded
from retrieval.rows import ChunkRows, Live
from retrieval.store.collections import CollectionRecord
from retrieval.store.schema import chunks, documents

_AT_ONCE = 1000  # ids in one question
_STREAMED = 20_000  # rows that are in memory as Python objects at once
_VECTOR = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk as it is shown, with its document's names and metadata."""

    chunk_id: int
    document: str
    text: str
    title: str
    source: str
    headings: tuple[str, ...]
    page: int | None
    position: int
    tokens: int
    digest: str
    metadata: dict[str, Scalar | list[Scalar]]


def digest(encoder: str, text: str) -> int:
    """64 bits that tell one embedded text from another, and one encoder from another."""
    hashed = hashlib.blake2b(f"{encoder}\0{text}".encode(), digest_size=8).digest()
    return int.from_bytes(hashed, "big", signed=True)


async def replace(
    connection: AsyncConnection,
    collection: CollectionRecord,
    document_id: int,
    cut: Sequence[Chunk],
    vectors: Float32[np.ndarray, "chunks dimensions"],
) -> tuple[Int64[np.ndarray, " removed"], ChunkRows]:
    """Gives a document new chunks. Returns the ids of the old ones, and the new ones as rows."""
    removed = await remove(connection, document_id)
    texts = [chunk.embedded for chunk in cut]
    digests = [digest(collection.encoder, text) for text in texts]
    values = [
        {
            "tenant": collection.tenant,
            "collection_id": collection.id,
            "document_id": document_id,
            "position": chunk.position,
            "text": chunk.text,
            "title": chunk.title,
            "headings": list(chunk.headings),
            "page": chunk.page,
            "tokens": chunk.tokens,
            "digest": hashed,
            "vector": vector.astype(_VECTOR).tobytes(),
        }
        for chunk, hashed, vector in zip(cut, digests, vectors, strict=True)
    ]
    ids: list[int] = []
    if values:
        added = insert(chunks).returning(chunks.c.id, sort_by_parameter_order=True)
        ids = list((await connection.execute(added, values)).scalars())
    of = np.full(len(ids), document_id, np.int64)
    live = Live(np.array(ids, np.int64), of, np.array(digests, np.int64))
    return removed, ChunkRows(live, vectors, texts)


async def remove(connection: AsyncConnection, document_id: int) -> Int64[np.ndarray, " removed"]:
    """Removes a document's chunks; returns their ids."""
    gone = delete(chunks).where(chunks.c.document_id == document_id).returning(chunks.c.id)
    return np.array(sorted((await connection.execute(gone)).scalars()), np.int64)


async def live(connection: AsyncConnection, collection: CollectionRecord) -> Live:
    """Which chunks there are."""
    query = select(chunks.c.id, chunks.c.document_id, chunks.c.digest).where(*_of(collection)).order_by(chunks.c.id)
    parts = [np.empty((0, 3), np.int64)]
    async with connection.stream(query) as rows:
        async for part in rows.partitions(_STREAMED):
            parts.append(np.array([tuple(row) for row in part], np.int64))
    return Live(*np.ascontiguousarray(np.concatenate(parts).T))


async def rows(
    connection: AsyncConnection, collection: CollectionRecord, wanted: Int64[np.ndarray, " chunks"]
) -> ChunkRows:
    """Those of the wanted chunks that are there."""
    columns = ("id", "document_id", "digest", "vector", "title", "headings", "text")
    query = select(*(chunks.c[name] for name in columns)).where(*_of(collection))
    found = await _by_ids(connection, query, wanted)
    numbers = np.array([(row.id, row.document_id, row.digest) for row in found], np.int64).reshape(-1, 3)
    vectors = np.frombuffer(b"".join(row.vector for row in found), _VECTOR).reshape(-1, collection.dimensions)
    texts = [embedded(row.title, row.headings, row.text) for row in found]
    return ChunkRows(Live(*np.ascontiguousarray(numbers.T)), vectors.astype(np.float32), texts)


async def passages(
    connection: AsyncConnection, collection: CollectionRecord, wanted: Iterable[int]
) -> dict[int, Passage]:
    """Those of the wanted chunks that are there, by id."""
    described = [documents.c.key, documents.c.source, documents.c.metadata, documents.c.title.label("document_title")]
    own = ("id", "text", "title", "headings", "page", "position", "tokens", "digest")
    query = (
        select(*(chunks.c[name] for name in own), *described)
        .join_from(chunks, documents, chunks.c.document_id == documents.c.id)
        .where(*_of(collection), documents.c.tenant == collection.tenant)
    )
    return {
        row.id: Passage(
            chunk_id=row.id,
            document=row.key,
            text=row.text,
            title=row.document_title,
            source=row.source,
            headings=tuple(row.headings),
            page=row.page,
            position=row.position,
            tokens=row.tokens,
            digest=f"{row.digest & (1 << 64) - 1:016x}",
            metadata=row.metadata,
        )
        for row in await _by_ids(connection, query, wanted)
    }


async def _by_ids(connection: AsyncConnection, query, wanted: Iterable[int]) -> list:
    ids = sorted({int(chunk_id) for chunk_id in wanted})
    found = []
    for start in range(0, len(ids), _AT_ONCE):
        some = query.where(chunks.c.id.in_(ids[start : start + _AT_ONCE])).order_by(chunks.c.id)
        found += (await connection.execute(some)).all()
    return found


def _of(collection: CollectionRecord):
    return chunks.c.collection_id == collection.id, chunks.c.tenant == collection.tenant
