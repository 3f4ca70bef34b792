"""Vectors checked before they go anywhere, and the largest of many scores."""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from retrieval.errors import EncoderFault


def unit_rows(
    vectors: Float[np.ndarray, "texts dimensions"], texts: int, dimensions: int
) -> tuple[Float32[np.ndarray, "texts dimensions"], Bool[np.ndarray, " texts"]]:
    """Vectors at length 1, and which of them are usable: those without NaN or infinity that have a direction.

    Raises EncoderFault when they are not one vector of `dimensions` for each text.
    """
    given = np.asarray(vectors)
    if given.shape != (texts, dimensions) or given.dtype.kind != "f":
        raise EncoderFault(
            f"the encoder gave {given.dtype} of shape {list(given.shape)} for {texts} texts; "
            f"expected are floats of shape {[texts, dimensions]}"
        )
    with np.errstate(all="ignore"):
        largest = np.abs(given).max(axis=1, initial=0)[:, None]
        scaled = (given / largest).astype(np.float32)  # first to at most 1, whose squares are finite
        unit = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    usable = np.isfinite(unit).all(axis=1)
    unit[~usable] = 0
    return unit, usable


def inner_products(
    vectors: Float32[np.ndarray, "rows dimensions"], query: Float32[np.ndarray, " dimensions"]
) -> Float32[np.ndarray, " rows"]:
    """Of one query with each row, on one core: memory sets the pace, and BLAS's threads would wait in busy loops beside
    the engine's (21 ms of two busy cores for what takes 0.1 ms of one)."""
    return np.einsum("nd,d->n", vectors, query)


def best(scores: Float[np.ndarray, " rows"], count: int) -> Int64[np.ndarray, " best"]:
    """Where the `count` largest scores stand, largest first, equal ones in their order."""
    if count < len(scores):
        threshold = np.partition(scores, len(scores) - count)[len(scores) - count]
        above = np.flatnonzero(scores > threshold)
        level = np.flatnonzero(scores == threshold)[: count - len(above)]
        rows = np.sort(np.concatenate([above, level]))
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")]
