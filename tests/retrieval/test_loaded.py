"""Which collections are in memory: idle ones go, the longest unused go first, those in use stay."""

import pytest

from retrieval.index.policy import IndexPolicy
from retrieval.index.segment import Segment
from retrieval.options import RetrievalOptions
from retrieval.search import Query
from tests.retrieval.ingesting import TENANT, found, ingest, text


class Clock:
    """A time that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """At 0."""
    return Clock()


async def fill(library, *names: str) -> list:
    """Collections of one document each; returns their records."""
    for name in names:
        await ingest(library, text("a", f"word of {name}"), name=name)
    return [await library.collection(TENANT, name) for name in names]


async def test_collections_go_when_they_lie_idle_and_come_back_when_asked_for(open_library, clock):
    library = await open_library(clock=clock, options=RetrievalOptions(index_idle=60))
    first, second = await fill(library, "first", "second")
    clock.now = 59
    await found(library, "word", name="second")
    library.loaded.drop_idle()
    assert first in library.loaded and second in library.loaded
    clock.now = 60
    library.loaded.drop_idle()
    assert first not in library.loaded and second in library.loaded
    assert await found(library, "word", name="first") == ["a"]
    assert first in library.loaded


async def test_the_longest_unused_go_when_memory_runs_short(open_library):
    library = await open_library()
    records = await fill(library, "one", "two", "three")
    each = library.loaded.bytes / 3
    library = await open_library(options=RetrievalOptions(index_memory=int(2.5 * each)))
    for name in ("one", "two", "one", "three"):
        await found(library, "word", name=name)
    assert [record in library.loaded for record in records] == [True, False, True]
    assert library.loaded.bytes <= 2.5 * each


async def test_a_collection_in_use_stays_however_large(open_library, clock):
    library = await open_library(clock=clock, options=RetrievalOptions(index_memory=0, index_idle=1))
    (record,) = await fill(library, "only")
    assert record not in library.loaded
    async with library.loaded.use(record) as collection:
        async with library.loaded.use(record) as same:
            assert same is collection
        clock.now = 100
        library.loaded.drop_idle()
        assert record in library.loaded
    assert record not in library.loaded


async def test_thirty_collections_in_the_room_of_five(open_library):
    library = await open_library()
    names = [f"c{number}" for number in range(30)]
    records = await fill(library, *names)
    library = await open_library(options=RetrievalOptions(index_memory=library.loaded.bytes // 6))
    for name in names:
        assert (await library.search(TENANT, name, Query(name)))[0].passage.text == f"word of {name}"
    assert 1 <= sum(record in library.loaded for record in records) <= 6


async def test_an_index_that_was_saved_is_not_made_again(open_library, monkeypatch):
    policy = IndexPolicy(saved_from=10, hashed_from=20)
    library = await open_library(policy=policy)
    await ingest(library, *(text(f"d{number}", f"word{number}") for number in range(90)))
    record = await library.collection(TENANT, "notes")
    async with library.loaded.use(record) as collection:
        await collection.settled()
        saved = [segment for segment, _ in collection.snapshot.parts if segment.folder]
        assert sum(len(segment) for segment in saved) >= 48 and any(segment.searcher for segment in saved)

    made = []
    original = Segment.of
    monkeypatch.setattr(Segment, "of", lambda rows: made.append(len(rows.live.ids)) or original(rows))
    library = await open_library(policy=policy)
    assert (await found(library, "word77"))[0] == "d77"
    assert sum(made) == 90 - sum(len(segment) for segment in saved)
