"""Segments in files. A folder has its final name only when everything in it is on disk, with sizes and checksums.

Nothing is pickled. What is damaged is told apart when it is opened, and SQL has it all, so it is simply made again.
"""

import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from retrieval.index import scann
from retrieval.index.scann import Reach, ScannSearcher
from retrieval.index.segment import Segment
from retrieval.index.tuning import Tuned
from retrieval.lexical import Postings, mapped
from retrieval.rows import Live

FORMAT = 1
_DRAFT = ".draft-"
_MANIFEST = "manifest.json"
_LIVE = ("ids", "documents", "digests")
_READ = 2**22  # bytes read at once


class DamagedSegment(Exception):
    """A folder that does not hold what its manifest says, or that an other version wrote."""


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A new folder in `folder` to write a segment to. It goes when the block fails; `finish` gives it a name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_DRAFT}{secrets.token_hex(8)}"
    path.mkdir()
    try:
        yield path
    except Exception:
        shutil.rmtree(path, ignore_errors=True)
        raise


def write_vectors(
    path: Path, parts: Iterable[Float32[np.ndarray, "rows dimensions"]], rows: int, dimensions: int
) -> Float32[np.ndarray, "rows dimensions"]:
    """Writes vectors, given in parts, without holding them all in memory; returns them as they lie in the file."""
    file = path / "vectors.npy"
    vectors = np.lib.format.open_memmap(file, mode="w+", dtype=np.float32, shape=(rows, dimensions))
    start = 0
    for part in parts:
        vectors[start : start + len(part)] = part
        start += len(part)
    vectors.flush()
    return mapped(file)


def finish(path: Path, live: Live, postings: Postings, searcher: ScannSearcher | None, tuned: Tuned | None) -> Path:
    """Writes the rest of a draft, makes sure of it all, and gives the folder its name."""
    for name in _LIVE:
        np.save(path / f"{name}.npy", getattr(live, name), allow_pickle=False)
    (path / "words").mkdir()
    postings.save(path / "words")
    if searcher:
        searcher.save(path / "scann")
    manifest = {"format": FORMAT, "files": {}, "approximate": _described(searcher, tuned)}
    for file in _files_in(path):
        manifest["files"][file.relative_to(path).as_posix()] = [file.stat().st_size, _checksum(file)]
        _sync(file)
    (path / _MANIFEST).write_text(json.dumps(manifest, indent=1), "utf-8")
    _sync(path / _MANIFEST)
    final = path.with_name(path.name.removeprefix(_DRAFT))
    path.rename(final)
    if os.name == "posix":
        _sync(path.parent)
    return final


def load(folder: Path, dimensions: int) -> Segment:
    """Opens a saved segment. Arrays stay in their files until they are looked at. Raises DamagedSegment."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text("utf-8"))
        if manifest["format"] != FORMAT:
            raise DamagedSegment(f"{folder} has format {manifest['format']}; this version reads {FORMAT}")
        found = {file.relative_to(folder).as_posix(): file for file in _files_in(folder)}
        if found.keys() != manifest["files"].keys():
            raise DamagedSegment(f"{folder} does not hold the files that it should")
        for name, (size, checksum) in manifest["files"].items():
            if found[name].stat().st_size != size or _checksum(found[name]) != checksum:
                raise DamagedSegment(f"{folder / name} is damaged")
        live = Live(*(np.load(folder / f"{name}.npy", allow_pickle=False) for name in _LIVE))
        vectors = mapped(folder / "vectors.npy")
        if vectors.shape != (len(live.ids), dimensions):
            raise DamagedSegment(f"{folder} has vectors of shape {vectors.shape}, not of {dimensions} dimensions")
        searcher = tuned = None
        if (described := manifest["approximate"]) and scann.available():
            searcher = ScannSearcher.load(folder / "scann", *vectors.shape, described["partitions"])
            tuned = Tuned(Reach(described["leaves"], described["rescored"]), described["recall"])
        return Segment(live, vectors, Postings.load(folder / "words"), searcher, tuned, folder)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise DamagedSegment(f"{folder}: {error}") from error


def saved(folder: Path) -> list[Path]:
    """The finished segments under a folder; drafts that nobody will finish are removed."""
    if not folder.is_dir():
        return []
    for path in folder.glob(f"{_DRAFT}*"):
        remove(path)
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def remove(folder: Path) -> None:
    """Deletes a folder as far as the platform lets it; what is left is removed another time."""
    shutil.rmtree(folder, ignore_errors=True)


def _described(searcher: ScannSearcher | None, tuned: Tuned | None) -> dict | None:
    if searcher is None or tuned is None:
        return None
    reach = tuned.reach
    return {
        "partitions": searcher.leaves,
        "leaves": reach.leaves,
        "rescored": reach.rescored,
        "recall": tuned.recall,
    }


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _MANIFEST)


def _checksum(file: Path) -> int:
    """Against accidents; whoever may write here may write anything."""
    checksum = 0
    with file.open("rb") as stream:
        while part := stream.read(_READ):
            checksum = zlib.crc32(part, checksum)
    return checksum


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)  # Windows syncs only what may be written
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
