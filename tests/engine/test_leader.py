"""The leader's side of a replica over several hosts, with followers whose every report the test itself sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import grpc
import pytest

from serving.engine import codec, leader
from serving.engine.leader import Followers
from serving.engine.member import Leaving, Member
from serving.engine.request import EngineDescription, GenerationRequest, SamplingParams
from serving.engine.turns import Cancel, Turn
from serving.process.progress import StartupProgress

LOADED = EngineDescription("tiny", 128, 32000, 4, 16, 32, "float32", "cpu", "f00d", (2,))
OWN = Member(0, 3, "host0", "1.0", {"max_rows": "4"})
TURNS = [
    Turn((GenerationRequest("1/a", (5, 6), SamplingParams(max_tokens=3)),), 1),
    Turn((), 4),
    Turn((Cancel("1/a"),), 2),
]


class Bench:
    """The followers' service on a real socket."""

    def __init__(self, socket: str):
        self.losses: asyncio.Queue[str] = asyncio.Queue()
        self.progress: asyncio.Queue[StartupProgress] = asyncio.Queue()
        self.followers = Followers(OWN, self.losses.put_nowait)
        self.target = f"unix:{socket}"

    async def join(self) -> None:
        await self.followers.join(self.progress.put_nowait)

    @contextlib.asynccontextmanager
    async def follower(self, process: int, **changes) -> AsyncIterator[grpc.aio.StreamStreamCall]:
        """The stream of a follower that has said who it is."""
        async with grpc.aio.insecure_channel(self.target) as channel:
            stream = channel.stream_stream(codec.METHODS["Follow"], codec.encode_report, codec.decode_turn)()
            await stream.write(replace(OWN, process=process, host=f"host{process}", **changes))
            yield stream


@pytest.fixture
async def bench(tmp_path) -> AsyncIterator[Bench]:
    made = Bench(str(tmp_path / "leader.sock"))
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((made.followers.handler(),))
    server.add_insecure_port(made.target)
    await server.start()
    async with asyncio.timeout(30):
        yield made
    await server.stop(None)


async def test_followers_may_load_when_all_have_joined_and_then_hear_every_turn(bench):
    joining = asyncio.create_task(bench.join())
    assert await bench.progress.get() == StartupProgress(
        "loading", 0, 2, "waiting for process 1/3, 2/3 of this replica"
    )
    async with bench.follower(1) as first:
        let_load = asyncio.create_task(first.initial_metadata())
        assert await bench.progress.get() == StartupProgress("loading", 1, 2, "waiting for process 2/3 of this replica")
        assert not let_load.done()
        async with bench.follower(2) as second:
            await joining
            await asyncio.gather(let_load, second.initial_metadata())
            for stream in (first, second):
                await stream.write(replace(LOADED, model=f"copy of {LOADED.model}"))
            await bench.followers.load(LOADED)
            for turn in TURNS:
                await asyncio.to_thread(bench.followers.announce, turn)
            await asyncio.sleep(0)  # what was announced is handed over to the loop before the end is
            bench.followers.close()
            for stream in (first, second):
                assert [turn async for turn in stream] == TURNS
                assert await stream.code() is grpc.StatusCode.OK
    assert bench.progress.empty() and bench.losses.empty()


async def test_a_follower_that_breaks_off_is_lost(bench):
    joining = asyncio.create_task(bench.join())
    async with bench.follower(1) as staying, bench.follower(2) as leaving:
        await joining
        leaving.cancel()
        assert await bench.losses.get() == "process 2/3 of this replica was lost (host host2)"
        await bench.followers.settle()  # there is news already
        bench.followers.announce(TURNS[0])
        await asyncio.sleep(0)
        bench.followers.close("process 2/3 was lost")
        assert await staying.read() == TURNS[0]
        with pytest.raises(grpc.aio.AioRpcError, match="process 2/3 was lost") as ended:
            await staying.read()
        assert ended.value.code() is grpc.StatusCode.ABORTED
    assert bench.losses.empty()


async def test_a_follower_that_leaves_says_why(bench):
    async with bench.follower(2) as stream:
        await stream.write(Leaving("its disk is full"))
        assert await bench.losses.get() == "process 2/3 of this replica was lost (host host2): its disk is full"


@pytest.mark.parametrize(
    ("process", "changes", "words"),
    [
        (3, {}, "whose followers are 1/3, 2/3"),
        (2, {"version": "0.9"}, "runs version 0.9, the leader 1.0"),
        (2, {"options": {"max_rows": "8"}}, r"max_rows 8 \(the leader: 4\)"),
        (1, {}, "has joined already, from host host1"),
    ],
)
async def test_who_does_not_belong_is_refused_and_no_loss(bench, process, changes, words):
    async with bench.follower(1) as joined:
        joining = asyncio.create_task(bench.join())
        async with bench.follower(process, **changes) as refused:
            with pytest.raises(grpc.aio.AioRpcError, match=words) as ended:
                await refused.read()
            assert ended.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        async with bench.follower(2):
            await joining
            await joined.initial_metadata()
        assert (await bench.losses.get()).startswith("process 2/3")


@pytest.mark.parametrize("garbage", [b"", b"\xff\xff\xff", codec.encode_report(LOADED)])
async def test_a_stream_that_does_not_say_who_joins_is_refused(bench, garbage):
    async with grpc.aio.insecure_channel(bench.target) as channel:
        stream = channel.stream_stream(codec.METHODS["Follow"])()
        await stream.write(garbage)
        with pytest.raises(grpc.aio.AioRpcError, match="a FollowerReport must hold|cannot be read|must say who joins"):
            await stream.read()
        assert await stream.code() is grpc.StatusCode.FAILED_PRECONDITION


async def test_who_comes_when_the_replica_ends_is_refused(bench):
    bench.followers.close("the model is broken")
    async with bench.follower(1) as late:
        with pytest.raises(grpc.aio.AioRpcError, match="comes too late"):
            await late.read()


async def test_those_who_do_not_come_are_named(bench, monkeypatch):
    monkeypatch.setattr(leader, "JOIN_SECONDS", 0.0)
    with pytest.raises(OSError, match="^process 1/3, 2/3 of this replica did not join within 0 s$"):
        await bench.join()


async def test_a_follower_with_other_weights_is_named(bench):
    joining = asyncio.create_task(bench.join())
    async with bench.follower(1) as same, bench.follower(2) as other:
        await joining
        await same.write(LOADED)
        await other.write(replace(LOADED, fingerprint="beef"))
        with pytest.raises(ValueError, match="host2.* something else: fingerprint beef .the leader: f00d"):
            await bench.followers.load(LOADED)


async def test_an_engine_on_one_host_waits_for_nobody():
    followers = Followers(Member(), on_loss=pytest.fail)
    await followers.join(pytest.fail)
    await followers.load(LOADED)
    followers.announce(TURNS[0])
    await followers.settle()
    followers.close()
