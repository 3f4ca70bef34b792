"""From uploads to chunks: a few documents at a time are read, cut, embedded, and put in place in one transaction.

Until then they wait in SQL, so a process that ends half-way goes on where it was. What cannot be read is marked as
failed with the reason, and the rest goes on.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32

from retrieval.chunking import Chunk, chunks
from retrieval.encoder import Encoder
from retrieval.errors import Conflict, EncoderAway, NotFound, UnreadableDocument
from retrieval.loaded import LoadedCollections
from retrieval.options import RetrievalOptions
from retrieval.parsing.blocks import ParsedDocument
from retrieval.parsing.process import Parse
from retrieval.search import check_encoder
from retrieval.store import documents, uploads
from retrieval.store.collections import CollectionRecord
from retrieval.store.database import Database
from retrieval.store.documents import Read, Unread
from retrieval.store.uploads import PendingUpload, Upload

log = logging.getLogger(__name__)

DOCUMENTS = 16  # in one transaction at most
BYTES = 2**20  # of these documents together, unless it is one: searches wait while their words are indexed
ATTEMPTS = 3  # to read a document before it counts as what makes them fail
PAUSE = 30.0  # seconds at most before what failed is tried again


class Ingest:
    """Works off what waits to be read, collection by collection in turn."""

    def __init__(
        self,
        database: Database,
        loaded: LoadedCollections,
        encoder: Encoder,
        options: RetrievalOptions,
        parse: Parse,
        workers: Executor,
        clock: Callable[[], float],
    ) -> None:
        """`workers` cuts documents into chunks."""
        self._database = database
        self._loaded = loaded
        self._encoder = encoder
        self._options = options
        self._parse = parse
        self._workers = workers
        self._clock = clock
        self._limit = min(options.chunk_tokens, encoder.max_tokens)
        self._overlap = min(options.chunk_overlap, self._limit // 2)
        self._turn = 0  # id of the collection that was last in turn
        self._waiting = asyncio.Event()
        self._waiting.set()  # an earlier process may have left something

    @property
    def settings(self) -> str:
        """What a document's chunks depend on besides the document."""
        return f"{self._encoder.name} {self._limit} {self._overlap}"

    def wake(self) -> None:
        """Says that there is something to read."""
        self._waiting.set()

    async def run(self) -> None:
        """Reads whatever comes, for ever. What fails is tried again after growing pauses."""
        failures = 0
        while True:
            self._waiting.clear()
            try:
                busy = await self.step()
                failures = 0
            except Exception as error:  # an encoder or a database that is down must not end the ingest for good
                unexpected = not isinstance(error, EncoderAway)
                log.warning("documents wait to be read: %s", error, exc_info=unexpected)
                failures += 1
                await asyncio.sleep(min(PAUSE, 2.0**failures))
                continue
            if not busy:
                await self._waiting.wait()

    async def step(self) -> bool:
        """Reads a few documents of the collection whose turn it is. False when none waits."""
        async with self._database.write() as connection:
            record = await uploads.next_collection(connection, self._turn)
            if record is None:
                return False
            self._turn = record.id
            taken = await uploads.take(connection, record, DOCUMENTS, BYTES)
        try:
            outcomes = await self._read(record, taken)
        except BaseException:  # a server that stops does not count as an attempt either
            async with self._database.write() as connection:
                await uploads.put_back(connection, taken)
            raise
        try:
            async with self._loaded.use(record) as collection, collection.writing:
                async with self._database.write() as connection:
                    change = await documents.commit(connection, record, outcomes, self._clock())
                await collection.apply(change)
        except NotFound:
            log.info("a collection was dropped while its documents were read")
        return True

    async def _read(self, record: CollectionRecord, taken: Sequence[PendingUpload]) -> list[Read | Unread]:
        """What becomes of each upload. Raises EncoderFault and EncoderAway."""
        loop = asyncio.get_running_loop()
        outcomes: dict[int, Read | Unread] = {}
        cut: dict[int, tuple[str, list[Chunk]]] = {}
        for pending in taken:
            try:
                check_encoder(record.encoder, self._encoder)
                if pending.attempts > ATTEMPTS:
                    raise UnreadableDocument(f"{ATTEMPTS} attempts to read it failed or ended the process")
                upload = pending.upload
                document = await self._parse(upload.content, upload.source, upload.media_type)
                cut[pending.id] = await loop.run_in_executor(self._workers, self._cut, upload, document)
            except (UnreadableDocument, Conflict) as error:
                outcomes[pending.id] = Unread(pending, str(error))
        vectors, usable = await self._vectors([chunk for _, chunks_ in cut.values() for chunk in chunks_])
        start = 0
        for pending in taken:
            if pending.id in cut:
                title, own = cut[pending.id]
                rows = slice(start, start + len(own))
                outcomes[pending.id] = (
                    Read(pending, title, own, vectors[rows])
                    if usable[rows].all()
                    else Unread(pending, "the encoder found no direction for one of its chunks")
                )
                start += len(own)
        return [outcomes[pending.id] for pending in taken]

    def _cut(self, upload: Upload, document: ParsedDocument) -> tuple[str, list[Chunk]]:
        if not document.title and isinstance(upload.metadata.get("title"), str):
            document = replace(document, title=upload.metadata["title"])
        return document.title, chunks(document, self._encoder.spans, self._limit, self._overlap)

    async def _vectors(
        self, cut: Sequence[Chunk]
    ) -> tuple[Float32[np.ndarray, "chunks dimensions"], Bool[np.ndarray, " chunks"]]:
        vectors = np.empty((len(cut), self._encoder.dimensions), np.float32)
        usable = np.empty(len(cut), np.bool_)
        for start in range(0, len(cut), self._options.embed_batch):
            rows = slice(start, start + self._options.embed_batch)
            vectors[rows], usable[rows] = await self._encoder.vectors([chunk.embedded for chunk in cut[rows]])
        return vectors, usable
