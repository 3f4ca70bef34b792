"""/v1/collections at a real server, with the encoder that comes along."""

import time
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.api.app import body_limit, create_app
from serving.fleet.retriever_replica import RetrieverReplica
from serving.settings import Settings, load_settings
from tests.api.conftest import StandingFleet
from tests.orchestrator.scripted import ScriptedReplica, says
from tests.retrieval.parsing.pdf_file import pdf

PASSAGES = {
    "harbour.txt": b"The harbour master's telephone is 4711. Ships from Bremen arrive on Tuesdays.",
    "guide/winds.md": b"---\ntitle: Winds\n---\n# Trade winds\n\nThey blow.\n\n## Speed\n\nAbout 20 knots.\n",
    "tides.html": b"<html><title>Tides</title><body><h1>Tides</h1><p>High water comes twice a day.</p></body></html>",
    "light.pdf": pdf([["Nothing to see."], ["The lighthouse was built in 1899."]], title="Lighthouse"),
    "knots.py": b"def knots(metres):\n    return metres * 1.94384\n",
}


class Collection:
    """One collection in the hands of one key's holder."""

    def __init__(self, http: httpx.Client, name: str) -> None:
        self.http = http
        self.path = f"/v1/collections/{name}"

    def add(self, *documents: dict) -> httpx.Response:
        return self.http.post(f"{self.path}/documents", json={"documents": documents})

    def add_files(self, files: dict[str, bytes], **fields) -> httpx.Response:
        parts = [("files", (name, content, "application/octet-stream")) for name, content in files.items()]
        return self.http.post(f"{self.path}/documents", files=parts, data=fields)

    def document(self, id: str) -> dict:
        return self.http.get(f"{self.path}/documents/{id}").json()

    def read(self) -> dict:
        """The collection, once no document of it waits."""
        while (card := self.http.get(self.path).json())["documents"]["pending"]:
            time.sleep(0.05)
        return card

    def search(self, query: str, **fields) -> list[dict]:
        answer = self.http.post(f"{self.path}/search", json={"query": query} | fields)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]


def as_holder(server, key: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.Client(base_url=server.url, headers=headers, timeout=120)


@pytest.fixture(scope="module")
def http(server) -> Iterator[httpx.Client]:
    with as_holder(server, "test-collections") as client:
        yield client


@pytest.fixture(scope="module")
def coast(http) -> Collection:
    """Every format, read; and one document that cannot be."""
    made = Collection(http, "coast")
    answer = made.add_files(PASSAGES | {"poison.txt": b"\x00\x01\x02"}, metadata='{"year": 2020}')
    assert answer.status_code == 202
    assert [receipt["status"] for receipt in answer.json()["data"]] == ["pending"] * 6
    assert made.read()["documents"] == {"pending": 0, "ready": 5, "failed": 1}
    return made


@pytest.mark.parametrize(
    ("query", "document", "text"),
    [
        ("How do I call the harbour master?", "harbour.txt", "4711"),
        ("How fast are the trade winds?", "guide/winds.md", "20 knots"),
        ("How often is high water?", "tides.html", "twice a day"),
        ("When was the lighthouse built?", "light.pdf", "1899"),
        ("convert metres to knots", "knots.py", "1.94384"),
    ],
)
def test_a_question_finds_its_passage_in_every_format(coast, query, document, text):
    hit = coast.search(query, top_k=3)[0]
    assert hit["document_id"] == hit["source"] == document and text in hit["text"]
    assert hit["metadata"] == {"year": 2020} and hit["score"] > 0


def test_a_hit_says_where_it_stands(coast):
    (hit,) = coast.search("speed in knots", filter={"type": "eq", "key": "id", "value": "guide/winds.md"}, top_k=1)
    assert (hit["title"], hit["headings"], hit["page"]) == ("Winds", ["Trade winds", "Speed"], None)
    (hit,) = coast.search("lighthouse 1899", mode="bm25", top_k=1)
    assert hit["title"] == "Lighthouse" and hit["page"] in (1, 2) and hit["position"] >= 0


def test_a_document_that_cannot_be_read_says_why_and_the_rest_is_there(coast):
    failed = coast.document("poison.txt")
    assert (failed["status"], failed["chunks"]) == ("failed", 0)
    assert failed["error"] == "poison.txt: it holds control characters, so it is no text"
    ready = coast.document("guide/winds.md")
    assert (ready["object"], ready["status"], ready["error"], ready["chunks"]) == ("document", "ready", None, 2)
    assert coast.document("guide%2Fwinds.md") == ready


def test_documents_are_listed_page_by_page(coast):
    pages, after = [], ""
    while True:
        page = coast.http.get(f"{coast.path}/documents", params={"after": after, "limit": 4}).json()
        pages.append([document["id"] for document in page["data"]])
        if not page["has_more"]:
            break
        after = page["last_id"]
    ids = sorted([*PASSAGES, "poison.txt"])
    assert pages == [ids[:4], ids[4:]]


def test_texts_are_taken_skipped_replaced_filtered_and_deleted(http):
    texts = Collection(http, "texts")
    first = {"id": "a", "text": "Blue whales sing.", "metadata": {"year": 2019, "tags": ["sea"]}}
    second = {"id": "b", "text": "# Birds\n\nTerns fly far.", "media_type": "text/markdown", "source": "terns.example"}
    assert texts.add(first, second).status_code == 202
    texts.read()
    assert [receipt["status"] for receipt in texts.add(first).json()["data"]] == ["unchanged"]
    assert texts.document("b")["source"] == "terns.example"
    assert texts.search("birds", top_k=1)[0]["headings"] == ["Birds"]
    tagged = {"type": "in", "key": "tags", "value": ["sea"]}
    assert [hit["document_id"] for hit in texts.search("terns", filter=tagged)] == ["a"]

    texts.add(first | {"text": "Grey seals sleep."})
    texts.read()
    assert [hit["text"] for hit in texts.search("whales or seals", filter=tagged)] == ["Grey seals sleep."]
    deleted = http.delete(f"{texts.path}/documents/a").json()
    assert deleted == {"id": "a", "object": "document.deleted", "deleted": True}
    assert texts.search("whales or seals", filter=tagged) == []
    assert http.delete(f"{texts.path}/documents/a").status_code == 404
    assert http.delete(texts.path).json()["object"] == "collection.deleted"
    assert http.get(texts.path).status_code == 404


def test_collections_are_made_listed_and_seen_by_their_own_key_alone(server, http, coast):
    made = http.post("/v1/collections", json={"name": "empty"}).json()
    assert made["documents"] == {"pending": 0, "ready": 0, "failed": 0}
    assert made["encoder"].startswith("all-MiniLM-L6-v2 fp_") and made["dimensions"] == 384
    assert made["max_document_bytes"] == 32 * 2**20
    assert http.post("/v1/collections", json={"name": "empty"}).json() == made
    assert {"coast", "empty"} <= {collection["id"] for collection in http.get("/v1/collections").json()["data"]}
    assert Collection(http, "empty").search("anything") == []
    for key in ("another key", ""):
        with as_holder(server, key) as other:
            assert "coast" not in {collection["id"] for collection in other.get("/v1/collections").json()["data"]}
            attempts = [
                other.get(coast.path),
                other.delete(coast.path),
                other.get(f"{coast.path}/documents"),
                other.get(f"{coast.path}/documents/harbour.txt"),
                other.delete(f"{coast.path}/documents/harbour.txt"),
                other.post(f"{coast.path}/search", json={"query": "harbour"}),
            ]
            for refused in attempts:
                error = refused.json()["error"]
                assert (refused.status_code, error["code"]) == (404, "not_found")
                assert error["message"] == "there is no collection 'coast'"
    assert coast.document("harbour.txt")["status"] == "ready"


@pytest.mark.parametrize(
    ("path", "body", "param", "message"),
    [
        ("", {"name": "no name"}, None, "'no name' cannot name a collection"),
        ("", {}, "name", "name is missing"),
        ("/no%20name/search", {"query": "x"}, None, "cannot name a collection"),
        ("/coast/search", {}, "query", "query is missing"),
        ("/coast/search", {"query": " "}, None, "query is empty"),
        ("/coast/search", {"query": "x" * 16_385}, None, "query has 16,385 characters; accepted are 16,384"),
        ("/coast/search", {"query": "x", "top_k": 0}, "top_k", "greater than or equal to 1"),
        ("/coast/search", {"query": "x", "mode": "magic"}, "mode", "'dense', 'bm25' or 'hybrid'"),
        ("/coast/search", {"query": "x", "filter": {"type": "like"}}, None, "filter.type is 'like'; accepted are eq"),
        ("/coast/search", {"query": "x", "filter": "year"}, None, "filter is 'year'; accepted is an object"),
        ("/coast/documents", [], None, "The body must be a JSON object"),
        ("/coast/documents", {"documents": []}, "documents", "at least 1 item"),
        ("/coast/documents", {"documents": [{"id": "a"}]}, "documents[0].text", "is missing"),
        ("/coast/documents", {"documents": [{"id": 1, "text": "x"}]}, "documents[0].id", "valid string; given 1"),
        ("/coast/documents", {"documents": [{"id": "", "text": "x"}]}, None, "the document's id is empty"),
        ("/coast/documents", {"documents": [{"id": "a", "text": "x"}] * 2}, None, "the document id 'a' is given twice"),
        (
            "/coast/documents",
            {"documents": [{"id": "a", "text": "x", "metadata": {"deep": {}}}]},
            None,
            "metadata field 'deep' is an object; accepted are strings",
        ),
    ],
)
def test_what_cannot_be_served_is_named_and_nothing_is_taken(coast, path, body, param, message):
    before = coast.http.get(coast.path).json()
    answer = coast.http.post(f"/v1/collections{path}", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert message in error["message"], error["message"]
    assert coast.http.get(coast.path).json() == before


def test_forms_that_are_none(coast):
    for content, message in (
        ({"data": {"a": "b"}, "files": {"metadata": (None, "{}")}}, "The form has no files"),
        ({"files": {"files": ("a", b"x")}, "data": {"metadata": "[]"}}, "metadata is no JSON object"),
        ({"content": b"--x", "headers": {"content-type": "multipart/form-data"}}, "boundary"),
    ):
        answer = coast.http.post(f"{coast.path}/documents", **content)
        assert answer.status_code == 400 and message in answer.json()["error"]["message"], answer.text
    for limit in ("0", "501", "x"):
        assert coast.http.get(f"{coast.path}/documents", params={"limit": limit}).status_code == 400


def test_the_largest_document_is_taken_and_no_larger_one(http):
    limit = 32 * 2**20
    large = Collection(http, "large")
    assert large.add_files({"large.bin": b"\0" * limit}).status_code == 202
    refused = large.add_files({"larger.bin": b"\0" * (limit + 1)})
    assert refused.status_code == 400
    assert "'larger.bin' has 33,554,433 bytes; accepted are 33,554,432" in refused.json()["error"]["message"]
    much_larger = large.add_files({"huge.bin": b"\0" * (limit + 2**20)})
    assert much_larger.status_code == 413
    assert [document["id"] for document in http.get(f"{large.path}/documents").json()["data"]] == ["large.bin"]
    http.delete(large.path)


def test_bodies_are_limited_by_what_is_sent_where():
    settings = load_settings({"server.max_body_bytes": 5000, "retriever.document_bytes": 10_000_000}).settings
    assert body_limit(settings, "/v1/collections/a/documents") == 10_000_000 + 2**20
    for path in ("/v1/collections/a/search", "/v1/collections", "/v1/chat/completions", "/documents"):
        assert body_limit(settings, path) == 5000
    few = load_settings({"retriever.document_bytes": 10}).settings
    assert body_limit(few, "/v1/collections/a/documents") == few.server.max_body_bytes


def test_documents_and_searches_are_counted(server, coast):
    def searches() -> float:
        families = text_string_to_metric_families(server.get("/metrics").text)
        return next(f.samples[0].value for f in families if f.name == "tradewind:retriever_searches")

    before = searches()
    coast.search("counted")
    while searches() < before + 1:  # the retriever tells now and then
        time.sleep(0.1)


async def test_a_server_without_retrieval_says_so(bench):
    answer = await bench().http.get("/v1/collections")
    assert answer.status_code == 400
    assert "started without retrieval" in answer.json()["error"]["message"]


async def test_while_the_retriever_starts_one_is_told_when_to_come_again(model):
    fleet, retriever = StandingFleet(ScriptedReplica(says([]))), StandingFleet(RetrieverReplica("retriever"))
    app = create_app(Settings(), fleet, model, retriever=retriever)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        document = {"documents": [{"id": "a", "text": "x"}]}
        for answer in (
            await http.get("/v1/collections"),
            await http.post("/v1/collections/c/documents", json=document),
            await http.post("/v1/collections/c/search", json={"query": "x"}),
        ):
            error = answer.json()["error"]
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
            assert error["type"] == "service_unavailable_error"
            assert error["message"] == "the retriever is starting; try again in 10 s"
