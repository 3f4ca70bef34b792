"""Documents where they lie: in a folder of this machine or under gs://BUCKET/PATH, listed before any is read."""

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from mimetypes import MimeTypes
from pathlib import Path, PurePosixPath

from serving.models.storage import BUCKET_SCHEME, StorageError, read, storage_at

NO_DOCUMENTS = ("image/", "audio/", "video/", "font/")
_TYPES = MimeTypes()  # Python's own table, for which .ts is no film


class SourceError(Exception):
    """There is nothing at the place that was named; the message is for people."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document: its id, its bytes, and how to read it, which raises OSError."""

    id: str
    size: int
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is no document, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What may be a document and cannot be read, and why."""

    name: str
    why: str


Listed = Found | Skipped | Unreadable


def listed(location: str) -> Iterator[Listed]:
    """All that is in a folder or under gs://BUCKET/PATH, or the one file that is named. Raises SourceError."""
    if location.startswith(BUCKET_SCHEME):
        return _bucket(location.rstrip("/"))
    path = Path(location).expanduser()
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise SourceError(f"there is no file or folder {path}")
    return iter([_file(path, path.name)])


def _folder(root: Path) -> Iterator[Listed]:
    """A folder's files, whose ids begin with its name."""
    base = PurePosixPath(root.resolve().name)
    closed: list[OSError] = []
    for place, folders, files in os.walk(root, onerror=closed.append):
        here = base / Path(place).relative_to(root).as_posix()
        for name in sorted(folders):
            if name.startswith("."):
                yield Skipped(str(here / name), "hidden")
            elif Path(place, name).is_symlink():
                yield Skipped(str(here / name), "linked folders")
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            yield (
                Skipped(str(here / name), "hidden")
                if name.startswith(".")
                else _file(Path(place, name), str(here / name))
            )
    for error in closed:
        yield Unreadable(str(error.filename), error.strerror)


def _file(path: Path, id: str) -> Listed:
    try:
        id.encode()
        found = path.stat()
    except UnicodeEncodeError:
        return Unreadable(os.fsencode(id).decode(errors="replace"), "its name is no text")
    except OSError as error:
        return Unreadable(id, error.strerror)
    if not stat.S_ISREG(found.st_mode):
        return Skipped(id, "no files")
    return _document(id, found.st_size, path.read_bytes)


def _bucket(url: str) -> Iterator[Listed]:
    """The files under an address, or the one that it is, by their full addresses."""
    folder, only = url, ""
    try:
        storage = storage_at(folder)
        if not storage.sizes and url.count("/") > 2:
            folder, _, only = url.rpartition("/")
            storage = storage_at(folder)
        sizes = {name: size for name, size in storage.sizes.items() if not only or name == only}
    except StorageError as error:
        raise SourceError(str(error)) from None
    if not sizes:
        raise SourceError(f"{url}: there are no files")
    for name, size in sorted(sizes.items()):
        id = f"{folder}/{name}"
        if any(part.startswith(".") for part in name.split("/")):
            yield Skipped(id, "hidden")
        else:
            yield _document(id, size, lambda name=name: read(storage, name))


def _document(id: str, size: int, read: Callable[[], bytes]) -> Listed:
    if (_TYPES.guess_type(id)[0] or "").startswith(NO_DOCUMENTS):
        return Skipped(id, "pictures, sounds, films and fonts")
    return Found(id, size, read) if size else Skipped(id, "empty")
