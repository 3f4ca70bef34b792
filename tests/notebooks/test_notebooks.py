"""Every notebook runs from its first cell to its last, and is kept as its script says.

What a notebook's text claims, its own cells assert.
"""

import re

import nbformat
import pytest
from nbformat import NotebookNode

from notebooks.build import FOLDER, NOTEBOOKS, described, executed

LARGEST = 400_000  # bytes, of a notebook with its pictures
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:home|root|tmp|usr|opt|var|private|Users|work|mnt)/\w")


def kept(name: str) -> NotebookNode:
    """The notebook as it is in the repository."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def pictures(notebook: NotebookNode) -> list[int]:
    """How many pictures each cell shows."""
    return [sum("image/png" in output.get("data", {}) for output in cell.get("outputs", [])) for cell in notebook.cells]


def texts(notebook: NotebookNode) -> list[str]:
    """All that the cells print and show, but for pictures."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [text for output in outputs for kind, text in output.get("data", {}).items() if kind.startswith("text/")]
    return shown + [output.text for output in outputs if output.output_type == "stream"]


def test_every_script_of_cells_is_a_notebook():
    scripts = {path.stem for path in FOLDER.glob("*.py") if path.read_text(encoding="utf-8").startswith("# %%")}
    assert scripts == set(NOTEBOOKS) == {path.stem for path in FOLDER.glob("*.ipynb")}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_and_draws(name):
    drawn = pictures(executed(name))
    assert sum(drawn) >= 2
    assert drawn == pictures(kept(name)), f"run `python -m notebooks.build {name}`"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_as_its_script_says(name):
    cells, written = kept(name).cells, described(name).cells
    assert [(cell.cell_type, cell.source) for cell in cells] == [(cell.cell_type, cell.source) for cell in written]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_with_its_outputs_and_nothing_of_the_machine(name):
    notebook = kept(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    complaints = [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]
    assert complaints == []
    assert [text for text in texts(notebook) if MACHINE_PATH.search(text)] == []
    assert (FOLDER / f"{name}.ipynb").stat().st_size < LARGEST
