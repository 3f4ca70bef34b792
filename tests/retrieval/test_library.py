"""The library: searches, filters, tenants, deletion."""

import dataclasses
from unittest import mock

import pytest

from retrieval.errors import InvalidRequest, NotFound
from retrieval.search import Query
from retrieval.store.uploads import Upload
from tests.retrieval.ingesting import TENANT, found, hits, ingest, text
from tests.retrieval.word_encoder import word_encoder


@pytest.mark.parametrize("mode", ["dense", "bm25", "hybrid"])
async def test_each_mode_finds_what_it_ought_to(library, mode):
    await ingest(
        library, text("a", "apple pie with cream"), text("b", "boats and sails"), text("c", "clouds over hills")
    )
    found_hits = await hits(library, "sails of boats", mode=mode)
    assert found_hits[0].passage.document == "b"
    scores = [hit.score for hit in found_hits]
    assert scores == sorted(scores, reverse=True)
    assert len(found_hits) == (1 if mode == "bm25" else 3)


async def test_a_hybrid_search_finds_what_only_one_of_both_does(library):
    await ingest(library, text("words", "zyzzyva"), *(text(f"d{number}", f"filler{number}") for number in range(5)))
    assert (await found(library, "zyzzyva"))[0] == "words"


async def test_top_k_counts_passages_that_differ(library):
    same = "The harbour was built in 1850 and rebuilt after the great storm."
    await ingest(library, text("a", same), text("b", same + "!"), text("c", "The harbour lies east."))
    assert sorted(await found(library, "harbour", top_k=3, mode="bm25")) in (["a", "c"], ["b", "c"])
    assert len(await found(library, "harbour", top_k=1)) == 1


async def test_filters_choose_documents(library):
    await ingest(
        library,
        *(
            text(f"d{year}", f"report of {year}", year=year, tags=["old"] if year < 2003 else [])
            for year in range(2000, 2006)
        ),
    )

    async def matching(**condition):
        return sorted(await found(library, "report", filter=condition))

    assert await matching(type="gte", key="year", value=2004) == ["d2004", "d2005"]
    assert await matching(type="eq", key="tags", value="old") == ["d2000", "d2001", "d2002"]
    assert await matching(type="eq", key="id", value="d2001") == ["d2001"]
    assert await matching(type="eq", key="year", value="2001") == []
    # A change of metadata alone counts, for the documents changed only.
    await ingest(library, text("d2000", "report of 2000", year=2099))
    assert await matching(type="gte", key="year", value=2005) == ["d2000", "d2005"]
    await library.delete(TENANT, "notes", "d2005")
    assert await matching(type="gte", key="year", value=2005) == ["d2000"]
    with pytest.raises(InvalidRequest, match="filter.type is None; accepted are eq"):
        await matching(key="year")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (Query(" "), "query is empty"),
        (Query("x" * 20_000), "query has 20,000 characters; accepted are 16,384"),
        (Query("a\ud800"), r"query holds U\+D800"),
        (Query("a", top_k=0), "top_k is 0; accepted are whole numbers from 1 to 100"),
        (Query("a", top_k=True), "top_k is True"),
        (Query("a", mode="sparse"), "mode is 'sparse'; accepted are dense, bm25, hybrid"),
    ],
)
async def test_a_wrong_query_is_told(library, query, message):
    await ingest(library, text("a", "apple"))
    with pytest.raises(InvalidRequest, match=message):
        await library.search(TENANT, "notes", query)


async def test_a_tenant_sees_nothing_of_anothers(library):
    await ingest(library, text("secret", "apple of ann"), tenant="ann")
    await ingest(library, text("mine", "apple of bob"), tenant="bob")
    await ingest(library, text("other", "apple elsewhere"), tenant="ann", name="elsewhere")
    assert await found(library, "apple", tenant="bob") == ["mine"]
    assert await found(library, "apple", tenant="ann") == ["secret"]
    assert [record.name for record in await library.collections("bob")] == ["notes"]
    for request in (
        library.collection("bob", "elsewhere"),
        library.search("bob", "elsewhere", Query("apple")),
        library.documents("bob", "elsewhere"),
        library.document("bob", "notes", "secret"),
        library.delete("bob", "notes", "secret"),
        library.drop("bob", "elsewhere"),
        library.counts("bob", "elsewhere"),
    ):
        with pytest.raises(NotFound):
            await request
    await library.drop("bob", "notes")
    assert await found(library, "apple", tenant="ann") == ["secret"]


async def test_documents_are_listed_page_by_page(library):
    await ingest(library, *(text(f"d{number}", f"word{number}") for number in range(5)))
    first = await library.documents(TENANT, "notes", limit=2)
    rest = await library.documents(TENANT, "notes", after=first[-1].key, limit=9)
    assert [document.key for document in first + rest] == ["d0", "d1", "d2", "d3", "d4"]
    with pytest.raises(InvalidRequest, match="limit is 0; accepted are 1 to 1000"):
        await library.documents(TENANT, "notes", limit=0)


async def test_a_deleted_document_is_found_no_more_and_its_upload_is_not_read(library):
    await ingest(library, text("a", "apple"), text("b", "apple too"))
    await library.add(TENANT, "notes", [text("a", "apple again")])
    await library.delete(TENANT, "notes", "a")
    assert await library.ingest.step() is False
    assert await found(library, "apple") == ["b"]
    with pytest.raises(NotFound, match="has no document 'a'"):
        await library.delete(TENANT, "notes", "a")


async def test_a_dropped_collection_is_gone_with_its_folder_and_its_name_is_free(library, tmp_path):
    await ingest(library, text("a", "apple"))
    folder = tmp_path / "indexes" / (await library.collection(TENANT, "notes")).uid
    folder.mkdir(parents=True, exist_ok=True)
    await library.drop(TENANT, "notes")
    assert not folder.exists()
    await ingest(library, text("b", "banana"))
    assert await found(library, "apple banana") == ["b"]


async def test_folders_of_no_collection_are_removed_at_the_start(open_library, tmp_path):
    library = await open_library()
    await ingest(library, text("a", "apple"))
    (tmp_path / "indexes" / "left-behind").mkdir(parents=True)
    await open_library()
    assert not (tmp_path / "indexes" / "left-behind").exists()


async def test_a_reranker_has_the_last_word(open_library):
    async def shortest(query, passages):
        assert query == "apple"
        return [-len(passage) for passage in passages]

    library = await open_library(rerank=shortest)
    await ingest(library, text("a", "apple apple apple apple"), text("b", "apple pie"), text("c", "an apple a day"))
    found_hits = await hits(library, "apple")
    assert [hit.passage.document for hit in found_hits] == ["b", "c", "a"]
    assert found_hits[0].score == -len("apple pie")


async def test_a_title_in_metadata_heads_a_text_that_has_none(library):
    await ingest(library, text("a", "It opened in 1850.", title="Harbour"), Upload("b.md", b"# Own\n\nText."))
    (hit,) = await hits(library, "harbour", mode="bm25")
    assert hit.passage.document == "a" and hit.passage.title == "Harbour"


async def test_a_search_that_is_repeated_is_not_done_again_until_the_documents_change(open_library):
    encoder, embedded = word_encoder(), []

    async def embed(texts):
        embedded.extend(texts)
        return await encoder.embed(texts)

    library = await open_library(dataclasses.replace(encoder, embed=embed))
    await ingest(library, text("a", "apple pie"), text("b", "boats and sails"))
    first = await hits(library, "sails")
    searched = mock.AsyncMock(wraps=library._search.hits)
    with mock.patch.object(library._search, "hits", searched):
        assert await hits(library, "sails") == first
        assert searched.await_count == 0
        assert await hits(library, "sails", top_k=1) == first[:1]
        await library.delete(TENANT, "notes", "b")
        assert [hit.passage.document for hit in await hits(library, "sails")] == ["a"]
        assert searched.await_count == 2
    assert embedded.count("sails") == 1
