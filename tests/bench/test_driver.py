"""Runs against a server that does what the test says: what is asked, in which order, and what becomes of failures."""

import asyncio

import pytest

from serving.bench.driver import Driver
from serving.bench.endpoint import ENDPOINTS
from serving.bench.errors import BenchError
from serving.bench.http import HttpClient
from serving.bench.measurement import Measurement
from serving.bench.target import Target
from serving.bench.text import Calibration
from serving.bench.workload import Segment, Session, Turn

ENOUGH = 30  # seconds, for what takes none


def session(*lengths: int, arrival: float | None = None, system: Segment | None = None, name: str = "s") -> Session:
    turns = [Turn((Segment(f"{name}{index}", length),), 4) for index, length in enumerate(lengths)]
    return Session(tuple(turns), system, arrival)


async def drive(url: str, sessions, *, api="chat", concurrency=None, seconds=ENOUGH, **options) -> list[Measurement]:
    http = HttpClient(url, {})
    target = await Target.at(http, ENDPOINTS[api], None, **options)
    measurements: list[Measurement] = []
    driver = Driver(target, await target.calibrate(), 0, measurements)
    await driver.drive(sessions, concurrency=concurrency, seconds=seconds)
    http.close()
    return measurements


async def answers(asked) -> None:
    asked.stream("one", " two")


async def test_the_server_s_count_of_words_is_found_out(stand_in):
    async with stand_in(answers) as (_, url):
        for api, overhead in (("chat", 3), ("completions", 3)):
            target = await Target.at(HttpClient(url, {}), ENDPOINTS[api], None)
            assert await target.calibrate() == Calibration(2.0, overhead)


async def test_prompts_have_the_asked_number_of_tokens(stand_in):
    async with stand_in(answers) as (_, url):
        measured = await drive(url, [session(100), session(31)], concurrency=1)
    assert [request.prompt_tokens - 3 for request in measured] == pytest.approx([100, 31], abs=1)
    assert [(request.output_tokens, request.cached_tokens, len(request.text_at)) for request in measured] == [
        (4, 1, 2)
    ] * 2
    assert all(request.succeeded for request in measured)


async def test_a_conversation_carries_all_that_was_said(stand_in):
    async with stand_in(answers) as (server, url):
        await drive(url, [session(2, 4, 6, system=Segment("prefix", 8))], concurrency=1)
        first, second, third = (asked.body["messages"] for asked in server.asked)
    assert [message["role"] for message in third] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert third[:4] == second and second[:2] == first
    assert third[2]["content"] == third[4]["content"] == "one two"
    assert [len(message["content"].split()) for message in third] == [4, 1, 2, 2, 2, 3]


async def test_text_completions_continue_the_same_text(stand_in):
    async def text(asked) -> None:
        asked.head(200, "transfer-encoding: chunked")
        asked.event({"choices": [{"index": 0, "text": " said"}]})
        asked.event("[DONE]")
        asked.writer.write(b"0\r\n\r\n")

    async with stand_in(text) as (server, url):
        measured = await drive(url, [session(2, 4)], concurrency=1, api="completions")
        first, second = (asked.body["prompt"] for asked in server.asked)
    assert second.startswith(f"{first} said ") and len(second.split()) == 1 + 1 + 2
    assert [request.tokens for request in measured] == [1, 1]  # events, where the server does not count


async def test_a_request_s_fields(stand_in):
    async with stand_in(answers) as (server, url):
        await drive(url, [session(2)], concurrency=1, fields={"temperature": 0, "stream_options": None})
        body = server.asked[0].body
    assert body.pop("messages")
    assert body == {"model": "stand-in", "max_tokens": 4, "stream": True, "temperature": 0}


async def test_a_closed_loop_keeps_so_many_in_flight_and_no_more(stand_in):
    waiting: list[asyncio.Event] = []
    most = 0

    async def together(asked) -> None:
        """Answers when there are three, which only ever happens if the client keeps three in flight."""
        nonlocal most, waiting
        mine = asyncio.Event()
        waiting.append(mine)
        most = max(most, len(waiting))
        if len(waiting) == 3:
            for event in waiting:
                event.set()
            waiting = []
        await mine.wait()
        asked.stream("x")

    async with stand_in(together) as (server, url):
        measured = await drive(url, (session(5, 5) for _ in range(6)), concurrency=3)
        assert (len(server.asked), most) == (12, 3)
        assert server.connections <= 4  # they are used again
    assert sum(request.succeeded for request in measured) == 12
    assert [request.late for request in measured] == [0.0] * 12


async def test_an_open_loop_waits_for_nobody(stand_in):
    everybody = asyncio.Event()

    async def when_all_are_there(asked) -> None:
        if len(server.asked) == 20:
            everybody.set()
        await everybody.wait()
        asked.stream("x")

    async with stand_in(when_all_are_there) as (server, url):
        measured = await drive(url, [session(5, arrival=0.001 * i, name=f"{i} ") for i in range(20)])
    assert sum(request.succeeded for request in measured) == 20
    assert all(request.sent >= 0.001 * request.session for request in measured)
    assert all(0 <= request.late <= request.sent - 0.001 * request.session for request in measured)
    assert len({asked.body["messages"][0]["content"] for asked in server.asked}) == 20


async def test_what_is_unfinished_at_the_end_is_hung_up_on_and_no_error(stand_in):
    async def half(asked) -> None:
        asked.head(200, "transfer-encoding: chunked")
        asked.event({"choices": [{"index": 0, "delta": {"content": "wait"}}]})
        await asyncio.Event().wait()

    async with stand_in(half) as (_, url):
        measured = await drive(url, (session(5) for _ in range(100)), concurrency=2, seconds=1.0)
    assert [(len(request.text_at), request.finished, request.error) for request in measured] == [(1, None, "")] * 2


async def test_a_failure_ends_its_conversation_and_no_other(stand_in):
    async def fail_once(asked) -> None:
        if len(server.asked) == 1:
            asked.whole({"error": {"message": "m", "code": "server_is_overloaded"}}, status=503)
        else:
            asked.stream("x")

    async with stand_in(fail_once) as (server, url):
        measured = await drive(url, [session(5, 5), session(5, 5)], concurrency=1)
    assert [(request.session, request.turn, request.error) for request in measured] == [
        (0, 0, "503 server_is_overloaded"),
        (1, 0, ""),
        (1, 1, ""),
    ]


async def test_a_connection_that_breaks_and_one_that_hangs(stand_in):
    async def misbehave(asked) -> None:
        asked.head(200, "transfer-encoding: chunked")
        if len(server.asked) == 1:
            asked.event({"choices": [{"index": 0, "delta": {"content": "a"}}]})
            await asked.writer.drain()
            asked.writer.close()
        elif len(server.asked) == 2:
            await asyncio.Event().wait()
        else:
            asked.writer.write(b"0\r\n\r\n")

    async with stand_in(misbehave) as (server, url):
        measured = await drive(url, [session(5), session(5), session(5)], concurrency=1, timeout=1.0)
    assert [request.error for request in measured] == ["connection lost", "timeout", "cut short"]


async def test_a_server_that_is_gone_is_an_error_of_each_request(stand_in):
    async with stand_in(answers) as (_, url):
        target = await Target.at(HttpClient(url, {}), ENDPOINTS["chat"], None)
    target.http.close()
    target.http = HttpClient("http://127.0.0.1:9", {})
    measured: list[Measurement] = []
    await Driver(target, Calibration(), 0, measured).drive([session(5)] * 3, concurrency=2, seconds=ENOUGH)
    assert [request.error for request in measured] == ["no connection"] * 3


async def test_models_are_found_or_named(stand_in):
    async with stand_in(answers, context=77) as (_, url):
        http = HttpClient(url, {})
        first = await Target.at(http, ENDPOINTS["chat"], None)
        assert (first.model, first.context) == ("stand-in", 77)
        assert (await Target.at(http, ENDPOINTS["chat"], "other")).model == "other"
        with pytest.raises(BenchError, match="does not list third; it lists stand-in, other"):
            await Target.at(http, ENDPOINTS["chat"], "third")
    with pytest.raises(BenchError, match=r"no server answers at http://127\.0\.0\.1:9"):
        await Target.at(HttpClient("http://127.0.0.1:9", {}), ENDPOINTS["chat"], None)
