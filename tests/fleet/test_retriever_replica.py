"""A retriever's replica over real processes: the retriever and its encoder are killed, and come back."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from serving.fleet.launcher import LocalLauncher, retriever_command
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.fleet.retriever_replica import RetrieverReplica
from serving.fleet.supervisor import Backoff, Supervisor
from serving.retriever.options import RetrieverOptions
from serving.retriever.request import Conflict, InvalidRetrieval, NotFound, Query, Upload
from tests.golden_encoders import GOLDEN


class Fleet:
    """A supervised retriever; `process` is the latest one of its launcher's."""

    def __init__(self, folder: Path) -> None:
        self._changed = asyncio.Event()
        self.replica = RetrieverReplica("retriever", on_change=lambda _: self._changed.set())
        command = retriever_command(folder, f"unix:{folder}/encoder", str(GOLDEN / "bert"), RetrieverOptions())
        launcher = LocalLauncher(command, kind="retriever")
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

    async def all_read(self, tenant: str = "ann") -> dict[str, str]:
        """The status of every document, once none waits."""
        while (await self.replica.collection(tenant, "notes")).pending:
            pass
        return {document.id: document.status for document in await self.replica.documents(tenant, "notes")}

    async def found(self, query: str, tenant: str = "ann", **more) -> list[str]:
        """The documents that hold the passages found."""
        hits = await self.replica.search(tenant, "notes", Query(query, mode="bm25", **more))
        return [hit.document for hit in hits]


@pytest.fixture
def fleet(tmp_path):
    @contextlib.asynccontextmanager
    async def started() -> AsyncIterator[Fleet]:
        made = Fleet(tmp_path)
        made.supervisor.start()
        try:
            async with asyncio.timeout(180):
                yield made
        finally:
            await made.supervisor.stop()

    return started


async def for_ever(call: Callable[[], Awaitable]) -> None:
    """Make a call again and again, until it fails."""
    while True:
        await call()


def texts(*numbers: int) -> list[Upload]:
    return [Upload(f"d{number:02}", f"Words and word{number}.".encode(), metadata={"n": number}) for number in numbers]


async def test_documents_go_in_passages_come_out_and_each_tenant_sees_its_own(fleet, echo_encoder):
    echo_encoder()
    async with fleet() as running:
        replica = running.replica
        with pytest.raises(ReplicaUnavailable, match="the retriever is starting"):
            await replica.collections("ann")
        await running.until(ReplicaState.READY)
        assert replica.description.encoder == "echo echo"
        made = await replica.create("ann", "notes")
        assert (made.name, made.dimensions, made.ready) == ("notes", 32, 0)
        bad = Upload("bad.pdf", b"%PDF-1.7 nothing")
        receipts = await replica.add("ann", "notes", [*texts(1, 2), bad])
        assert [receipt.status for receipt in receipts] == ["pending"] * 3
        assert await running.all_read() == {"bad.pdf": "failed", "d01": "ready", "d02": "ready"}
        failed = await replica.document("ann", "notes", "bad.pdf")
        assert failed.error.startswith("bad.pdf: the file is damaged")
        assert [receipt.status for receipt in await replica.add("ann", "notes", texts(1))] == ["unchanged"]

        (hit,) = await replica.search("ann", "notes", Query("word2", mode="bm25"))
        assert (hit.document, hit.text, hit.metadata, hit.position) == ("d02", "Words and word2.", {"n": 2}, 0)
        assert await running.found("words", filter={"type": "lt", "key": "n", "value": 2}) == ["d01"]
        assert [document.id for document in await replica.documents("ann", "notes", after="bad.pdf", limit=1)] == [
            "d01"
        ]

        for other in (replica.collection, replica.drop, replica.documents):
            with pytest.raises(NotFound, match="there is no collection 'notes'"):
                await other("ben", "notes")
        with pytest.raises(NotFound):
            await running.found("words", tenant="ben")
        assert not await replica.collections("ben")
        with pytest.raises(InvalidRetrieval, match="top_k is 0"):
            await replica.search("ann", "notes", Query("words", top_k=0))
        with pytest.raises(InvalidRetrieval, match="cannot name a collection"):
            await replica.create("ann", "no name")

        await replica.delete("ann", "notes", "d01")
        assert await running.found("words") == ["d02"]
        with pytest.raises(NotFound, match="no document 'd01'"):
            await replica.document("ann", "notes", "d01")
        await replica.drop("ann", "notes")
        assert not await replica.collections("ann")


async def test_what_was_accepted_outlives_a_killed_retriever_and_a_killed_encoder(fleet, echo_encoder):
    encoder = echo_encoder()
    async with fleet() as running:
        await running.until(ReplicaState.READY)
        await running.replica.add("ann", "notes", texts(*range(20)))
        await running.all_read()
        encoder.kill()
        encoder.wait()
        with pytest.raises(ReplicaUnavailable, match="the encoder .*; try again"):
            await for_ever(lambda: running.replica.search("ann", "notes", Query("word1", mode="dense")))
        assert await running.found("word1") == ["d01"]  # words need no encoder
        await running.replica.add("ann", "notes", texts(*range(10, 60)))
        assert (await running.replica.collection("ann", "notes")).pending == 40
        os.kill(running.process.pid, signal.SIGKILL)
        await running.until(ReplicaState.DOWN)
        with pytest.raises(ReplicaUnavailable):
            await running.found("word1")
        echo_encoder()
        await running.until(ReplicaState.READY)
        assert set((await running.all_read()).values()) == {"ready"}
        assert (await running.replica.collection("ann", "notes")).ready == 60
        for number in (1, 25, 59):
            assert await running.found(f"word{number}") == [f"d{number:02}"]


async def test_a_collection_of_another_encoder_answers_words_and_nothing_else(fleet, echo_encoder):
    encoder = echo_encoder("--fingerprint", "fp_1")
    async with fleet() as running:
        await running.until(ReplicaState.READY)
        await running.replica.add("ann", "notes", texts(1))
        await running.all_read()
        encoder.kill()
        encoder.wait()
        echo_encoder("--fingerprint", "fp_2")
        await running.until(ReplicaState.DOWN)  # vectors of two encoders must not meet
        await running.until(ReplicaState.READY)
        assert "the encoder is echo fp_2 now" in running.supervisor.last_error
        assert await running.found("word1") == ["d01"]
        for refused in (running.replica.search("ann", "notes", Query("word1")), running.replica.create("ann", "notes")):
            with pytest.raises(Conflict, match="made with the encoder echo fp_1, and echo fp_2 is running"):
                await refused


def test_the_retriever_s_command_spells_out_its_settings_but_for_the_secret_one():
    options = RetrieverOptions(chunk_tokens=99, database_url="postgresql://me:hush@here/db")
    command = retriever_command(Path("some/data"), "unix:/run/e.sock", "some/encoder", options)("unix:/run/r.sock")
    assert command[:4] == [sys.executable, "-m", "serving.cli", "retriever"]
    assert "--exit-with-parent" in command
    for flag, value in (
        ("--data-dir", "some/data"),
        ("--encoder-address", "unix:/run/e.sock"),
        ("--encoder-model", "some/encoder"),
        ("--listen", "unix:/run/r.sock"),
        ("--chunk-tokens", "99"),
    ):
        assert command[command.index(flag) + 1] == value
    assert "hush" not in " ".join(command)
