"""Reading blocks of tensors out of safetensors files, byte range by byte range.

The format is a length, a JSON header of names, types, shapes and offsets, then the tensors' bytes in C order
(https://github.com/huggingface/safetensors#format). The package of that name maps whole files of this machine; here
only the ranges that a block needs are read, from wherever the files lie.
"""

import itertools
import json
import math
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

import ml_dtypes
import numpy as np

from serving.models.storage import INDEX_FILE, SINGLE_FILE, Range, Storage, read

Index = tuple[slice, ...]
"""A block of an array: a slice with start and stop for every dimension."""

LENGTH_BYTES = 8
HEADER_GUESS = 1 << 16  # most headers are shorter, so that one read finds them
LONGEST_HEADER = 100_000_000  # as in the reference implementation

DTYPES = {
    "F64": np.float64,
    "F32": np.float32,
    "F16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2,
    "I64": np.int64,
    "I32": np.int32,
    "I16": np.int16,
    "I8": np.int8,
    "U8": np.uint8,
    "BOOL": np.bool_,
}


class CheckpointError(ValueError):
    """Weights that are missing, unreadable or of another shape; the message names the file and the tensor."""


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """Where a tensor lies, and what it is. `start` counts from the file's start."""

    file: str
    dtype: np.dtype
    shape: tuple[int, ...]
    start: int


class TensorFiles:
    """A model's safetensors: one file, or several with an index. Raises CheckpointError or StorageError."""

    def __init__(self, storage: Storage):
        self._storage = storage
        self._headers: dict[str, dict[str, StoredTensor]] = {}
        self._files = self._find()
        self._kept: dict[tuple, np.ndarray] = {}

    @property
    def names(self) -> Iterable[str]:
        """Every tensor's name."""
        return self._files.keys()

    def require(self, names: Iterable[str]) -> None:
        """Raises CheckpointError unless every tensor is there."""
        require(names, self._files.keys(), self.location)

    @property
    def location(self) -> str:
        """The folder of the files, for messages."""
        return self._storage.location("")

    def tensor(self, name: str) -> StoredTensor:
        """Where a tensor lies. Raises CheckpointError where the index names a file without it."""
        file = self._files[name]
        try:
            return self._header(file)[name]
        except KeyError:
            raise CheckpointError(f"{self._storage.location(file)}: {INDEX_FILE} says that it holds {name}") from None

    def location_of(self, name: str) -> str:
        """The file that holds a tensor, for messages."""
        return self._storage.location(self._files[name])

    def read(self, name: str, index: Index) -> np.ndarray:
        """A block of a tensor.

        What lies in small gaps between the block's ranges is read along and kept until `forget`, for it belongs to the
        next device's block.
        """
        tensor = self.tensor(name)
        wide = widened(index, tensor.shape, tensor.dtype.itemsize, self._storage.gap)
        key = (name, *((cut.start, cut.stop) for cut in wide))
        block = self._kept.get(key)
        if block is None:
            block = np.empty([cut.stop - cut.start for cut in wide], tensor.dtype)
            self._storage.fill(tensor.file, list(_ranges(tensor, wide, block)))
            if block.size > math.prod(part.stop - part.start for part in index):
                self._kept[key] = block
        pairs = zip(index, wide, strict=True)
        return block[tuple(slice(part.start - cut.start, part.stop - cut.start, part.step) for part, cut in pairs)]

    def forget(self) -> None:
        """Lets go of what was read along."""
        self._kept.clear()

    def _find(self) -> dict[str, str]:
        """Which file holds each tensor."""
        if INDEX_FILE in self._storage.sizes:
            try:
                files: dict[str, str] = json.loads(read(self._storage, INDEX_FILE))["weight_map"]
            except (ValueError, KeyError) as error:
                raise CheckpointError(
                    f"{self._storage.location(INDEX_FILE)}: not a safetensors index ({error})"
                ) from None
            missing = sorted(set(files.values()) - self._storage.sizes.keys())
            if missing:
                raise CheckpointError(
                    f"{self.location}: {INDEX_FILE} names shards that are not there: {', '.join(missing)}"
                )
            return files
        if SINGLE_FILE not in self._storage.sizes:
            raise CheckpointError(f"{self.location}: holds neither {SINGLE_FILE} nor {INDEX_FILE}")
        return dict.fromkeys(self._header(SINGLE_FILE), SINGLE_FILE)

    def _header(self, file: str) -> dict[str, StoredTensor]:
        if file not in self._headers:
            try:
                self._headers[file] = dict(self._read_header(file))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else error
                raise CheckpointError(
                    f"{self._storage.location(file)}: not a readable safetensors file ({reason})"
                ) from None
        return self._headers[file]

    def _read_header(self, file: str) -> Iterator[tuple[str, StoredTensor]]:
        size = self._storage.sizes[file]
        head = read(self._storage, file, 0, min(size, HEADER_GUESS))
        length = int.from_bytes(head[:LENGTH_BYTES], "little")
        data = LENGTH_BYTES + length
        if len(head) < LENGTH_BYTES or length > LONGEST_HEADER or data > size:
            raise ValueError(f"its header would be {length} bytes, the file is {size}")
        if data > len(head):
            head += read(self._storage, file, len(head), data)
        for name, entry in json.loads(head[LENGTH_BYTES:data]).items():
            if name == "__metadata__":
                continue
            if entry["dtype"] not in DTYPES:
                raise ValueError(f"{name} is of type {entry['dtype']}; accepted are {', '.join(DTYPES)}")
            dtype, shape = np.dtype(DTYPES[entry["dtype"]]), tuple(entry["shape"])
            start, stop = entry["data_offsets"]
            if not 0 <= start <= stop <= size - data or stop - start != math.prod(shape) * dtype.itemsize:
                raise ValueError(f"{name} is {entry['dtype']} {list(shape)}, but lies from byte {start} to {stop}")
            yield name, StoredTensor(file, dtype, shape, data + start)


def require(wanted: Iterable[str], present: Collection[str], location: str) -> None:
    """Raises CheckpointError, naming a few, where `present` lacks some of the `wanted` names."""
    absent = sorted(name for name in wanted if name not in present)
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise CheckpointError(f"{location}: the checkpoint lacks {shown}, which config.json asks for")


def widened(index: Index, shape: tuple[int, ...], itemsize: int, gap: int) -> Index:
    """The block that is read for the sake of `index`.

    Dimensions are taken whole, from the last one on, as long as that leaves out no more than `gap` bytes at a time, so
    that the rest is read in few ranges.
    """
    wide = [slice(cut.start, cut.stop) for cut in index]
    stride = itemsize
    for axis in reversed(range(1, len(shape))):
        if (shape[axis] - (wide[axis].stop - wide[axis].start)) * stride > gap:
            break
        wide[axis] = slice(0, shape[axis])
        stride *= shape[axis]
    return tuple(wide)


def _ranges(tensor: StoredTensor, index: Index, block: np.ndarray) -> Iterator[Range]:
    """The byte ranges of a block, each with its place in `block`."""
    buffer = memoryview(block.reshape(-1).view(np.uint8))
    lengths = [cut.stop - cut.start for cut in index]
    strides = [tensor.dtype.itemsize * math.prod(tensor.shape[axis + 1 :]) for axis in range(len(index))]
    # Dimensions after the last one that is cut are part of every range, as is that one itself.
    cut = max((axis for axis, length in enumerate(lengths) if length < tensor.shape[axis]), default=0)
    size = lengths[cut] * strides[cut] if lengths else len(buffer)
    first = tensor.start + sum(part.start * stride for part, stride in zip(index, strides, strict=True))
    for number, outer in enumerate(itertools.product(*map(range, lengths[:cut]))):
        offset = first + sum(place * stride for place, stride in zip(outer, strides[:cut], strict=True))
        yield offset, buffer[number * size : (number + 1) * size]
