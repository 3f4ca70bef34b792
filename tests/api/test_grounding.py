"""Chats that are answered from documents, as their clients see them."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import httpx
import openai
import pytest

from serving.api.app import create_app
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.retriever.request import Conflict, Hit, InvalidRetrieval, NotFound, Query
from serving.settings import ServerSettings, Settings
from tests.api.conftest import NOW, StandingFleet
from tests.api.test_chat import events
from tests.orchestrator.scripted import ScriptedReplica, says

BRIDGE = Hit(
    "a/bridge.md",
    7,
    "Hello world, said the bridge.",
    0.75,
    "file:///bridge.md",
    "Bridges",
    ("Bridges", "Old"),
    3,
    0,
    {},
)
FERRY = Hit("ferry.md", 9, "Ferry.", 0.5, "ferry.md", "", (), None, 1, {"year": 1912})
KEY = {"authorization": "Bearer secret"}
MINE = "key-2bb80d537b1da3e38bd30361aa855686"  # of the sha256 of that key


class Retriever:
    """Has a retriever replica's face: finds two passages in every collection, or raises `error`."""

    def __init__(self) -> None:
        self.state = ReplicaState.READY
        self.error: Exception | None = None
        self.searches: list[tuple[str, str, Query]] = []

    async def search(self, tenant: str, collection: str, query: Query) -> Sequence[Hit]:
        self.searches.append((tenant, collection, query))
        if self.error:
            raise self.error
        return [BRIDGE, FERRY]


class Bench:
    """An app with documents, whose model says "hello world" to everything."""

    def __init__(self, model, **server) -> None:
        self.retriever = Retriever()
        self.replica = ScriptedReplica(says(model.tokenizer.encode("hello world", False)))
        self.replica.description = replace(self.replica.description, max_context=2000)
        app = create_app(
            Settings(server=ServerSettings(**server)),
            StandingFleet(self.replica),
            model,
            retriever=StandingFleet(self.retriever),
            clock=lambda: NOW,
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://gateway"
        )

    async def chat(self, *, headers: dict | None = None, **fields) -> httpx.Response:
        body = {"messages": [{"role": "user", "content": "Well?"}], "max_tokens": 20} | fields
        return await self.http.post("/v1/chat/completions", json=body, headers=headers)


@pytest.fixture
async def bench(model) -> AsyncIterator:
    async with contextlib.AsyncExitStack() as stack:

        def make(**server) -> Bench:
            made = Bench(model, **server)
            stack.push_async_callback(made.http.aclose)
            return made

        yield make


CITATION = {
    "type": "file_citation",
    "index": 1,
    "document_id": "a/bridge.md",
    "chunk_id": 7,
    "title": "Bridges",
    "source": "file:///bridge.md",
    "headings": ["Bridges", "Old"],
    "page": 3,
    "text": "Hello world, said the bridge.",
}
RETRIEVAL = {
    "collection": "docs",
    "origin": "found",
    "warning": None,
    "passages": [
        {"index": 1, "document_id": "a/bridge.md", "chunk_id": 7, "score": 0.75},
        {"index": 2, "document_id": "ferry.md", "chunk_id": 9, "score": 0.5},
    ],
    "turns_left_out": 0,
}


async def test_an_answer_with_its_sources(bench):
    b = bench()
    answer = (await b.chat(collection="docs")).json()
    assert answer["choices"][0]["message"] == {
        "role": "assistant",
        "content": "hello world",
        "refusal": None,
        "annotations": [CITATION],
    }
    assert answer["retrieval"] == RETRIEVAL
    assert b.retriever.searches == [("default", "docs", Query("Well?", 8))]
    assert answer["usage"]["prompt_tokens"] == len(b.replica.requests[0].prompt)


async def test_the_sources_come_after_the_text_of_a_stream_and_before_its_usage(bench):
    out = events(await bench().chat(collection="docs", stream=True, n=2, stream_options={"include_usage": True}))
    *chunks, first, second, usage, done = out
    assert done == "[DONE]" and usage["choices"] == [] and usage["usage"]["completion_tokens"] == 6
    for index, chunk in enumerate((first, second)):
        assert chunk["choices"] == [
            {"index": index, "delta": {"annotations": [CITATION]}, "logprobs": None, "finish_reason": None}
        ]
        assert chunk["retrieval"] == RETRIEVAL and chunk["usage"] is None
    assert not any("annotations" in chunk["choices"][0]["delta"] or "retrieval" in chunk for chunk in chunks)
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks].count("stop") == 2


async def test_without_a_collection_nothing_is_looked_up_or_said_of_it(bench):
    b = bench()
    answer = (await b.chat()).json()
    assert "annotations" not in answer["choices"][0]["message"] and "retrieval" not in answer
    assert b.retriever.searches == []


@pytest.mark.parametrize(
    ("fields", "headers", "searched"),
    [
        ({}, None, [("default", "all")]),
        ({}, KEY, [("default", "all")]),
        ({"collection": "docs"}, None, [("default", "docs")]),
        ({"collection": "docs"}, KEY, [(MINE, "docs")]),
        ({"collection": "all"}, KEY, [(MINE, "all")]),
        ({"collection": None}, KEY, []),
    ],
)
async def test_whose_documents_are_searched(bench, fields, headers, searched):
    b = bench(collection="all")
    assert (await b.chat(headers=headers, **fields)).status_code == 200
    assert [(tenant, collection) for tenant, collection, _ in b.retriever.searches] == searched


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("there is no collection 'docs'"), 404),
        (InvalidRetrieval("the collection's name is 'd/'"), 400),
        (Conflict("it was made with another encoder"), 409),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_collection_that_cannot_be_searched_is_an_error(bench, error, status, stream):
    b = bench()
    b.retriever.error = error
    response = await b.chat(collection="docs", stream=stream)
    assert response.status_code == status and response.json()["error"]["message"] == str(error)
    assert b.replica.requests == []


@pytest.mark.parametrize("stream", [False, True])
async def test_a_missing_retriever_is_a_warning_and_not_an_error(bench, stream):
    b = bench()
    b.retriever.error = ReplicaUnavailable("the retriever is restarting", 3)
    response = await b.chat(collection="docs", stream=stream)
    answer = events(response)[-2] if stream else response.json()
    choice = answer["choices"][0]
    assert (choice["delta"] if stream else choice["message"])["annotations"] == []
    assert answer["retrieval"] == RETRIEVAL | {"origin": "none", "warning": "unavailable", "passages": []}


async def test_messages_too_long_for_the_context_are_refused_as_without_documents(bench):
    long = [{"role": "user", "content": "x" * 1990}]
    for fields in ({}, {"collection": "docs"}):
        response = await bench().chat(messages=long, **fields)
        assert response.status_code == 400
        assert response.json()["error"]["code"] == "context_length_exceeded"


async def test_a_server_without_retrieval_says_so(model):
    app = create_app(Settings(), StandingFleet(ScriptedReplica(says([70]))), model)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as http:
        body = {"messages": [{"role": "user", "content": "Well?"}], "collection": "docs"}
        response = await http.post("/v1/chat/completions", json=body)
    assert response.status_code == 400 and "without retrieval" in response.json()["error"]["message"]


@pytest.mark.parametrize("given", ["", 7, ["docs"]])
async def test_a_collection_is_a_name(bench, given):
    response = await bench().chat(collection=given)
    assert response.status_code == 400 and response.json()["error"]["param"] == "collection"


async def test_openais_own_client_reads_the_sources(bench):
    b = bench()
    client = openai.AsyncOpenAI(base_url="http://gateway/v1", api_key="secret", http_client=b.http)
    asked = {"model": "tiny", "messages": [{"role": "user", "content": "Well?"}], "extra_body": {"collection": "docs"}}
    answer = await client.chat.completions.create(max_tokens=20, **asked)
    assert answer.choices[0].message.annotations[0].document_id == "a/bridge.md"
    assert answer.retrieval["warning"] is None
    async with client.chat.completions.stream(max_tokens=20, **asked) as stream:
        final = await stream.get_final_completion()
    message = final.choices[0].message
    assert (message.content, final.choices[0].finish_reason) == ("hello world", "stop")
    assert message.annotations[0].text == "Hello world, said the bridge."
    assert [searched[0] for searched in b.retriever.searches] == [MINE, MINE]
