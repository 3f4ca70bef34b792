"""A real process that is killed half-way through an ingest, and the next one that goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.retrieval.ingesting import TENANT, found

ROOT = Path(__file__).parents[2]


def ingesting(folder: Path, *arguments: str) -> subprocess.Popen:
    """The process."""
    command = [sys.executable, "-m", "tests.retrieval.ingest_program", str(folder), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("steps", [0, 2])
async def test_a_killed_ingest_loses_nothing_and_goes_on(steps, tmp_path, open_library):
    with ingesting(tmp_path, "60") as first:
        for _ in range(steps + 1):
            assert first.stdout.readline().startswith("pending")
        first.kill()
    assert first.returncode != 0
    with ingesting(tmp_path) as second:
        left = [int(line.split()[1]) for line in second.stdout]
    assert second.returncode == 0
    assert left[0] <= 60 - 16 * steps and left[-1] == 0

    library = await open_library()
    assert await library.counts(TENANT, "notes") == {"pending": 0, "ready": 60, "failed": 0}
    for number in (0, 31, 59):
        assert (await found(library, f"word{number}"))[0] == f"d{number:03}"
