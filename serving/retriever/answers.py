"""Every call of a retriever, answered by a library: values of request.py for those of `retrieval`."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from retrieval import search
from retrieval.library import Library
from retrieval.store.collections import CollectionRecord
from retrieval.store.documents import DocumentRecord
from retrieval.store.uploads import Upload
from serving.retriever.request import (
    Adding,
    Collection,
    Collections,
    Document,
    Documents,
    Hit,
    Hits,
    InCollection,
    Listing,
    OneDocument,
    Receipt,
    Receipts,
    RetrieverDescription,
    RetrieverStats,
    Searching,
)

Answer = Callable[[Any], Awaitable[Any]]


class Answers:
    """Answers calls. Raises `retrieval.errors` and what the encoder raises."""

    def __init__(self, library: Library, description: RetrieverDescription) -> None:
        self._library = library
        self._description = description
        self._documents = self._searches = 0
        self._search_seconds = 0.0
        self.by_call: Mapping[str, Answer] = {
            "Describe": self._describe,
            "Create": self._create,
            "List": self._list,
            "Get": self._get,
            "Drop": self._drop,
            "Add": self._add,
            "ListDocuments": self._list_documents,
            "GetDocument": self._get_document,
            "DeleteDocument": self._delete_document,
            "Search": self._search,
        }

    async def stats(self) -> RetrieverStats:
        """Gauges and counters as they are now."""
        index_bytes = self._library.loaded.bytes
        return RetrieverStats(
            await self._library.waiting(), index_bytes, self._documents, self._searches, self._search_seconds
        )

    async def _describe(self, _: None) -> RetrieverDescription:
        return self._description

    async def _create(self, call: InCollection) -> Collection:
        return await self._counted(await self._library.create(call.tenant, call.collection))

    async def _list(self, call: InCollection) -> Collections:
        records = await self._library.collections(call.tenant)
        return Collections(tuple([await self._counted(record) for record in records]))

    async def _get(self, call: InCollection) -> Collection:
        return await self._counted(await self._library.collection(call.tenant, call.collection))

    async def _drop(self, call: InCollection) -> None:
        await self._library.drop(call.tenant, call.collection)

    async def _add(self, call: Adding) -> Receipts:
        given = [
            Upload(upload.id, upload.content, upload.media_type, upload.source, upload.metadata)
            for upload in call.uploads
        ]
        receipts = await self._library.add(call.tenant, call.collection, given)
        self._documents += len(given)
        return Receipts(tuple(Receipt(receipt.key, receipt.status) for receipt in receipts))

    async def _list_documents(self, call: Listing) -> Documents:
        records = await self._library.documents(call.tenant, call.collection, call.after, call.limit)
        return Documents(tuple(map(_document, records)))

    async def _get_document(self, call: OneDocument) -> Document:
        return _document(await self._library.document(call.tenant, call.collection, call.id))

    async def _delete_document(self, call: OneDocument) -> None:
        await self._library.delete(call.tenant, call.collection, call.id)

    async def _search(self, call: Searching) -> Hits:
        asked = call.query
        query = search.Query(asked.text, asked.top_k, asked.mode, asked.filter)
        now = asyncio.get_running_loop().time
        began = now()
        hits = await self._library.search(call.tenant, call.collection, query)
        self._searches += 1
        self._search_seconds += now() - began
        return Hits(tuple(map(_hit, hits)))

    async def _counted(self, record: CollectionRecord) -> Collection:
        counts = await self._library.counts(record.tenant, record.name)
        return Collection(record.name, record.encoder, record.dimensions, record.created, **counts)


def _document(record: DocumentRecord) -> Document:
    return Document(
        id=record.key,
        status=record.status,
        error=record.error,
        source=record.source,
        media_type=record.media_type,
        title=record.title,
        metadata=record.metadata,
        bytes=record.bytes,
        chunks=record.chunks,
        updated=record.updated,
    )


def _hit(hit: search.Hit) -> Hit:
    passage = hit.passage
    return Hit(
        document=passage.document,
        chunk=passage.chunk_id,
        text=passage.text,
        score=hit.score,
        source=passage.source,
        title=passage.title,
        headings=passage.headings,
        page=passage.page,
        position=passage.position,
        metadata=passage.metadata,
    )
