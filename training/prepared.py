"""The prepared corpus on disk: one compressed JSON-lines file a source, trained-on and held-out apart."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.corpus import Example


def write(folder: Path, examples: Iterable[Example]) -> dict[str, tuple[int, int]]:
    """Writes examples under FOLDER/train and FOLDER/held_out; returns each source's two counts."""
    by_file: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for example in examples:
        by_file[example.source, example.held_out].append(json.dumps(example.to_json(), ensure_ascii=False))
    for (source, held_out), lines in by_file.items():
        path = _path(folder, source, held_out)
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as file:
            file.writelines(line + "\n" for line in lines)
    names = sorted({source for source, _ in by_file})
    return {name: (len(by_file.get((name, False), ())), len(by_file.get((name, True), ()))) for name in names}


def read(folder: Path, source: str, *, held_out: bool = False) -> Iterator[Example]:
    """Yields a source's examples. Raises FileNotFoundError that says how to make them."""
    path = _path(folder, source, held_out)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; `python -m training prepare` writes it")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            yield Example.from_json(source, held_out, json.loads(line))


def _path(folder: Path, source: str, held_out: bool) -> Path:
    return folder / ("held_out" if held_out else "train") / f"{source}.jsonl.gz"
