"""Searches, ingests, deletions and merges at the same time, in threads as the product has them."""

import asyncio
from contextlib import suppress

import pytest

from retrieval.collection import Collection
from retrieval.errors import NotFound
from retrieval.index.policy import IndexPolicy
from retrieval.library import Library
from retrieval.search import Query
from tests.retrieval.faults import HeldExecutor
from tests.retrieval.ingesting import TENANT, found, ingest, parse_here, read_all, text
from tests.retrieval.word_encoder import embed, word_encoder

POLICY = IndexPolicy(saved_from=8, hashed_from=24, partitioned_from=48)


async def test_every_hit_is_right_while_everything_changes(open_library):
    library = await open_library(policy=POLICY)
    await library.create(TENANT, "notes")
    over = asyncio.Event()

    async def write(first: int) -> None:
        for number in range(first, first + 16):
            await library.add(TENANT, "notes", [text(f"d{number}", f"word{number} of d{number} shared")])
            await library.ingest.step()
            if number % 3 == 0:
                await library.delete(TENANT, "notes", f"d{number}")

    async def search() -> int:
        asked = 0
        while not over.is_set():
            for hit in await library.search(TENANT, "notes", Query("shared word", top_k=50)):
                assert hit.passage.text == f"word{hit.passage.document[1:]} of {hit.passage.document} shared"
            asked += 1
        return asked

    searching = [asyncio.create_task(search()) for _ in range(2)]
    await asyncio.gather(write(100), write(200), write(300))
    await read_all(library)
    over.set()
    assert min(await asyncio.gather(*searching)) > 0
    left = {f"d{number}" for first in (100, 200, 300) for number in range(first, first + 16) if number % 3}
    async with library.loaded.use(await library.collection(TENANT, "notes")) as collection:
        await collection.settled()
        assert sum(alive for _, alive in collection.snapshot.sizes) == len(left)
    assert set(await found(library, "shared", top_k=100)) == left


async def test_what_goes_while_it_is_read_stays_gone(open_library):
    reading, going = asyncio.Event(), asyncio.Event()

    async def slow(texts):
        reading.set()
        await going.wait()
        return await embed(texts)

    async def read_while(change) -> None:
        reading.clear()
        going.clear()
        step = asyncio.create_task(library.ingest.step())
        await reading.wait()
        await change
        going.set()
        assert await step is True

    library = await open_library(word_encoder(slow))
    await library.add(TENANT, "notes", [text("a", "apple"), text("b", "banana")])
    await read_while(library.delete(TENANT, "notes", "a"))
    assert await found(library, "apple banana", mode="bm25") == ["b"]
    await library.add(TENANT, "notes", [text("c", "cherry")])
    await read_while(library.drop(TENANT, "notes"))
    with pytest.raises(NotFound, match="no collection 'notes'"):
        await found(library, "cherry", mode="bm25")


async def test_a_filter_never_lets_a_document_through_that_changed_meanwhile(database, tmp_path):
    held = HeldExecutor()
    library = Library(database, tmp_path / "indexes", word_encoder(), parse=parse_here, workers=held, builders=held)

    async def done(task: asyncio.Task) -> None:
        while not task.done():
            held.release()
            await asyncio.wait([task], timeout=0.01)
        await task

    await done(asyncio.create_task(ingest(library, text("a", "apple", public=True), text("b", "apple", public=True))))
    public = {"type": "eq", "key": "public", "value": True}
    searching = asyncio.create_task(found(library, "apple", filter=public))
    while not held.waiting:  # for what runs in workers: the filter itself
        await asyncio.wait([searching], timeout=0.01)
    begun, held.waiting = held.waiting, []
    await done(asyncio.create_task(ingest(library, text("a", "apple", public=False))))
    held.waiting = begun
    await done(searching)
    assert searching.result() == ["b"]
    await library.close()


async def test_many_add_to_a_new_collection_while_it_is_dropped(library):
    def adding(number: int):
        return library.add(TENANT, "notes", [text("same", f"word{number}"), text(f"d{number}", f"word d{number}")])

    async def drop() -> None:
        with suppress(NotFound):
            await library.drop(TENANT, "notes")

    for receipts in await asyncio.gather(*(adding(number) for number in range(6))):
        assert [receipt.status for receipt in receipts] == ["pending", "pending"]
    assert await library.counts(TENANT, "notes") == {"pending": 7, "ready": 0, "failed": 0}
    await asyncio.gather(*(action for number in range(6) for action in (adding(number), drop())))
    await adding(9)
    await read_all(library)
    assert "d9" in await found(library, "word", top_k=100, mode="bm25")


async def test_many_ask_for_a_collection_at_once_and_it_is_loaded_once(open_library, monkeypatch):
    library = await open_library()
    await library.add(TENANT, "notes", [text("a", "apple")])
    await read_all(library)
    library = await open_library()
    loads = 0
    load = Collection._load

    async def counted(collection):
        nonlocal loads
        loads += 1
        await load(collection)

    monkeypatch.setattr(Collection, "_load", counted)
    assert await asyncio.gather(*(found(library, "apple") for _ in range(8))) == [["a"]] * 8
    assert loads == 1
