"""One encoder's replica over a real process that is killed, hangs or never comes."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from serving.encoder.options import EncoderOptions
from serving.encoder.request import EmbedRequest, InputTooLong
from serving.fleet.encoder_replica import EncoderReplica
from serving.fleet.launcher import LocalLauncher, encoder_command
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.fleet.supervisor import Backoff, Supervisor
from tests.fleet.echo_encoder import POISON, STUCK

ECHO = str(Path(__file__).with_name("echo_encoder.py"))


class Fleet:
    """A supervised encoder replica; `process` is the latest one of its launcher's."""

    def __init__(self, *flags: str, grace: float = 8.0, **replica_options):
        self._changed = asyncio.Event()
        self.replica = EncoderReplica("echo", on_change=lambda _: self._changed.set(), **replica_options)
        command = [sys.executable, ECHO, "--exit-with-parent", *flags, "--listen"]
        launcher = LocalLauncher(lambda listen: [*command, listen], kind="encoder", grace=grace)
        launch = launcher.start

        async def start():
            self.process = await launch()
            return self.process

        launcher.start = start
        self.supervisor = Supervisor(self.replica, launcher, Backoff(first=0.01, longest=0.05))

    async def until(self, state: ReplicaState) -> None:
        while self.replica.state is not state:
            self._changed.clear()
            await self._changed.wait()

    async def waiting(self, count: int) -> None:
        """Return when so many texts wait in the encoder."""
        while self.replica.stats.waiting != count:
            await self.replica.embed(EmbedRequest(((1,),)))


@pytest.fixture
def fleet():
    @contextlib.asynccontextmanager
    async def started(*flags: str, ready=True, **options) -> AsyncIterator[Fleet]:
        made = Fleet(*flags, **options)
        made.supervisor.start()
        try:
            async with asyncio.timeout(60):
                if ready:
                    await made.until(ReplicaState.READY)
                yield made
        finally:
            await made.supervisor.stop()

    return started


def stuck(replica: EncoderReplica) -> asyncio.Task:
    return asyncio.create_task(replica.embed(EmbedRequest(((STUCK,),))))


async def test_texts_become_vectors_and_what_cannot_be_read_is_refused(fleet):
    async with fleet() as running:
        embeddings = await running.replica.embed(EmbedRequest(((5, 6), (7, 8, 9, 10, 11))))
        assert embeddings.vectors.tolist() == [[5, 6, 0, 0], [7, 8, 9, 10]]
        assert embeddings.token_counts == (2, 5)
        assert running.replica.description.model == "echo"
        with pytest.raises(InputTooLong, match=r"input\[0\] has 17 tokens"):
            await running.replica.embed(EmbedRequest((tuple(range(17)),)))
        with pytest.raises(ValueError, match="token id 92"):
            await running.replica.embed(EmbedRequest(((92,),)))


async def test_who_no_longer_waits_takes_his_texts_along(fleet):
    async with fleet() as running:
        task = stuck(running.replica)
        await running.waiting(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await running.waiting(0)


async def test_a_killed_encoder_ends_its_requests_and_is_replaced(fleet):
    async with fleet() as running:
        task = stuck(running.replica)
        await running.waiting(1)
        os.kill(running.process.pid, signal.SIGKILL)
        with pytest.raises(ReplicaUnavailable, match="the encoder is restarting; try again in"):
            await task
        await running.until(ReplicaState.DOWN)
        assert running.replica.stats.waiting == 0
        with pytest.raises(ReplicaUnavailable):
            await running.replica.embed(EmbedRequest(((1,),)))
        await running.until(ReplicaState.READY)
        assert (await running.replica.embed(EmbedRequest(((1,),)))).token_counts == (1,)
        assert running.supervisor.last_error.endswith("the encoder's process was killed by SIGKILL")


async def test_an_encoder_that_failed_is_replaced_and_logs_no_text(fleet, caplog):
    async with fleet() as running:
        with pytest.raises(ReplicaUnavailable):
            await running.replica.embed(EmbedRequest(((POISON, 12, 13),)))
        await running.until(ReplicaState.DOWN)
        await running.until(ReplicaState.READY)
        assert "a poisoned text" in running.supervisor.last_error
        assert "12, 13" not in caplog.text


async def test_an_encoder_that_hangs_is_killed_and_replaced(fleet):
    async with fleet(keepalive=0.3, grace=0.05) as running:
        task, hung = stuck(running.replica), running.process
        await running.waiting(1)
        os.kill(hung.pid, signal.SIGSTOP)
        with pytest.raises(ReplicaUnavailable):
            await task
        await running.until(ReplicaState.READY)
        assert await hung.wait() == "the encoder's process was killed by SIGKILL"
        assert (await running.replica.embed(EmbedRequest(((1,),)))).token_counts == (1,)


async def test_nobody_waits_for_an_encoder_that_loads(fleet):
    async with fleet("--stuck", ready=False) as running:
        with pytest.raises(ReplicaUnavailable, match="the encoder is starting"):
            await running.replica.embed(EmbedRequest(("text",)))
        assert running.replica.description is None


def test_the_encoders_command_spells_out_its_settings():
    command = encoder_command(EncoderOptions(model="some/encoder", batch_tokens=128))("unix:/run/e.sock")
    assert command[:4] == [sys.executable, "-m", "serving.cli", "encoder"]
    assert "--exit-with-parent" in command
    for flag, value in (
        ("--encoder-model", "some/encoder"),
        ("--listen", "unix:/run/e.sock"),
        ("--encoder-batch-tokens", "128"),
    ):
        assert command[command.index(flag) + 1] == value
