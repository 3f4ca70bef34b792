"""The corpus' files: gzip, a text line or a JSON object each."""

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from training.corpus.example import Example

Reader = Callable[[Path], Iterator[Example]]
"""Yields the examples of one file."""


def lines(path: Path) -> Iterator[str]:
    """The file's lines without their ends."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield line.rstrip("\n")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The file's JSON objects."""
    for line in lines(path):
        yield json.loads(line)
