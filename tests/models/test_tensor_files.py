"""Blocks of safetensors: equal to numpy's, with only the bytes read that they need, and damaged files named."""

import json
from collections.abc import Sequence
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from serving.models.storage import SINGLE_FILE, LocalFolder, Range
from serving.models.tensor_files import HEADER_GUESS, CheckpointError, TensorFiles

DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16, np.int8, np.uint8, np.int64, ml_dtypes.float8_e4m3fn]


class CountingFolder(LocalFolder):
    """Remembers the lengths of the ranges that were read of tensors."""

    def __init__(self, folder: Path, gap: int):
        super().__init__(folder)
        self.gap = gap
        self.lengths: list[int] = []

    def fill(self, name: str, ranges: Sequence[Range]) -> None:
        self.lengths += [len(buffer) for _, buffer in ranges]
        super().fill(name, ranges)


def opened(folder: Path, gap: int = 0, **tensors: np.ndarray) -> tuple[TensorFiles, CountingFolder]:
    save_file(tensors, folder / SINGLE_FILE)
    storage = CountingFolder(folder, gap)
    files = TensorFiles(storage)
    storage.lengths.clear()  # the header
    return files, storage


@given(st.data())
def test_a_block_is_numpys(tmp_path_factory, data):
    shape = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4), "shape")
    dtype = np.dtype(data.draw(st.sampled_from(DTYPES), "dtype"))
    gap = data.draw(st.sampled_from([0, 3, 16, 10_000]), "gap")
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    files, storage = opened(tmp_path_factory.mktemp("tensors"), gap, first=np.zeros(3, np.int8), values=values)
    for _ in range(2):
        bounds = [sorted(data.draw(st.lists(st.integers(0, n), min_size=2, max_size=2, unique=True))) for n in shape]
        index = tuple(slice(*bound, data.draw(st.sampled_from([None, 2]))) for bound in bounds)
        storage.lengths.clear()
        block = files.read("values", index)
        assert block.dtype == dtype
        np.testing.assert_array_equal(block.astype(np.float64), values[index].astype(np.float64))
        if gap == 0:
            exact = tuple(slice(part.start, part.stop) for part in index)
            assert sum(storage.lengths) == values[exact].nbytes, "not a byte more"
        files.forget()


def test_rows_are_one_range_and_columns_one_for_each_row(tmp_path):
    files, storage = opened(tmp_path, x=np.zeros((8, 100), np.float32))
    files.read("x", (slice(2, 6), slice(0, 100)))
    assert storage.lengths == [1600]
    storage.lengths.clear()
    files.read("x", (slice(0, 8), slice(25, 50)))
    assert storage.lengths == [100] * 8


def test_columns_with_small_gaps_are_read_with_all_others_but_once(tmp_path):
    values = np.arange(800, dtype=np.float32).reshape(8, 100)
    files, storage = opened(tmp_path, gap=300, x=values)
    for device in range(4):
        block = files.read("x", (slice(0, 8), slice(25 * device, 25 * device + 25)))
        np.testing.assert_array_equal(block, values[:, 25 * device : 25 * device + 25])
    assert storage.lengths == [3200]
    files.forget()
    files.read("x", (slice(0, 8), slice(0, 25)))
    assert storage.lengths == [3200, 3200]


def test_a_header_longer_than_the_first_read(tmp_path):
    tensors = {f"{'a' * 100}{number}": np.full(2, number, np.int64) for number in range(600)}
    files, _ = opened(tmp_path, **tensors)
    assert (tmp_path / SINGLE_FILE).stat().st_size > HEADER_GUESS + 600 * 16
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(files.read(name, (slice(0, 2),)), tensor)


def write(path: Path, header: object, data: bytes = b"") -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"{", "Expecting property name"),
        ([1], "'list' object has no attribute 'items'"),
        ({"x": {"dtype": "F32", "shape": [2]}}, "no 'data_offsets'"),
        ({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, r"x is F32 \[2\], but lies from byte 0 to 4"),
        ({"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, r"x is F32 \[4\], but lies from byte 0 to 16"),
        ({"x": {"dtype": "F4", "shape": [2], "data_offsets": [0, 1]}}, "x is of type F4; accepted are F64, F32"),
    ],
)
def test_a_header_that_cannot_be_true_is_named(tmp_path, header, reason):
    write(tmp_path / SINGLE_FILE, header, bytes(8))
    with pytest.raises(CheckpointError, match=rf"model\.safetensors: not a readable safetensors file \({reason}"):
        TensorFiles(LocalFolder(tmp_path))


@pytest.mark.parametrize(
    "content", [b"", b"\x01\x02", (10**9).to_bytes(8, "little"), (50).to_bytes(8, "little") + b"{}"]
)
def test_a_file_that_is_cut_short_is_named(tmp_path, content):
    (tmp_path / SINGLE_FILE).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        TensorFiles(LocalFolder(tmp_path))
