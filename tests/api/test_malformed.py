"""Requests that are not what they should be, at a real server: no 500, no hang, and the next good one is served."""

import json
import random
import socket
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
EMBEDDINGS = "/v1/embeddings"
HI = {"messages": [{"role": "user", "content": "hi"}], "prompt": "hi", "input": "hi", "max_tokens": 1, "temperature": 0}
WRONG = (None, True, -1, 10**30, 1.5, "x\0", "", [], [None], {"a": {"b": []}}, "世" * 1000)
GENERATED = settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
BODY_LIMIT = 8 * 2**20  # the server's default


class Attacker:
    """Sends requests, checks every answer, and counts them by status."""

    def __init__(self, url: str) -> None:
        self.statuses: Counter[int] = Counter()
        self.client = httpx.Client(base_url=url, timeout=30)  # seconds; an answer that takes longer fails the test

    def post(self, path: str, body: bytes) -> int:
        """Sends `body` as JSON."""
        response = self.client.post(path, content=body, headers={"content-type": "application/json"})
        self.check(response.status_code, response.headers.get("x-request-id", ""), response.content)
        return response.status_code

    def check(self, status: int, request_id: str, body: bytes) -> None:
        """An answer, or an error in its envelope, and no 500."""
        self.statuses[status] += 1
        assert request_id.startswith("req_")
        assert status < 500, body
        if status >= 400:
            error = json.loads(body)["error"]
            assert error.keys() == {"message", "type", "param", "code"}
            assert error["type"] == "invalid_request_error"
            assert error["message"] and "Traceback" not in error["message"]

    def reply(self) -> str:
        """What the server says to a good request."""
        response = self.client.post(CHAT, json=HI | {"max_tokens": 8})
        assert response.status_code == 200
        return response.json()["choices"][0]["message"]["content"]


@pytest.fixture(scope="module")
def attacker(server) -> Iterator[Attacker]:
    """The server has to be as well after all of this module's requests as it was before."""
    attacker = Attacker(server.url)
    reply = attacker.reply()
    yield attacker
    assert attacker.reply() == reply
    print(f"\n{attacker.statuses.total()} malformed requests, by status: {dict(sorted(attacker.statuses.items()))}")
    attacker.client.close()


@pytest.fixture(scope="module")
def api_schema(server):
    """The server's own OpenAPI document."""
    return schemathesis.openapi.from_url(f"{server.url}/openapi.json")


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_what_the_openapi_document_allows_and_forbids(attacker, api_schema, mode):
    def attack(case: schemathesis.Case) -> None:
        if isinstance(case.body, dict):  # what happens to be right shall not generate for minutes
            case.body.setdefault("max_tokens", 1)
            for name in ("max_tokens", "max_completion_tokens", "min_tokens", "n"):
                if isinstance(case.body.get(name), int):
                    case.body[name] = min(case.body[name], 2)
        response = case.call()
        attacker.check(response.status_code, response.headers["x-request-id"][0], response.content)

    for result in api_schema.get_all_operations():
        operation = result.ok()
        if operation.body or (operation.path_parameters and mode is GenerationMode.POSITIVE):  # no path is malformed
            GENERATED(given(operation.as_strategy(mode))(attack))()


def test_every_field_with_every_wrong_value(attacker, api_schema):
    before = attacker.statuses.total()
    for path in (CHAT, TEXT, EMBEDDINGS, "/tokenize", "/detokenize"):
        operation = api_schema.raw_schema["paths"][path]["post"]
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        model = api_schema.raw_schema["components"]["schemas"][reference.rpartition("/")[2]]
        for field in model["properties"]:
            for value in WRONG:
                attacker.post(path, json.dumps(HI | {field: value} | {"max_tokens": 1}).encode())
    assert attacker.statuses.total() - before >= 1000


@pytest.mark.parametrize("path", [CHAT, TEXT])
def test_bytes_that_are_no_json(attacker, path):
    chance = random.Random(path)
    whole = json.dumps(HI | {"logit_bias": {"5": 1.5}, "stop": ["a", "é"]}, ensure_ascii=False).encode()
    for _ in range(100):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 3)):
            broken[chance.randrange(len(broken))] = chance.randrange(256)
        attacker.post(path, bytes(broken))
    for end in range(0, len(whole), 3):
        assert attacker.post(path, whole[:end]) == 400


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 10**6,
        b'{"a":' * 10**5 + b"1" + b"}" * 10**5,
        b'{"chat_template_kwargs":'
        + b'{"a":' * 150
        + b"1"
        + b"}" * 150
        + b',"messages":[{"role":"user","content":"x"}]}',
        b'{"messages":[' + b"[" * 190 + b"]" * 190 + b"]}",
        b"\xff\xfe" + '{"messages": []}'.encode("utf-16-le"),
        b'{"messages":[{"role":"user","content":"\xed\xa0\x80"}]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"seed":' + b"9" * 10**6 + b"}",
        b'{"messages":[{"role":"user","content":"' + b"a" * (BODY_LIMIT // 2) + b'"}]}',
        b'{"messages":[' + b'{"role":"user","content":""},' * 10**5 + b'{"role":"user","content":""}]}',
        b'{"prompt":[' + b"1," * 10**6 + b"1]}",
        b'{"prompt":[' + b'"a",' * 10**5 + b'"a"]}',
        b'{"input":[' + b"1," * 10**6 + b"1]}",
        b'{"input":["' + b"a " * (BODY_LIMIT // 4) + b'"]}',
        b'{"prompt":"a","stop":["' + b"ab" * 10**6 + b'"],"max_tokens":1}',
        b'{"prompt":"a","logit_bias":{' + b",".join(b'"%d":1' % i for i in range(10**5)) + b"}}",
    ],
    ids=range(16),
)
def test_deep_and_heavy_bodies(attacker, body):
    for path in (CHAT, TEXT, EMBEDDINGS):
        attacker.post(path, body)


def test_bodies_beyond_the_limit(attacker):
    assert attacker.post(CHAT, b" " * (BODY_LIMIT + 1)) == 413
    chunks = (b" " * 65536 for _ in range(2 * BODY_LIMIT // 65536))  # sent without saying how long it will be
    response = attacker.client.post(CHAT, content=chunks, headers={"content-type": "application/json"})
    attacker.check(response.status_code, response.headers["x-request-id"], response.content)
    assert response.status_code == 413


@pytest.mark.parametrize(
    "head",
    [
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
    ids=["huge length", "negative length", "bad chunk", "cut short", "TLS", "path"],
)
def test_connections_that_break_off(server, attacker, head):
    address = httpx.URL(server.url)
    with socket.create_connection((address.host, address.port), timeout=30) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert b" 500 " not in answer.partition(b"\r\n")[0]
