"""Ingest: mixed files in, unchanged ones skipped, unreadable ones told, and nothing lost when something fails."""

import asyncio

import numpy as np
import pytest

from retrieval.errors import Conflict, EncoderFault, InvalidRequest, NotFound
from retrieval.options import RetrievalOptions
from retrieval.store.uploads import Receipt, Upload
from tests.retrieval.ingesting import TENANT, found, hits, ingest, read_all, text
from tests.retrieval.parsing.pdf_file import pdf
from tests.retrieval.word_encoder import embed, word_encoder


async def test_a_folder_of_mixed_files(library):
    await ingest(
        library,
        Upload("guide.md", b"# Guide\n\n## Sails\n\nHoist the mainsail first.", metadata={"year": 2020}),
        Upload("page.html", b"<title>Knots</title><main><h1>Bowline</h1><p>A loop that holds.</p></main>"),
        Upload("log.pdf", pdf([["Quiet seas."], ["A gale came up."]], "Log", [("Day two", 1)]), "application/pdf"),
        Upload("boat.py", b"class Boat:\n    def anchor(self):\n        pass\n"),
        Upload("photo.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
    )
    assert await library.counts(TENANT, "notes") == {"pending": 0, "ready": 4, "failed": 1}
    listed = {document.key: document for document in await library.documents(TENANT, "notes")}
    assert "documents of type image/jpeg cannot be read" in listed["photo.jpg"].error
    assert {key: document.title for key, document in listed.items() if document.status == "ready"} == {
        "guide.md": "Guide",
        "page.html": "Knots",
        "log.pdf": "Log",
        "boat.py": "",
    }
    (passage,) = [hit.passage for hit in await hits(library, "gale", mode="bm25")]
    assert (passage.document, passage.page, passage.headings, passage.position) == ("log.pdf", 2, ("Day two",), 1)
    (passage,) = [hit.passage for hit in await hits(library, "mainsail", mode="bm25")]
    assert passage.text == "Hoist the mainsail first." and passage.headings == ("Guide", "Sails")
    assert passage.metadata == {"year": 2020} and passage.source == "guide.md" and len(passage.digest) == 16
    assert await found(library, "anchor class boat", top_k=1) == ["boat.py"]


async def test_unchanged_documents_are_skipped(open_library):
    embedded = []

    async def noting(texts):
        embedded.extend(texts)
        return await embed(texts)

    library = await open_library(word_encoder(noting))
    await ingest(library, text("a", "apple"), text("b", "banana"))
    receipts = await library.add(TENANT, "notes", [text("a", "apple"), text("b", "berry")])
    assert receipts == [Receipt("a", "unchanged"), Receipt("b", "pending")]
    assert (await library.document(TENANT, "notes", "b")).status == "pending"
    assert await found(library, "banana", mode="bm25") == ["b"]  # the old content serves until the new one is there
    await read_all(library)
    assert await found(library, "banana", mode="bm25") == [] and await found(library, "berry", mode="bm25") == ["b"]
    assert embedded == ["apple", "banana", "berry"]


async def test_other_chunking_reads_everything_anew(open_library):
    library = await open_library()
    await ingest(library, text("a", "apple"))
    library = await open_library(options=RetrievalOptions(chunk_tokens=64))
    assert await library.add(TENANT, "notes", [text("a", "apple")]) == [Receipt("a", "pending")]


async def test_a_document_that_fails_keeps_what_it_was(library):
    await ingest(library, text("a", "apple"))
    await ingest(library, Upload("a", b"\x00\x01"))
    document = await library.document(TENANT, "notes", "a")
    assert document.status == "failed" and "control characters" in document.error
    assert await found(library, "apple", mode="bm25") == ["a"]
    await ingest(library, text("a", "apple"))
    assert (await library.document(TENANT, "notes", "a")).status == "ready"


async def test_chunks_of_several_documents_go_to_the_encoder_together(open_library):
    sizes = []

    async def counting(texts):
        sizes.append(len(texts))
        return await embed(texts)

    library = await open_library(word_encoder(counting), options=RetrievalOptions(embed_batch=8))
    await ingest(library, *(text(f"d{number}", f"word{number}") for number in range(12)))
    assert sizes == [8, 4]


async def test_a_document_without_direction_fails_alone(open_library):
    async def blind(texts):
        vectors = await embed(texts)
        vectors[[row for row, text in enumerate(texts) if "void" in text]] = np.nan
        return vectors

    library = await open_library(word_encoder(blind))
    await ingest(library, text("a", "apple"), text("b", "void"), text("c", "cherry"))
    assert await library.counts(TENANT, "notes") == {"pending": 0, "ready": 2, "failed": 1}
    assert "no direction" in (await library.document(TENANT, "notes", "b")).error


@pytest.mark.parametrize("shape", [(1, 32), (3, 31), (3,)])
async def test_an_encoder_that_answers_nonsense_changes_nothing(open_library, shape):
    broken = True

    async def embedding(texts):
        return np.ones(shape, np.float32) if broken else await embed(texts)

    library = await open_library(word_encoder(embedding))
    await library.add(TENANT, "notes", [text("a", "apple"), text("b", "banana"), text("c", "cherry")])
    for _ in range(5):  # more often than a document may end the process
        with pytest.raises(EncoderFault, match="for 3 texts; expected are floats of shape"):
            await library.ingest.step()
    assert await library.counts(TENANT, "notes") == {"pending": 3, "ready": 0, "failed": 0}
    broken = False
    await read_all(library)
    assert await found(library, "banana", top_k=1) == ["b"]


async def test_an_ingest_that_runs_goes_on_after_the_encoder_comes_back(open_library, monkeypatch):
    failures = 0

    async def flaky(texts):
        nonlocal failures
        failures += 1
        if failures < 3:
            raise ConnectionError("no encoder")
        return await embed(texts)

    slept = []
    ready = asyncio.Event()

    async def pause(seconds):
        slept.append(seconds)

    monkeypatch.setattr("retrieval.ingest.asyncio.sleep", pause)
    library = await open_library(word_encoder(flaky))
    step = library.ingest.step

    async def observed():
        busy = await step()
        if not busy:
            ready.set()
        return busy

    monkeypatch.setattr(library.ingest, "step", observed)
    running = asyncio.create_task(library.ingest.run())
    await ready.wait()
    ready.clear()
    await library.add(TENANT, "notes", [text("a", "apple")])
    await ready.wait()
    running.cancel()
    assert slept == [2.0, 4.0]
    assert await found(library, "apple") == ["a"]


async def test_a_stopped_ingest_begins_the_same_documents_again(open_library):
    begun = asyncio.Event()

    async def endless(texts):
        begun.set()
        await asyncio.Event().wait()

    library = await open_library(word_encoder(endless))
    await library.add(TENANT, "notes", [text("a", "apple")])
    for _ in range(5):
        begun.clear()
        step = asyncio.create_task(library.ingest.step())
        await begun.wait()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
    library = await open_library()
    await read_all(library)
    assert await found(library, "apple") == ["a"]


async def test_a_collection_of_another_encoder_is_left_alone(open_library):
    library = await open_library()
    await ingest(library, text("a", "apple"))
    await library.add(TENANT, "notes", [text("b", "banana")])
    library = await open_library(word_encoder(name="other"))
    with pytest.raises(Conflict, match="made with the encoder words, and other is running"):
        await library.add(TENANT, "notes", [text("c", "cherry")])
    with pytest.raises(Conflict):
        await found(library, "apple")
    assert await found(library, "apple", mode="bm25") == ["a"]
    await read_all(library)
    assert "made with the encoder words" in (await library.document(TENANT, "notes", "b")).error


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([text("a", "x"), text("a", "y")], "the document id 'a' is given twice"),
        ([text("", "x")], "the document's id is empty"),
        ([text("k" * 1025, "x")], "has 1,025 characters; accepted are 1,024 at most"),
        ([text("a\x00", "x")], r"holds U\+0000 at character 1"),
        ([text("a\ud800", "x")], r"holds U\+D800"),
        ([Upload("a", bytes(2000))], "the document 'a' has 2,000 bytes; accepted are 1,000"),
        ([text("a", "x", year={})], "metadata field 'year' is an object; accepted are strings, finite numbers"),
        ([text("a", "x", year=[float("nan")])], "metadata field 'year' is the number nan"),
        ([text("a", "x", **{f"f{number}": 1 for number in range(65)})], "metadata has 65 fields; accepted are 64"),
        ([text("a", "x", tags=["t"] * 257)], "metadata field 'tags' has 257 items; accepted are 256"),
        ([text("a", "x", note="n" * 5000)], "metadata field 'note' has 5,000 characters; accepted are 4,096"),
    ],
)
async def test_what_cannot_be_accepted_is_told_and_nothing_is_taken(open_library, given, message):
    library = await open_library(options=RetrievalOptions(document_bytes=1000))
    with pytest.raises(InvalidRequest, match=message):
        await library.add(TENANT, "notes", [text("good", "x"), *given])
    with pytest.raises(NotFound):
        await library.collection(TENANT, "notes")


@pytest.mark.parametrize("name", ["", "a/b", "../up", "x" * 129, ".hidden", "caf\u00e9", None])
async def test_a_collection_has_a_plain_name(library, name):
    with pytest.raises(InvalidRequest, match="cannot name a collection; accepted are 1 to 128 letters"):
        await library.create(TENANT, name)
