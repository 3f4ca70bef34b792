"""The face of this room: every tenant's collections and documents, what is taken in, and what is found."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from retrieval import search
from retrieval.checks import check_key, check_metadata, check_name, check_text
from retrieval.collection import Collection
from retrieval.encoder import Encoder
from retrieval.errors import InvalidRequest
from retrieval.index import files
from retrieval.index.policy import IndexPolicy
from retrieval.ingest import Ingest
from retrieval.loaded import LoadedCollections
from retrieval.options import RetrievalOptions
from retrieval.parsing.process import Parse
from retrieval.recent import Recent
from retrieval.rerank import Rerank
from retrieval.search import Hit, Query, Search, check_encoder
from retrieval.store import collections, documents, uploads
from retrieval.store.collections import CollectionRecord
from retrieval.store.database import Database
from retrieval.store.documents import DocumentRecord
from retrieval.store.uploads import Receipt, Upload

LISTED = 1000  # documents in one answer
SEARCHES = 1024  # whose hits are kept


class Library:
    """Collections of documents, each of one tenant. A tenant sees nothing of another's, not even that it is there."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        encoder: Encoder,
        *,
        parse: Parse,
        workers: Executor,
        builders: Executor,
        options: RetrievalOptions | None = None,
        policy: IndexPolicy | None = None,
        rerank: Rerank | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`folder` is for indexes and has one library at a time. `parse` reads documents, `workers` runs
        searches, `builders` what may take minutes."""
        options = options or RetrievalOptions()
        policy = policy or IndexPolicy(recall=options.recall)
        self._database = database
        self._folder = folder
        self._encoder = encoder
        self._options = options
        self._workers = workers
        self._clock = clock
        self.loaded = LoadedCollections(
            lambda record: Collection(record, database, folder / record.uid, policy, workers, builders),
            options.index_memory,
            options.index_idle,
            clock,
        )
        self.ingest = Ingest(database, self.loaded, encoder, options, parse, workers, clock)
        self._search = Search(database, encoder, workers, options.candidates, rerank)
        self._searches: Recent[list[Hit]] = Recent(SEARCHES)

    async def close(self) -> None:
        """Drops what is loaded; whoever runs the ingest has stopped it."""
        await self.loaded.close()

    async def create(self, tenant: str, name: str) -> CollectionRecord:
        """The tenant's collection of that name, made when there is none. Raises InvalidRequest, Conflict."""
        async with self._database.write() as connection:
            return await self._created(connection, tenant, name)

    async def collections(self, tenant: str) -> list[CollectionRecord]:
        """The tenant's collections by name."""
        async with self._database.read() as connection:
            return await collections.listed(connection, tenant)

    async def collection(self, tenant: str, name: str) -> CollectionRecord:
        """One of them. Raises NotFound."""
        async with self._database.read() as connection:
            return await collections.find(connection, tenant, check_name(name))

    async def drop(self, tenant: str, name: str) -> None:
        """Removes a collection with all its documents. Raises NotFound."""
        record = await self.collection(tenant, name)
        async with self._database.write() as connection:
            await collections.drop(connection, record)
        await self.loaded.forget(record)
        await self._remove(self._folder / record.uid)

    async def add(self, tenant: str, name: str, given: Sequence[Upload]) -> list[Receipt]:
        """Takes documents in, to be read soon; the collection is made when there is none.

        What is there unchanged is skipped. When this returns, the documents outlive a crash. Raises InvalidRequest, and
        takes none, when one of them cannot be accepted.
        """
        checked = [self._checked(upload) for upload in given]
        times = Counter(upload.key for upload in checked)
        if twice := [key for key, count in times.items() if count > 1]:
            raise InvalidRequest(f"the document id {twice[0]!r} is given twice; accepted is each id once")
        async with self._database.write() as connection:
            record = await self._created(connection, tenant, name)
            receipts = await uploads.accept(connection, record, checked, self.ingest.settings, self._clock())
        self.ingest.wake()
        return receipts

    async def documents(self, tenant: str, name: str, after: str = "", limit: int = 100) -> list[DocumentRecord]:
        """Documents by id, those after `after`. Raises NotFound, InvalidRequest."""
        if not 1 <= limit <= LISTED:
            raise InvalidRequest(f"limit is {limit}; accepted are 1 to {LISTED}")
        record = await self.collection(tenant, name)
        async with self._database.read() as connection:
            return await documents.listed(connection, record, check_text(after, "after"), limit)

    async def document(self, tenant: str, name: str, key: str) -> DocumentRecord:
        """One document. Raises NotFound."""
        record = await self.collection(tenant, name)
        async with self._database.read() as connection:
            return await documents.get(connection, record, check_key(key))

    async def counts(self, tenant: str, name: str) -> dict[str, int]:
        """How many documents are pending, ready and failed. Raises NotFound."""
        record = await self.collection(tenant, name)
        async with self._database.read() as connection:
            return {"pending": 0, "ready": 0, "failed": 0} | await documents.counts(connection, record)

    async def waiting(self) -> int:
        """How many documents of all tenants are accepted and not yet read."""
        async with self._database.read() as connection:
            return await uploads.count(connection)

    async def delete(self, tenant: str, name: str, key: str) -> None:
        """Removes a document; no search finds it when this returns. Raises NotFound."""
        record = await self.collection(tenant, name)
        async with self.loaded.use(record) as collection, collection.writing:
            async with self._database.write() as connection:
                change = await documents.remove(connection, record, check_key(key))
            await collection.apply(change)

    async def search(self, tenant: str, name: str, query: Query) -> list[Hit]:
        """The passages that answer a query best. Raises NotFound, InvalidRequest, Conflict, EncoderFault."""
        search.check(query)
        record = await self.collection(tenant, name)
        asked = query.text, query.top_k, query.mode, json.dumps(query.filter, sort_keys=True, default=repr)
        async with self.loaded.use(record) as collection:
            key = record.uid, record.version, *asked
            return list(await self._searches.get(key, lambda: self._search.hits(collection, query)))

    async def clean(self) -> None:
        """Removes what collections that are no more have left in the folder. To be called once, at the start."""
        if self._folder.is_dir():
            async with self._database.read() as connection:
                known = await collections.uids(connection)
            for path in list(self._folder.iterdir()):
                if path.name not in known:
                    await self._remove(path)

    async def _created(self, connection: AsyncConnection, tenant: str, name: str) -> CollectionRecord:
        encoder = self._encoder
        record = await collections.find_or_create(
            connection, tenant, check_name(name), encoder.name, encoder.dimensions, self._clock()
        )
        check_encoder(record.encoder, encoder)
        return record

    async def _remove(self, folder: Path) -> None:
        await asyncio.get_running_loop().run_in_executor(self._workers, files.remove, folder)

    def _checked(self, upload: Upload) -> Upload:
        key = check_key(upload.key)
        if len(upload.content) > self._options.document_bytes:
            raise InvalidRequest(
                f"the document {key!r} has {len(upload.content):,} bytes; accepted are {self._options.document_bytes:,}"
            )
        return replace(
            upload,
            source=check_text(upload.source or key, "source"),
            media_type=check_text(upload.media_type, "the media type", 256),
            metadata=check_metadata(upload.metadata),
        )
