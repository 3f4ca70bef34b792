"""Makes the notebooks: takes the cells of their scripts, runs them, and keeps what they print and draw.

python -m notebooks.build [NAME ...]

A notebook is written as NAME.py, a script of cells (jupytext's percent format), which reads well in a diff and which
editors run cell by cell. NAME.ipynb is made from it, for people who read it where it is kept or open it in Jupyter.
"""

import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).parent
NOTEBOOKS = ("sharding_from_zero", "tensor_or_pipeline", "pages_and_prefixes", "roofline")
"""In the order in which they are best read."""

CELL_SECONDS = 600
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "file_extension": ".py"},
}


def described(name: str) -> NotebookNode:
    """The notebook of a script, not yet run. Cells are numbered, so that making it again changes nothing."""
    notebook = jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")
    notebook.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", NotebookNode()
    return notebook


def executed(name: str) -> NotebookNode:
    """The same, run in a kernel of its own beside the scripts. Raises CellExecutionError with the cell that fails."""
    notebook = described(name)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        coalesce_streams=True,
    )
    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]
    client.execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def main(names: list[str]) -> None:
    """Writes some notebooks, or all."""
    for name in names or NOTEBOOKS:
        nbformat.write(executed(name), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
