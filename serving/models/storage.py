"""Where a model's files lie: in a folder of this machine, or in a bucket that such a folder stands for.

Files have names relative to the model, with `/` between folders, wherever they lie. No JAX here: gateways look too.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

CONFIG_FILE = "config.json"
INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
TEMPLATES_FOLDER = "additional_chat_templates"
ORBAX_FOLDER = "orbax"
ORBAX_MANIFEST = f"{ORBAX_FOLDER}/manifest.ocdbt"
"""Written last, so that it is there only when the whole checkpoint is."""

BUCKET_SCHEME = "gs://"
ORIGIN_FILE = "origin.url"
"""In a local folder of small files: the bucket where the weights lie."""

Range = tuple[int, memoryview]
"""Where in a file to read from, and the buffer that is to be filled."""

SAMPLE = 1 << 20


class StorageError(OSError):
    """A file, a bucket or credentials that cannot be read; the message says which, and how to mend it."""


def is_companion(name: str) -> bool:
    """Whether a file goes with a model's weights wherever they go: configuration, tokenizer, templates, licence."""
    folder, _, file = name.rpartition("/")
    if folder:
        return folder == TEMPLATES_FOLDER and file.endswith(".jinja")
    return name != INDEX_FILE and (file.endswith((".json", ".jinja")) or file.startswith(("LICENSE", "NOTICE")))


class Storage(Protocol):
    """A model's files.

    Attributes:
        sizes: bytes of each file, by name.
        gap: bytes between two ranges that are sooner read along than skipped.
    """

    sizes: Mapping[str, int]
    gap: int

    def fill(self, name: str, ranges: Sequence[Range]) -> None:
        """Reads ranges of a file. Raises StorageError where it ends before they do."""

    def write(self, name: str, content: bytes) -> None:
        """Writes a file."""

    def digest(self, name: str) -> bytes:
        """Tells a file from others of that name, without reading it all."""

    def kvstore(self, name: str) -> dict[str, Any]:
        """TensorStore's specification of a folder of files."""

    def location(self, name: str) -> str:
        """A file's full path, for messages."""


def open_storage(folder: Path) -> Storage:
    """The files of the model in `folder`. Raises StorageError."""
    origin = folder / ORIGIN_FILE
    return storage_at(origin.read_text(encoding="utf-8").strip() if origin.is_file() else str(folder))


def storage_at(location: str) -> Storage:
    """The files in a folder, or under gs://BUCKET/PATH. Raises StorageError."""
    if not location.startswith(BUCKET_SCHEME):
        return LocalFolder(Path(location).expanduser())
    from serving.models.bucket import Bucket  # whose client takes seconds to import

    return Bucket(location)


def read(storage: Storage, name: str, start: int = 0, stop: int | None = None) -> bytes:
    """A file's bytes from `start` to `stop`. Raises StorageError."""
    buffer = bytearray((storage.sizes[name] if stop is None else stop) - start)
    storage.fill(name, [(start, memoryview(buffer))])
    return bytes(buffer)


class LocalFolder:
    """A folder of this machine. Files are read, not mapped, so that they take no memory beyond what was asked for."""

    gap = 4096  # a page, which the system reads at least

    def __init__(self, folder: Path):
        self._folder = folder

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each file, by name; of other folders than a model has, none."""
        folders = (self._folder / TEMPLATES_FOLDER, self._folder)
        paths = chain(*(folder.glob("*") for folder in folders), (self._folder / ORBAX_FOLDER).rglob("*"))
        files = (path for path in paths if path.is_file())
        return {path.relative_to(self._folder).as_posix(): path.stat().st_size for path in files}

    def fill(self, name: str, ranges: Sequence[Range]) -> None:
        """Reads ranges of a file. Raises StorageError where it ends before they do."""
        with (self._folder / name).open("rb", buffering=0) as file:
            for start, buffer in ranges:
                filled = 0
                while filled < len(buffer):  # the system reads 2 GiB at most
                    count = os.preadv(file.fileno(), [buffer[filled:]], start + filled)
                    if count == 0:
                        raise StorageError(f"{self.location(name)} ends at byte {start + filled}, too early")
                    filled += count

    def write(self, name: str, content: bytes) -> None:
        """Writes a file, and the folders that it lies in."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def digest(self, name: str) -> bytes:
        """Of a large file the start (with every tensor's name, type and offset) and samples at even distances."""
        size = self.sizes[name]
        digest = hashlib.blake2b(size.to_bytes(8, "little"))
        with (self._folder / name).open("rb") as file:
            for offset in range(0, size, max(SAMPLE, size // 64)):
                file.seek(offset)
                digest.update(file.read(SAMPLE))
        return digest.digest()

    def kvstore(self, name: str) -> dict[str, Any]:
        """TensorStore's specification of a folder of files."""
        return {"driver": "file", "path": f"{(self._folder / name).absolute().as_posix()}/"}

    def location(self, name: str) -> str:
        """A file's full path."""
        return str(self._folder / name)
