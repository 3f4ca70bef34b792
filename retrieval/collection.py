"""A collection that is loaded: its documents' SQL is the truth, its index follows, change by change."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

import numpy as np

from retrieval.filters import Predicate
from retrieval.index import files
from retrieval.index.merging import merge
from retrieval.index.policy import IndexPolicy
from retrieval.index.recovery import open_saved
from retrieval.index.segment import Segment
from retrieval.index.snapshot import Snapshot
from retrieval.rows import joined
from retrieval.store import chunks, collections, documents
from retrieval.store.collections import CollectionRecord
from retrieval.store.database import Database
from retrieval.store.documents import Change, Facts

T = TypeVar("T")

log = logging.getLogger(__name__)

_PAGE = 4096  # chunks read from SQL at once


class Collection:
    """One tenant's documents with their index.

    The caller holds `writing` while it changes the documents and applies the change. Searches take `snapshot` as it is.
    """

    def __init__(
        self,
        record: CollectionRecord,
        database: Database,
        folder: Path,
        policy: IndexPolicy,
        workers: Executor,
        builders: Executor,
    ) -> None:
        """Nothing is loaded yet. `folder` is this collection's alone; `builders` runs merges, which may take minutes,
        and `workers` the rest."""
        self.record = record
        self.writing = asyncio.Lock()
        self.snapshot = Snapshot()
        self._version = -1  # of the snapshot; none is loaded yet
        self._facts: dict[int, Facts] | None = None
        self._database = database
        self._folder = folder
        self._policy = policy
        self._workers = workers
        self._builders = builders
        self._merging: asyncio.Task | None = None

    @property
    def bytes(self) -> int:
        """Of memory that the index takes at most."""
        return self.snapshot.bytes

    @property
    def merging(self) -> bool:
        """Whether segments are being merged."""
        return self._merging is not None and not self._merging.done()

    async def catch_up(self, version: int) -> None:
        """Brings the index to `version` of the documents, or a later one."""
        if self._version >= version:
            return
        async with self.writing:
            if self._version < version:
                await self._load()

    async def apply(self, change: Change) -> None:
        """Follows a change that was committed. `writing` is held since before the commit."""
        if self._version != change.version - 1:
            await self._load()
            return
        self._version = -1  # until all is done: whatever interrupts this, the next one loads
        rows = joined(change.added)
        segment = None if rows is None else await self._work(Segment.of, rows)
        snapshot = self.snapshot.without(change.removed)  # as it is now: a merge may have ended meanwhile
        self.snapshot = snapshot.with_segment(segment) if segment else snapshot
        if self._facts is not None:
            facts = self._facts | change.documents  # a new one, since searches may be reading the old
            self._facts = {number: fields for number, fields in facts.items() if number not in change.dropped}
        self._version = change.version
        self._start_merging()

    async def matching(self, wanted: Predicate) -> Snapshot:
        """The snapshot with the chunks of those documents only that a filter lets through.

        Documents and chunks are of one moment, and SQL no longer confirms the chunks of a document that changed since.
        """
        while self._facts is None:
            version = self._version
            async with self._database.read() as connection:
                facts = await documents.facts(connection, self.record)
            if version == self._version:  # else a change passed these facts by
                self._facts = facts
        facts, snapshot = self._facts, self.snapshot

        def chosen() -> Snapshot:
            return snapshot.within(np.array([number for number, fields in facts.items() if wanted(fields)], np.int64))

        return await self._work(chosen)

    async def settled(self) -> None:
        """Waits until no segments are to be merged."""
        while self.merging:
            await asyncio.wait([self._merging])

    async def close(self) -> None:
        """Stops merging. What is not saved comes from SQL when the collection is loaded again."""
        if self._merging is not None:
            self._merging.cancel()
            await asyncio.wait([self._merging])

    async def _load(self) -> None:
        """Makes the index anew: saved segments as far as SQL bears them out, the rest from SQL's vectors."""
        self._version, self._facts = -1, None
        await self.settled()  # one writer of the folder at a time
        async with self._database.read() as connection:
            version = await collections.version(connection, self.record)
            live = await chunks.live(connection, self.record)
            parts, missing = await self._work(open_saved, self._folder, self.record.dimensions, live)
            snapshot = Snapshot(tuple(parts))
            for start in range(0, len(missing), _PAGE):
                rows = await chunks.rows(connection, self.record, missing[start : start + _PAGE])
                snapshot = snapshot.with_segment(await self._work(Segment.of, rows))
        self.snapshot, self._version = snapshot, version
        self._start_merging()

    def _start_merging(self) -> None:
        if not self.merging and self._policy.to_merge(self.snapshot.sizes):
            self._merging = asyncio.create_task(self._merge(), name=f"merge {self.record.uid}")

    async def _merge(self) -> None:
        """Merges segments while those there are go on serving, until all have the sizes that they ought to have."""
        while chosen := self._policy.to_merge(self.snapshot.sizes):
            sources = [self.snapshot.parts[index] for index in chosen]
            loop = asyncio.get_running_loop()
            try:
                merged = await loop.run_in_executor(self._builders, merge, sources, self._policy, self._folder)
            except Exception:  # a full disk, or whatever ScaNN says: the old segments hold all that there is
                log.exception("collection %s: its segments stay apart until its next change", self.record.uid)
                return
            self.snapshot = self.snapshot.merged([segment for segment, _ in sources], merged)
            for segment, _ in sources:
                if segment.folder is not None:
                    await self._work(files.remove, segment.folder)

    async def _work(self, function: Callable[..., T], *arguments) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)
