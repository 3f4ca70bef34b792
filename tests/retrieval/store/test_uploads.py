"""The queue of documents: nothing is lost, nothing is read twice, what crashes the reader is found out."""

import pytest

from retrieval.store import collections, documents, uploads
from retrieval.store.database import Database
from retrieval.store.documents import Unread
from retrieval.store.uploads import Receipt, Upload


@pytest.fixture
async def record(database: Database):
    """A collection."""
    async with database.write() as connection:
        return await collections.find_or_create(connection, "ann", "notes", "words", 8, 1.0)


async def accept(database, record, *given, settings="s"):
    """Queues uploads."""
    async with database.write() as connection:
        return await uploads.accept(connection, record, given, settings, 2.0)


async def take(database, record, count=10, size=1000):
    """What is taken: (key, content, attempts)."""
    async with database.write() as connection:
        taken = await uploads.take(connection, record, count, size)
    return [(pending.upload.key, pending.upload.content, pending.attempts) for pending in taken]


async def fail(database, record, count=10):
    """Takes uploads and says of each that it cannot be read."""
    async with database.write() as connection:
        taken = await uploads.take(connection, record, count, 1000)
        return await documents.commit(connection, record, [Unread(pending, "no") for pending in taken], 3.0)


async def test_uploads_come_out_oldest_first_within_the_limits(database, record):
    given = [Upload(f"d{number}", bytes(number)) for number in (4, 3, 2, 1)]
    assert await accept(database, record, *given) == [Receipt(upload.key, "pending") for upload in given]
    assert [key for key, _, _ in await take(database, record, count=3, size=8)] == ["d4", "d3"]


async def test_one_large_upload_comes_alone(database, record):
    await accept(database, record, Upload("large", bytes(99)), Upload("small", b"x"))
    assert [key for key, _, _ in await take(database, record, size=8)] == ["large"]


async def test_a_newer_upload_takes_the_place_of_one_that_waits(database, record):
    await accept(database, record, Upload("a", b"old"), Upload("b", b"b"))
    await accept(database, record, Upload("a", b"new"))
    assert [(key, content) for key, content, _ in await take(database, record)] == [("b", b"b"), ("a", b"new")]


async def test_what_was_replaced_while_it_was_read_is_passed_over(database, record):
    await accept(database, record, Upload("a", b"old"))
    async with database.write() as connection:
        taken = await uploads.take(connection, record, 9, 99)
    await accept(database, record, Upload("a", b"new"))
    async with database.write() as connection:
        await documents.commit(connection, record, [Unread(taken[0], "no")], 3.0)
        assert (await documents.get(connection, record, "a")).status == "pending"
    assert [content for _, content, _ in await take(database, record)] == [b"new"]


async def test_attempts_tell_who_ends_the_process(database, record):
    await accept(database, record, Upload("a", b"1"), Upload("b", b"2"), Upload("c", b"3"))
    assert await take(database, record) == [("a", b"1", 1), ("b", b"2", 1), ("c", b"3", 1)]
    # Nothing came of it, so each is suspected, and tried alone.
    assert await take(database, record) == [("a", b"1", 2)]
    assert await take(database, record) == [("a", b"1", 3)]
    await fail(database, record)
    assert await take(database, record) == [("b", b"2", 2)]


async def test_what_is_put_back_counts_no_attempt(database, record):
    await accept(database, record, Upload("a", b"1"), Upload("b", b"2"))
    async with database.write() as connection:
        await uploads.put_back(connection, await uploads.take(connection, record, 9, 99))
    assert await take(database, record) == [("a", b"1", 1), ("b", b"2", 1)]


@pytest.mark.parametrize(
    ("again", "settings"),
    [
        (Upload("a", b"2"), "s"),
        (Upload("a", b"1", metadata={"year": 2}), "s"),
        (Upload("a", b"1", media_type="text/html"), "s"),
        (Upload("a", b"1", source="elsewhere"), "s"),
        (Upload("a", b"1"), "another encoder"),
    ],
)
async def test_recipes_differ_by_all_that_chunks_are_made_from(again, settings):
    assert uploads.recipe(again, settings) != uploads.recipe(Upload("a", b"1"), "s")


async def test_collections_take_turns(database):
    async with database.write() as connection:
        records = [
            await collections.find_or_create(connection, tenant, name, "words", 8, 1.0)
            for tenant, name in (("ann", "x"), ("bob", "x"), ("ann", "y"))
        ]
        for record in records:
            await uploads.accept(connection, record, [Upload("a", b"1"), Upload("b", b"2")], "s", 2.0)
        turns, turn = [], 0
        for _ in range(6):
            record = await uploads.next_collection(connection, turn)
            turn = record.id
            turns.append((record.tenant, record.name))
            taken = await uploads.take(connection, record, 1, 99)
            await documents.commit(connection, record, [Unread(taken[0], "no")], 3.0)
        assert turns == [("ann", "x"), ("bob", "x"), ("ann", "y")] * 2
        assert await uploads.next_collection(connection, turn) is None
