"""`tradewind ingest` against a running server: mixed folders, faults half-way, buckets."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from serving.ingest.run import ingest
from tests.bucket_server import BucketServer, upload
from tests.retrieval.parsing.pdf_file import pdf

MIXED = {
    "notes.txt": b"The harbour master's telephone is 4711.",
    "guide/winds.md": b"# Trade winds\n\nThey blow from the east.",
    "tides.html": b"<html><title>Tides</title><body><p>High water comes twice a day.</p></body></html>",
    "light.pdf": pdf([["The lighthouse was built in 1899."]]),
    "knots.py": b"def knots(metres):\n    return metres * 1.94384\n",
    "poison.txt": b"\x00\x01\x02",
    "broken.pdf": b"%PDF-1.7 nothing more",
    ".secret": b"hidden",
}


def write(folder: Path, files: dict[str, bytes]) -> str:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return str(folder)


@pytest.fixture
def run(keeper) -> Callable[..., tuple[int, str]]:
    """`run(location, collection)`: exit status and everything that was printed."""

    def run(location: str, name: str, url: str = keeper.url, key: str = "") -> tuple[int, str]:
        printed = io.StringIO()
        status = ingest(location, name, url, key, Console(file=printed, width=400))
        return status, printed.getvalue()

    return run


@pytest.fixture
def command(keeper) -> Iterator[Callable[[str, str], subprocess.Popen]]:
    """`command(location, collection)`: `tradewind ingest` as a process."""
    started: list[subprocess.Popen] = []

    def start(location: str, name: str) -> subprocess.Popen:
        line = [sys.executable, "-m", "serving.cli", "ingest", location, "--collection", name, "--url", keeper.url]
        started.append(subprocess.Popen(line, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def counts(keeper, name: str) -> dict[str, int]:
    """A collection's documents by status."""
    return httpx.get(f"{keeper.url}/v1/collections/{name}", timeout=60).json()["documents"]


def until_begun(keeper, name: str) -> None:
    """Returns once the first documents of a collection are there."""
    with httpx.Client(base_url=keeper.url, timeout=60) as http:
        while not sum(http.get(f"/v1/collections/{name}").json().get("documents", {}).values()):
            pass


MANY = 400
"""More documents than are sent in one go."""


def many(folder: Path) -> str:
    return write(folder, {f"{number:03}.txt": f"Document number word{number}.".encode() for number in range(MANY)})


def test_a_mixed_folder_is_read_what_cannot_be_is_told_and_what_is_there_is_skipped(keeper, run, tmp_path):
    folder = write(tmp_path / "mixed", MIXED)
    status, printed = run(folder, "mixed")
    assert status == 1
    assert "failed: mixed/poison.txt: it holds control characters, so it is no text" in printed
    assert "failed: mixed/broken.pdf: the file is damaged" in printed
    assert "mixed: 5 indexed, 0 unchanged, 2 failed, 1 skipped (hidden)" in printed
    assert "7/7" in printed  # the bar
    assert counts(keeper, "mixed") == {"pending": 0, "ready": 5, "failed": 2}
    search = {"query": "lighthouse built 1899", "mode": "bm25", "top_k": 1}
    (hit,) = httpx.post(f"{keeper.url}/v1/collections/mixed/search", json=search).json()["data"]
    assert (hit["document_id"], hit["page"]) == ("mixed/light.pdf", 1)

    for name in ("poison.txt", "broken.pdf"):
        (tmp_path / "mixed" / name).unlink()
    (tmp_path / "mixed" / "notes.txt").write_text("The harbour master has moved.")
    assert run(folder, "mixed")[0] == 0
    status, printed = run(folder, "mixed")
    assert (status, printed.splitlines()[-1]) == (0, "mixed: 0 indexed, 5 unchanged, 0 failed, 1 skipped (hidden)")


def test_a_killed_retriever_and_a_killed_encoder_lose_nothing(keeper, command, tmp_path):
    process = command(many(tmp_path / "many"), "killed")
    until_begun(keeper, "killed")
    for kind in ("encoder", "retriever"):
        os.kill(keeper.child_pid(kind), signal.SIGKILL)
    _, printed = process.communicate()
    assert process.returncode == 0, printed
    assert f"killed: {MANY} indexed, 0 unchanged, 0 failed" in printed
    assert counts(keeper, "killed") == {"pending": 0, "ready": MANY, "failed": 0}


def test_ctrl_c_ends_it_and_the_same_command_goes_on(keeper, command, run, tmp_path):
    folder = many(tmp_path / "many")
    process = command(folder, "stopped")
    until_begun(keeper, "stopped")
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate()
    assert process.returncode == 130
    assert "the same command again sends the rest" in printed and "Traceback" not in printed
    assert run(folder, "stopped")[0] == 0
    assert counts(keeper, "stopped") == {"pending": 0, "ready": MANY, "failed": 0}


def test_a_collection_belongs_to_its_key(keeper, run, tmp_path):
    folder = write(tmp_path / "own", {"a.txt": b"Mine alone."})
    assert run(folder, "own", key="sk-mine")[0] == 0
    mine = httpx.get(f"{keeper.url}/v1/collections/own", headers={"authorization": "Bearer sk-mine"})
    assert mine.json()["documents"]["ready"] == 1
    assert httpx.get(f"{keeper.url}/v1/collections/own").status_code == 404


def test_a_bucket_s_documents_have_their_full_addresses(keeper, run, tmp_path):
    write(tmp_path / "bucket", {"papers/a.txt": b"Whales sing.", "papers/b.md": b"Seals sleep.", ".x/c.txt": b"hidden"})
    with BucketServer().running():
        upload(tmp_path / "bucket", "gs://models/library")
        status, printed = run("gs://models/library", "bucket")
        assert status == 0
        assert "bucket: 2 indexed, 0 unchanged, 0 failed, 1 skipped (hidden)" in printed
        listed = httpx.get(f"{keeper.url}/v1/collections/bucket/documents").json()["data"]
        assert [document["id"] for document in listed] == [
            "gs://models/library/papers/a.txt",
            "gs://models/library/papers/b.md",
        ]
        one = run("gs://models/library/papers/a.txt", "bucket")
        assert (one[0], "0 indexed, 1 unchanged" in one[1]) == (0, True)
        status, printed = run("gs://models/nothing", "bucket")
        assert (status, "gs://models/nothing: there are no files" in printed) == (1, True)


def test_what_cannot_begin_is_named(keeper, run, tmp_path):
    folder = write(tmp_path / "docs", {"a.txt": b"x"})
    for status, printed, message in (
        (*run(str(tmp_path / "gone"), "c"), "there is no file or folder"),
        (*run(folder, "no name"), "'no name' cannot name a collection"),
        (*run(folder, "c", url="http://127.0.0.1:1"), "the server at http://127.0.0.1:1 cannot be reached"),
        (*run(folder, "c", url="nonsense"), "nonsense"),
    ):
        assert status == 1 and message in printed, printed
