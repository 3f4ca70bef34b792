"""Headers that every answer has."""

import pytest


@pytest.mark.parametrize("path", ["/", "/docs", "/health", "/v1/models", "/v1/nothing", "/metrics"])
async def test_every_answer_has_an_id_and_a_time(bench, path):
    response = await bench().http.get(path)
    assert response.headers["x-request-id"].startswith("req_")
    assert int(response.headers["openai-processing-ms"]) >= 0


async def test_ids_are_never_used_twice(bench):
    http = bench().http
    assert len({(await http.get("/health")).headers["x-request-id"] for _ in range(50)}) == 50


async def test_a_stream_has_its_headers_from_the_start(bench):
    response = await bench().chat(stream=True)
    assert response.headers["x-request-id"].startswith("req_")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("length", ["2001", "9" * 30])
async def test_a_body_is_refused_by_its_announced_length(bench, length):
    async def never():
        raise AssertionError("the body was read")
        yield b""

    http = bench(max_body_bytes=2000).http
    response = await http.post("/v1/completions", content=never(), headers={"content-length": length})
    assert response.status_code == 413


async def test_a_body_at_the_limit_is_read(bench):
    body = b'{"prompt": "hi"}'
    body += b" " * (2000 - len(body))
    http = bench(max_body_bytes=2000).http
    response = await http.post("/v1/completions", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200
