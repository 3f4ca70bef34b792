"""Runs notebooks and keeps in them what they print and draw.

python -m notebooks.refresh [NAME ...]
"""

import os
import sys
from pathlib import Path

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
"""No versions, which would change with the machine."""


def kept(name: str) -> NotebookNode:
    """A notebook as it is in the repository."""
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def executed(name: str) -> NotebookNode:
    """A notebook as a new kernel leaves it. Raises CellExecutionError with the cell that fails."""
    notebook = kept(name)
    client = NotebookClient(
        notebook,
        timeout=CELL_SECONDS,
        resources={"metadata": {"path": str(FOLDER)}},
        record_timing=False,
        coalesce_streams=True,
    )
    paths = [str(FOLDER.parent), os.environ.get("PYTHONPATH", "")]  # the code beside the notebooks, installed or not
    client.execute(env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))})
    notebook.metadata = nbformat.from_dict(METADATA)
    return notebook


def main(names: list[str]) -> None:
    """Refreshes some notebooks, or all."""
    for name in names or NOTEBOOKS:
        nbformat.write(executed(name), FOLDER / f"{name}.ipynb")


if __name__ == "__main__":
    main(sys.argv[1:])
