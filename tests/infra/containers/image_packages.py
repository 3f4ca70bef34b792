"""Runs `tradewind` with the packages of an image and no others: `python -m ... LOCK ARGUMENT...`.

Whatever else this environment has cannot be imported, as if it were not installed.
"""

import importlib.metadata
import re
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path


class OnlyThese(MetaPathFinder):
    """Refuses modules of distributions that are not among `allowed`, by their normalised names."""

    def __init__(self, allowed: set[str]):
        self._owners = {
            module: {_normalised(owner) for owner in owners}
            for module, owners in importlib.metadata.packages_distributions().items()
        }
        self._allowed = allowed

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """Nothing, so that the usual finders go on, or ModuleNotFoundError."""
        owners = self._owners.get(name.partition(".")[0])
        if owners and not owners & self._allowed:
            raise ModuleNotFoundError(f"No module named {name!r}: the image has none of {sorted(owners)}", name=name)
        return None


def main(lock: str, arguments: list[str]) -> None:
    """Restrict imports to the packages that `lock` pins, and to Tradewind; then be its command line."""
    lines = Path(lock).read_text("utf-8").splitlines()
    names = {_normalised(line.partition("==")[0]) for line in lines if line and not line.startswith("#")}
    sys.meta_path.insert(0, OnlyThese(names | {"tradewind"}))
    sys.argv = ["tradewind", *arguments]
    from serving.cli import main as tradewind

    tradewind()


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.partition("[")[0]).lower()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
