"""A follower's process, but for the process: against the real leader's side, with a stand-in for the engine."""

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable

import grpc
import pytest

from serving.engine.follower import follow
from serving.engine.leader import Followers
from serving.engine.member import Member
from serving.engine.request import EngineDescription, GenerationRequest, SamplingParams
from serving.engine.turns import Turn

LOADED = EngineDescription("tiny", 128, 32000, 4, 16, 32, "float32", "cpu", "f00d", (2,))
LEADER, FOLLOWER = Member(0, 2, "host0", "1.0"), Member(1, 2, "host1", "1.0")
PROMPT = (31998, 31999)
TURNS = [Turn((GenerationRequest("1/a", PROMPT, SamplingParams(max_tokens=3)),), 1), Turn((), 4)]


def never_load(report):
    pytest.fail("a follower loads only when all have joined")


class TurnKeeper:
    """Follows by keeping what it is told; a turn of `poison` decode steps makes it fail."""

    description = LOADED

    def __init__(self, poison: int = 0):
        self.failed: BaseException | None = None
        self.turns: list[Turn] = []
        self.burnt, self.ended = threading.Event(), threading.Event()
        self._poison = poison

    def follow(self, publish: Callable, turns: Callable[[], Turn | None]) -> None:
        threading.Thread(target=self._run, args=(publish, turns), daemon=True).start()

    def _run(self, publish: Callable, turns: Callable[[], Turn | None]) -> None:
        while (turn := turns()) is not None:
            self.turns.append(turn)
            if turn.decode_steps == self._poison:
                self.failed = RuntimeError("the device is on fire")
            publish([], None)
            if self.failed:
                self.burnt.set()
        self.ended.set()


class Replica:
    """A leader's server and one follower."""

    def __init__(self, target: str):
        self.losses: asyncio.Queue[str] = asyncio.Queue()
        self.followers = Followers(LEADER, self.losses.put_nowait)
        self.server = grpc.aio.server()
        self.server.add_generic_rpc_handlers((self.followers.handler(),))
        self.server.add_insecure_port(target)
        self.target = target
        self.engine = TurnKeeper()

    def follow(self, member: Member = FOLLOWER, load: Callable | None = None) -> asyncio.Task[int]:
        """The follower's life; its result is the exit status."""
        return asyncio.create_task(follow(self.target, member, load or (lambda report: self.engine)))

    async def make_ready(self) -> None:
        await self.followers.join(lambda progress: None)
        await self.followers.load(LOADED)


@pytest.fixture
async def replica(tmp_path, caplog) -> AsyncIterator[Replica]:
    caplog.set_level(logging.INFO, "serving")
    made = Replica(f"unix:{tmp_path / 'leader.sock'}")
    await made.server.start()
    async with asyncio.timeout(30):
        yield made
    await made.server.stop(None)
    assert str(PROMPT[0]) not in caplog.text


async def test_it_obeys_every_turn_and_ends_well_with_its_leader(replica, caplog):
    following = replica.follow()
    await replica.make_ready()
    for turn in TURNS:
        replica.followers.announce(turn)
    await asyncio.sleep(0)
    replica.followers.close()
    assert await following == 0
    assert await asyncio.to_thread(replica.engine.ended.wait, 20)
    assert replica.engine.turns == TURNS
    assert caplog.messages[-1] == "process 1/2 (host host1) followed 2 turns until the leader stopped"


async def test_it_ends_with_the_leader_s_reason(replica, caplog):
    following = replica.follow()
    await replica.make_ready()
    replica.followers.close("process 2/3 of this replica was lost (host host2)")
    assert await following == 1
    assert caplog.messages[-1] == (
        "the leader has ended this replica: process 2/3 of this replica was lost (host host2)"
    )


async def test_a_leader_that_breaks_off_is_lost(replica, caplog):
    following = replica.follow()
    await replica.make_ready()
    await replica.server.stop(None)
    assert await following == 1
    last = f"process 0/2 of this replica, the leader at {replica.target}, was lost: "
    assert caplog.messages[-1].startswith(last)


async def test_a_leader_may_come_later(tmp_path, replica):
    later = Replica(f"unix:{tmp_path / 'later.sock'}")
    following = later.follow()
    await asyncio.sleep(0)
    await later.server.start()
    await later.make_ready()
    later.followers.close()
    assert await following == 0


async def test_a_leader_that_refuses_is_quoted(replica, caplog):
    assert await replica.follow(Member(1, 2, "host1", "0.9"), never_load) == 1
    assert caplog.messages[-1] == (
        f"the leader at {replica.target} refuses this process: "
        "process 1/2 (host host1) runs version 0.9, the leader 1.0; all must run the same"
    )


async def test_the_leader_hears_why_a_follower_cannot_start(replica, caplog, monkeypatch):
    monkeypatch.setattr("serving.engine.follower.SETTLE_SECONDS", 0.01)

    def load(report):
        raise ValueError("the weights are broken")

    following = replica.follow(load=load)
    await replica.followers.join(lambda progress: None)
    assert await replica.losses.get() == (
        "process 1/2 of this replica was lost (host host1): the engine could not start: the weights are broken"
    )
    assert await following == 1
    assert caplog.messages[-1] == "the engine could not start: the weights are broken"


async def test_the_leader_hears_why_a_follower_s_loop_failed(replica, caplog, monkeypatch):
    monkeypatch.setattr("serving.engine.follower.SETTLE_SECONDS", 0.01)
    replica.engine = TurnKeeper(poison=4)
    following = replica.follow()
    await replica.make_ready()
    for turn in TURNS:
        replica.followers.announce(turn)
    reason = "the engine failed: RuntimeError: the device is on fire"
    assert await replica.losses.get() == f"process 1/2 of this replica was lost (host host1): {reason}"
    assert await following == 1
    assert caplog.messages[-1] == reason


async def test_a_failure_waits_for_the_leader_to_say_who_was_lost(replica, caplog):
    replica.engine = TurnKeeper(poison=1)
    following = replica.follow()
    await replica.make_ready()
    replica.followers.announce(TURNS[0])
    assert await asyncio.to_thread(replica.engine.burnt.wait, 20)
    replica.followers.close("process 2/3 of this replica was lost (host host2)")
    assert await following == 1
    assert "on fire" not in caplog.text


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_follower_that_is_told_to_stop_tells_the_leader(replica, name):
    following = replica.follow()
    await replica.make_ready()
    os.kill(os.getpid(), name)
    assert await replica.losses.get() == "process 1/2 of this replica was lost (host host1): it was told to stop"
    assert await following == 0


async def test_a_follower_without_a_leader_can_be_stopped(tmp_path, replica):
    alone = asyncio.create_task(follow(f"unix:{tmp_path / 'nobody.sock'}", FOLLOWER, never_load))
    await asyncio.sleep(0)  # it begins
    os.kill(os.getpid(), signal.SIGTERM)
    assert await alone == 0


async def test_a_follower_whose_replica_does_not_come_together_says_so(tmp_path, replica, caplog, monkeypatch):
    monkeypatch.setattr("serving.engine.follower.JOIN_SECONDS", 0.01)
    monkeypatch.setattr("serving.engine.follower.SETTLE_SECONDS", 0.01)
    assert await follow("unix:/nobody.sock", FOLLOWER, never_load) == 1
    assert caplog.messages[-1] == (
        "the engine could not start: the leader at unix:/nobody.sock and all 2 processes did not meet within 0 s"
    )
