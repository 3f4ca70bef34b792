"""One replica over two processes on loopback, each with two virtual devices of one mesh of four."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models

from serving.engine import codec
from serving.engine.request import Delta, FinishReason, GenerationRequest, SamplingParams
from serving.engine.turns import Cancel
from serving.process.codec import decode_progress, encode_empty
from serving.process.progress import StartupProgress

FOLDER = Path(__file__).parent.parent / "oracles" / "golden" / "grouped_tied"
REFERENCE = np.load(FOLDER / "reference.npz")
PROMPT = tuple(REFERENCE["prompt"].tolist())
GREEDY = REFERENCE["reply"].tolist()
FLAGS = "--mesh tensor=2,pipeline=2 --max-rows 1 --max-context 256 --step-tokens 16 --pages 20"
HOST = socket.gethostname()
JAX = {"JAX_NUM_CPU_DEVICES": "2", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""Followers compile at every start, since JAX's cache keeps what process 0 compiles: it shall be quick."""


@dataclass
class Replica:
    """Process 0, which serves at `address`, and process 1. What they wrote is in `logs`."""

    address: str
    leader: asyncio.subprocess.Process
    follower: asyncio.subprocess.Process
    logs: tuple[Path, Path]

    def last_line(self, process: int) -> str:
        return self.logs[process].read_text().splitlines()[-1]


@contextlib.asynccontextmanager
async def replica(folder: Path, model: Path, data: Path, ports: tuple[int, int]) -> AsyncIterator[Replica]:
    """Two processes that have just been started."""
    address, coordinator = (f"127.0.0.1:{port}" for port in ports)
    command = [sys.executable, "-m", "serving.cli", "engine", "--model", str(model), "--listen", address]
    command += ["--coordinator", coordinator, "--data-dir", str(data), *FLAGS.split()]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    logs = folder / "leader.log", folder / "follower.log"
    processes = []
    try:
        async with asyncio.timeout(400):
            for number, log in enumerate(logs):
                with log.open("wb") as stderr:
                    processes.append(
                        await asyncio.create_subprocess_exec(
                            *(*command, "--process", f"{number}/2"),
                            env=inherited | JAX,
                            stdout=subprocess.DEVNULL,
                            stderr=stderr,
                        )
                    )
            yield Replica(address, *processes, logs)
    finally:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextlib.asynccontextmanager
async def gateway(running: Replica) -> AsyncIterator[grpc.aio.StreamStreamCall]:
    """A gateway's stream, once the replica is ready."""
    async with grpc.aio.insecure_channel(running.address) as channel:
        watch = channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)
        starting = asyncio.create_task(_last_of(watch(None, wait_for_ready=True)))
        ends = [asyncio.create_task(process.wait()) for process in (running.leader, running.follower)]
        await asyncio.wait([starting, *ends], return_when=asyncio.FIRST_COMPLETED)
        assert starting.done(), [log.read_text() for log in running.logs]
        assert starting.result().stage == "ready"
        yield channel.stream_stream(codec.METHODS["Generate"], codec.encode_command, codec.decode_step)()


async def _last_of(stream: AsyncIterator[StartupProgress]) -> StartupProgress:
    return [item async for item in stream][-1]


async def _read_to_the_end(stream: grpc.aio.StreamStreamCall) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


def request(name: str, **sampling) -> GenerationRequest:
    return GenerationRequest(name, PROMPT, SamplingParams(**{"temperature": 0, "ignore_eos": True} | sampling))


@pytest.fixture
def start(tmp_path, server_data, unused_tcp_port_factory) -> Callable:
    """Starts a replica of the golden model, which only lacks a tokenizer to be one that can be served."""
    model = shutil.copytree(FOLDER, tmp_path / "model")
    backend = Tokenizer(models.BPE({chr(33 + token): token for token in range(64)}, []))
    backend.decoder = decoders.ByteLevel()
    backend.save(str(model / "tokenizer.json"))
    return lambda: replica(tmp_path, model, server_data, (unused_tcp_port_factory(), unused_tcp_port_factory()))


async def test_two_processes_give_the_reference_s_tokens_and_stop_together(start):
    """Requests wait for the one row, find what others left in the prefix cache, and one is cancelled."""
    async with start() as running, gateway(running) as stream:
        await stream.write(request("greedy", max_tokens=50))
        await stream.write(request("cancelled", max_tokens=200))
        await stream.write(request("seeded", max_tokens=20, temperature=1.5, seed=7, logprobs=2))
        await stream.write(request("again", max_tokens=20, temperature=1.5, seed=7))
        await stream.write(Cancel("cancelled"))
        replies: dict[str, list[Delta]] = {}
        while len(replies) < 4 or any(reply[-1].finish_reason is None for reply in replies.values()):
            for delta in (await stream.read()).deltas:
                replies.setdefault(delta.id, []).append(delta)
        tokens = {name: [token for delta in reply for token in delta.tokens] for name, reply in replies.items()}
        assert tokens["greedy"] == GREEDY[:50]
        assert tokens["seeded"] == tokens["again"] and len(tokens["again"]) == 20
        assert replies["again"][0].cached_tokens > 0
        assert replies["cancelled"][-1].finish_reason is FinishReason.CANCELLED
        running.leader.send_signal(signal.SIGTERM)
        assert (await running.leader.wait(), await running.follower.wait()) == (0, 0)
        assert f"process 1/2 (host {HOST}) followed" in running.last_line(1)


async def test_a_lost_follower_ends_the_replica_with_its_name(start):
    async with start() as running, gateway(running) as stream:
        await stream.write(request("a", max_tokens=200))
        await stream.read()
        running.follower.kill()
        reason = f"process 1/2 of this replica was lost (host {HOST})"
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await _read_to_the_end(stream)
        assert (ended.value.code(), ended.value.details()) == (grpc.StatusCode.UNAVAILABLE, reason)
        assert await running.leader.wait() == 1
        assert running.last_line(0).endswith(reason)


async def test_a_lost_leader_ends_its_followers_with_its_name(start):
    async with start() as running, gateway(running) as stream:
        await stream.write(request("a", max_tokens=200))
        await stream.read()
        running.leader.kill()
        assert await running.follower.wait() == 1
        assert f"process 0/2 of this replica, the leader at {running.address}, was lost" in running.last_line(1)


async def test_a_wrong_number_is_one_message_and_status_2():
    command = [sys.executable, "-m", "serving.cli", "engine", "--listen", "127.0.0.1:9100"]
    process = await asyncio.create_subprocess_exec(
        *(*command, "--coordinator", "host0:8482", "--process", "2/2"), stderr=subprocess.PIPE
    )
    _, message = await process.communicate()
    assert process.returncode == 2
    assert message.startswith(b"error: --process is '2/2'; accepted is I/N: ") and message.count(b"\n") == 1
