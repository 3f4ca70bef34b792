"""Blocks of prompts as chunks."""

import numpy as np
import pytest

from serving.engine.attention.view import Chunks, PageView


@pytest.mark.parametrize(
    ("block_rows", "first", "end", "count", "working"),
    [
        ([3, 3, 3, 5], [0, 3, 4, 4], [3, 4, 4, 4], 2, 2),
        ([3, 5, -1, -1], [0, 1, 2, 3], [1, 2, 3, 4], 4, 2),
        ([-1, -1, -1, -1], [0, 1, 2, 3], [1, 2, 3, 4], 4, 0),
        ([-1, 0, 0, -1], [0, 1, 3, 4], [1, 3, 4, 4], 3, 2),
    ],
)
def test_neighbours_of_one_row_are_a_chunk(block_rows, first, end, count, working):
    rows, nothing = np.array(block_rows, np.int32), np.zeros(4, np.int32)
    chunks = Chunks.of(PageView(nothing, nothing, nothing, rows, nothing, nothing, nothing))
    assert [np.asarray(part).tolist() for part in chunks] == [first, end, count, working]


def test_a_view_that_does_not_write_has_no_work_either():
    pages = np.arange(3, dtype=np.int32)
    view = PageView(pages, pages, pages, pages, pages, pages, pages).writing(np.array(False), 9)
    assert view.row_pages.tolist() == view.block_pages.tolist() == [9, 9, 9]
    assert view.block_rows.tolist() == [-1, -1, -1]
    assert view.row_positions.tolist() == [0, 1, 2]
