"""Which collections are in memory: those in use and used of late. There may be many more that nobody asks for."""

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from retrieval.collection import Collection
from retrieval.store.collections import CollectionRecord


@dataclass
class _Entry:
    collection: Collection
    used: float
    users: int = 0

    @property
    def free(self) -> bool:
        """Whether it may go."""
        return not self.users and not self.collection.merging


class LoadedCollections:
    """Collections by id, loaded when they are asked for, and dropped when they lie idle or memory runs short.

    Nothing is lost with one that goes: SQL has its documents, and files the large part of its index.
    """

    def __init__(
        self, make: Callable[[CollectionRecord], Collection], memory: int, idle: float, clock: Callable[[], float]
    ) -> None:
        """`memory` in bytes holds for all together, but one that is in use stays, however large; `idle` in seconds."""
        self._make = make
        self._memory = memory
        self._idle = idle
        self._clock = clock
        self._entries: OrderedDict[int, _Entry] = OrderedDict()  # the longest unused first

    @property
    def bytes(self) -> int:
        """Of memory that all indexes take at most."""
        return sum(entry.collection.bytes for entry in self._entries.values())

    def __contains__(self, record: CollectionRecord) -> bool:
        return record.id in self._entries

    @asynccontextmanager
    async def use(self, record: CollectionRecord) -> AsyncIterator[Collection]:
        """The collection, its index at the record's version or a later one; it stays until the block ends."""
        entry = self._entries.get(record.id)
        if entry is None:
            entry = self._entries[record.id] = _Entry(self._make(record), self._clock())
        entry.users += 1
        try:
            await entry.collection.catch_up(record.version)
            yield entry.collection
        finally:
            entry.users -= 1
            entry.used = self._clock()
            if record.id in self._entries:
                self._entries.move_to_end(record.id)
            self._make_room()

    def drop_idle(self) -> None:
        """Drops what nobody has used for long. To be called now and then."""
        latest = self._clock() - self._idle
        for number in [number for number, entry in self._entries.items() if entry.free and entry.used <= latest]:
            del self._entries[number]

    async def forget(self, record: CollectionRecord) -> None:
        """Drops a collection that is no more."""
        entry = self._entries.pop(record.id, None)
        if entry is not None:
            await entry.collection.close()

    async def close(self) -> None:
        """Drops all."""
        while self._entries:
            _, entry = self._entries.popitem()
            await entry.collection.close()

    def _make_room(self) -> None:
        taken = self.bytes
        for number in [number for number, entry in self._entries.items() if entry.free]:
            if taken <= self._memory:
                return
            taken -= self._entries.pop(number).collection.bytes
