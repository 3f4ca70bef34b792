"""Streams that fail, as the official client sees them."""

import contextlib

import openai
import pytest

from serving.engine.request import Delta, FinishReason
from serving.fleet.replica import ReplicaState, ReplicaUnavailable

HI = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": True}


@pytest.fixture
def client_of(listening):
    """The official client of an app behind uvicorn."""

    @contextlib.asynccontextmanager
    async def client(app):
        async with (
            listening(app) as http,
            openai.AsyncOpenAI(
                base_url=f"{str(http.base_url).rstrip('/')}/v1", api_key="none", max_retries=0
            ) as official,
        ):
            yield official

    return client


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda request: ReplicaUnavailable("the engine ended", 3), "server_is_overloaded"),
        (lambda request: Delta(request.id, finish_reason=FinishReason.ERROR, error="the engine failed"), None),
    ],
)
async def test_a_stream_that_fails_midway_raises(bench, client_of, end, code):
    b = bench(lambda request: [Delta(request.id, (70,)), end(request)])
    async with client_of(b.app) as client:
        stream = aiter(await client.chat.completions.create(**HI))
        seen = [await anext(stream), await anext(stream)]
        with pytest.raises(openai.APIError, match="the engine") as failed:
            await anext(stream)
    assert failed.value.code == code
    assert [chunk.choices[0].finish_reason for chunk in seen] == [None, None]


async def test_an_engine_that_is_not_ready_is_an_internal_server_error(bench, client_of):
    b = bench()
    b.replica.state = ReplicaState.STARTING
    async with client_of(b.app) as client:
        with pytest.raises(openai.InternalServerError) as failed:
            await client.chat.completions.create(**HI)
    assert (failed.value.status_code, failed.value.code) == (503, "server_is_overloaded")
    assert failed.value.response.headers["retry-after"] == "7"


async def test_the_client_tries_again_by_itself(bench, client_of):
    attempts = []

    def script(request):
        attempts.append(request.id)
        if len(attempts) == 1:
            yield ReplicaUnavailable("the engine ended", 0)
        yield Delta(request.id, (70,), finish_reason=FinishReason.LENGTH)

    b = bench(script)
    async with client_of(b.app) as client:
        stream = await client.with_options(max_retries=1).chat.completions.create(**HI)
        assert [chunk.choices[0].finish_reason async for chunk in stream] == [None, None, "length"]
    assert len(attempts) == 2
