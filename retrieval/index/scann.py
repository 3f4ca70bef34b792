"""Approximate search by ScaNN, where it has a wheel: asymmetric hashing, in partitions when there are many vectors.

An index of ScaNN's is made once and never changed here. Its wrapper's inserts and deletes shift every later document
when one of them fails, and its ids are saved as a pickle (seen in 1.4.2): rows keep their numbers instead, segments own
the ids, and what is new goes into a new segment. ScaNN wants one row at least for each partition and each code.
"""

import importlib.util
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

LEAST_ROWS = 16  # the codes of a block, for each of which the training wants a row
_DIMENSIONS_PER_BLOCK = 2
_ANISOTROPY = 0.2  # the threshold that ScaNN's authors recommend for inner products
_TRAINING_ROWS = 100_000


def available() -> bool:
    """Whether this platform has ScaNN; else every search is exact."""
    return importlib.util.find_spec("scann") is not None


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a search looks: partitions that it opens (0 when there are none), and rows that it scores exactly."""

    leaves: int
    rescored: int


class ScannSearcher:
    """The rows of some unit vectors that are nearest to a query, by inner product."""

    def __init__(self, native: Any, rows: int, dimensions: int, leaves: int) -> None:
        """`native` is ScaNN's own searcher; `leaves` is the number of its partitions, 0 when there are none."""
        self._native = native
        self._rows = rows
        self.leaves = leaves
        # Codes of 4 bits a block, a copy in bfloat16 for exact scores, a partition's number.
        self.bytes = rows * (dimensions // _DIMENSIONS_PER_BLOCK // 2 + 2 * dimensions + 4) + 4 * leaves * dimensions

    @classmethod
    def build(cls, vectors: Float32[np.ndarray, "rows dimensions"], partitioned: bool) -> "ScannSearcher":
        """Trains and fills an index of `LEAST_ROWS` or more. Takes minutes for millions, and leaves Python free."""
        from scann.scann_ops.py import scann_ops_pybind as scann  # takes half a second, and memory
        from scann.scann_ops.py.scann_builder import ReorderType

        rows, dimensions = vectors.shape
        leaves = min(rows, round(math.sqrt(rows))) if partitioned else 0
        builder = scann.builder(np.ascontiguousarray(vectors), 10, "dot_product")
        if leaves:
            builder = builder.tree(
                leaves,
                max(1, leaves // 10),
                training_sample_size=_TRAINING_ROWS,
                quantize_centroids=True,
                spherical=True,  # as the vectors are: partitions of equal reach, so that fewer must be opened
            )
        builder = builder.score_ah(
            _DIMENSIONS_PER_BLOCK,
            anisotropic_quantization_threshold=_ANISOTROPY,
            training_sample_size=_TRAINING_ROWS,
        )
        built = builder.reorder(100, quantize=ReorderType.BFLOAT16).build()
        return cls(built.searcher, rows, dimensions, leaves)

    def search(
        self, query: Float32[np.ndarray, " dimensions"], count: int, reach: Reach
    ) -> Int64[np.ndarray, " found"]:
        """Rows near the query, nearest first: `count` of them, or fewer where the partitions opened hold fewer."""
        count = min(count, self._rows)
        rescored = min(max(reach.rescored, count), self._rows)
        rows, _ = self._native.search(query, count, rescored, reach.leaves or -1)
        return rows.astype(np.int64)

    def save(self, folder: Path) -> None:
        """Writes ScaNN's files, without document ids and without the folder's own address."""
        folder.mkdir()
        self._native.serialize(str(folder), True)

    @classmethod
    def load(cls, folder: Path, rows: int, dimensions: int, leaves: int) -> "ScannSearcher":
        """Reads what `save` wrote, past the wrapper's loader, which would open pickles."""
        from scann.scann_ops.py.scann_ops_pybind import scann_pybind

        native = scann_pybind.ScannNumpy(str(folder), (folder / "scann_assets.pbtxt").read_text())
        return cls(native, rows, dimensions, leaves)
