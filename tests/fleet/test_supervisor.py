"""Engines that die, hang or never come, and a replica that gets the next one."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from serving.fleet.launcher import FixedAddress
from serving.fleet.replica import Replica, ReplicaState, ReplicaUnavailable
from serving.fleet.supervisor import Backoff, Supervisor
from tests.fleet.conftest import RecordingLauncher

ENDLESS = 10**9
GATEWAY = Path(__file__).with_name("bare_gateway.py")


async def outcome(replica: Replica, request) -> list[int] | ReplicaUnavailable:
    """A request's tokens, or the error that it ended with."""
    got = []
    try:
        async for delta in replica.generate(request):
            got += delta.tokens
    except ReplicaUnavailable as error:
        return error
    return got


async def test_backoff_doubles_up_to_its_cap():
    backoff = Backoff(first=0.5, longest=30)
    assert [backoff.delay(failures) for failures in (1, 2, 3, 7, 10_000)] == [0.5, 1, 2, 30, 30]


async def test_a_first_start_may_wait_for_another_replica_s(echo_fleet, echo):
    async with echo_fleet("--stuck", ready=False) as first:
        launcher = RecordingLauncher(echo())
        second = Supervisor(Replica("r1"), launcher, after=first.replica.settled)
        second.start()
        await first.until(ReplicaState.STARTING, "weights")
        assert not launcher.engines and not first.replica.settled.is_set()
        os.kill(first.launcher.engines[0].pid, signal.SIGKILL)  # the first has had its start
        await second.replica.settled.wait()
        assert second.replica.state is ReplicaState.READY
        await second.stop()


async def test_a_killed_engine_ends_its_streams_and_is_replaced(echo_fleet, request_of):
    async with echo_fleet("--step-seconds", "0.001") as fleet:
        for crash in range(2):
            running = [fleet.replica.generate(request_of(f"{crash}.{n}", ENDLESS)) for n in range(16)]
            for stream in running:
                await anext(stream)
            os.kill(fleet.launcher.engines[-1].pid, signal.SIGKILL)
            for stream in running:
                with pytest.raises(ReplicaUnavailable) as ended:
                    async for _ in stream:
                        pass
                assert ended.value.retry_after >= 1
            with pytest.raises(ReplicaUnavailable):
                fleet.replica.generate(request_of("refused"))
            await fleet.until(ReplicaState.READY)
            assert await outcome(fleet.replica, request_of("next")) == [5, 6, 7, 5]
        assert len(fleet.launcher.engines) == 3
        assert fleet.supervisor.last_error.endswith("the engine's process was killed by SIGKILL")
        assert [state for state, _ in fleet.seen].count(ReplicaState.DOWN) == 2


@pytest.mark.parametrize(("reset_after", "pauses"), [(3600, ["0.01 s", "0.02 s"]), (0, ["0.01 s", "0.01 s"])])
async def test_only_an_engine_that_served_a_while_resets_the_backoff(echo_fleet, caplog, reset_after, pauses):
    async with echo_fleet(backoff=Backoff(first=0.01, reset_after=reset_after)) as fleet:
        for _ in pauses:
            os.kill(fleet.launcher.engines[-1].pid, signal.SIGKILL)
            await fleet.until(ReplicaState.DOWN)
            await fleet.until(ReplicaState.READY)
    assert [message.rpartition("next start in ")[2] for message in caplog.messages] == pauses


async def test_an_engine_whose_loop_failed_is_replaced(echo_fleet, request_of):
    async with echo_fleet("--poison", "7") as fleet:
        (delta,) = [delta async for delta in fleet.replica.generate(request_of("a"))]
        assert delta.error == "the engine failed"
        await fleet.until(ReplicaState.DOWN)
        await fleet.until(ReplicaState.READY)
        assert "status 1" in fleet.supervisor.last_error
        assert "a poisoned prompt" in fleet.supervisor.last_error


async def test_an_engine_that_hangs_is_killed_and_replaced(echo_fleet, request_of):
    async with echo_fleet("--step-seconds", "0.001", keepalive=0.3, grace=0.05) as fleet:
        stream = fleet.replica.generate(request_of("a", ENDLESS))
        await anext(stream)
        os.kill(fleet.launcher.engines[0].pid, signal.SIGSTOP)
        with pytest.raises(ReplicaUnavailable):
            async for _ in stream:
                pass
        await fleet.until(ReplicaState.READY)
        assert await fleet.launcher.engines[0].wait() == "the engine's process was killed by SIGKILL"
        assert await outcome(fleet.replica, request_of("next")) == [5, 6, 7, 5]


async def test_an_engine_that_cannot_load_is_tried_again_and_again(echo_fleet, request_of):
    async with echo_fleet("--broken", ready=False) as fleet:
        for _ in range(3):
            await fleet.until(ReplicaState.STARTING)
            await fleet.until(ReplicaState.DOWN)
        with pytest.raises(ReplicaUnavailable):
            fleet.replica.generate(request_of("a"))
        assert "the weights are broken" in fleet.supervisor.last_error
        assert fleet.replica.progress.stage == "failed"
        assert "the weights are broken" in fleet.replica.progress.message
        assert ReplicaState.READY not in {state for state, _ in fleet.seen}


async def test_stop_ends_the_engine_and_its_requests(echo_fleet, request_of, process_end):
    async with echo_fleet("--step-seconds", "0.001") as fleet:
        stream = fleet.replica.generate(request_of("a", ENDLESS))
        await anext(stream)
        ended = asyncio.create_task(process_end(fleet.launcher.engines[0].pid))
        await fleet.supervisor.stop()
        with pytest.raises(ReplicaUnavailable):
            async for _ in stream:
                pass
        await ended
        assert len(fleet.launcher.engines) == 1


async def test_an_engine_at_a_fixed_address_may_come_go_and_come_back(echo, echo_fleet, request_of, unused_tcp_port):
    address = f"127.0.0.1:{unused_tcp_port}"

    async def engine() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(*echo("--step-seconds", "0.001")(address), stdin=subprocess.PIPE)

    async with echo_fleet(launcher=FixedAddress(address), ready=False) as fleet:
        for _ in range(2):
            process = await engine()
            await fleet.until(ReplicaState.READY)
            assert await outcome(fleet.replica, request_of("a")) == [5, 6, 7, 5]
            running = asyncio.create_task(outcome(fleet.replica, request_of("b", ENDLESS)))
            await outcome(fleet.replica, request_of("c"))
            process.kill()
            assert isinstance(await running, ReplicaUnavailable)
            await process.wait()


async def test_a_killed_gateway_leaves_no_engine_behind(process_end):
    gateway = await asyncio.create_subprocess_exec(
        *(sys.executable, str(GATEWAY)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    async with asyncio.timeout(30):
        engine = int(await gateway.stdout.readline())
        ended = asyncio.create_task(process_end(engine))
        await asyncio.sleep(0)
        gateway.kill()
        await ended
        await gateway.wait()
