"""Every notebook runs from its first cell to its last, and shows what is kept in it.

What a notebook's text claims, its own cells assert.
"""

import re
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from nbformat import NotebookNode

from notebooks.refresh import FOLDER, NOTEBOOKS, executed, kept

LARGEST = 400_000  # bytes, of a notebook with its pictures
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|opt|var|private|Users|work|mnt)/\w")
PICTURES = {"image/png", "text/html"}


@pytest.fixture(scope="module")
def runs() -> Iterator[dict[str, Future[NotebookNode]]]:
    """All notebooks, two at a time, for most of what each does keeps one core busy."""
    pool = ThreadPoolExecutor(2)
    yield {name: pool.submit(executed, name) for name in NOTEBOOKS}
    pool.shutdown(cancel_futures=True)


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def pictures(notebook: NotebookNode) -> list[int]:
    """How many pictures each cell shows."""
    return [sum(not PICTURES.isdisjoint(output.get("data", {})) for output in cell.outputs) for cell in code(notebook)]


def texts(cell: NotebookNode) -> str:
    """What a cell prints and shows, but for pictures."""
    shown = [output.get("data", {"text/plain": output.get("text", "")}) for output in cell.outputs]
    return "".join(data["text/plain"] for data in shown if PICTURES.isdisjoint(data))


def steady(notebook: NotebookNode) -> list[str]:
    """The same of all cells whose output does not vary from run to run or from model to model."""
    return [texts(cell) for cell in code(notebook) if "varies" not in cell.metadata.get("tags", [])]


def test_every_notebook_is_known():
    assert {path.stem for path in FOLDER.glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_shows_what_is_kept(name, runs):
    now, before = runs[name].result(), kept(name)
    again = f"run `python -m notebooks.refresh {name}`"
    assert steady(now) == steady(before), again
    assert pictures(now) == pictures(before), again
    assert sum(pictures(now)) >= 3


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_with_its_outputs_and_nothing_of_the_machine(name):
    cells = code(kept(name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert [output for cell in cells for output in cell.outputs if output.get("name") == "stderr"] == []
    assert [found for cell in cells if (found := MACHINE_PATH.search(texts(cell)))] == []
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST
