"""Putting a stored tensor onto devices, each part read once and given only to the devices that hold it."""

import math
from collections.abc import Callable

import jax
import numpy as np
from jax.sharding import Sharding
from jax.typing import DTypeLike

Index = tuple[slice, ...]
Read = Callable[[Index], np.ndarray]
"""read(index) -> the part of a stored tensor at `index`: one slice a dimension, start and stop given, no step."""


def place(shape: tuple[int, ...], dtype: DTypeLike, sharding: Sharding, read: Read) -> jax.Array:
    """An array of `shape` in `dtype`, part by part, so that the host holds little more than one part at a time."""
    holders: dict[tuple[tuple[int, int], ...], list[jax.Device]] = {}
    for device, index in sharding.addressable_devices_indices_map(shape).items():
        bounds = tuple(cut.indices(size)[:2] for cut, size in zip(index, shape, strict=True))
        holders.setdefault(bounds, []).append(device)
    parts = []
    for bounds, devices in holders.items():
        part = np.asarray(read(tuple(slice(*bound) for bound in bounds)), dtype)
        parts += [jax.device_put(part, device) for device in devices]
    return jax.make_array_from_single_device_arrays(shape, sharding, parts, dtype=dtype)


def repeat_heads(read: Read, axis: int, head: int, repeats: int) -> Read:
    """A reader of a tensor that holds each head `repeats` times in a row, from a reader of it as it is stored.

    Args:
        axis: the dimension that holds the heads.
        head: elements of one head along it. Parts that are read must consist of whole heads.
    """

    def held(index: Index) -> np.ndarray:
        before, cut, after = index[:axis], index[axis], index[axis + 1 :]
        wanted = np.arange(cut.start // head, cut.stop // head) // repeats
        first, last = int(wanted[0]), int(wanted[-1]) + 1
        stored = read((*before, slice(first * head, last * head), *after))
        heads = stored.reshape(*stored.shape[:axis], last - first, head, *stored.shape[axis + 1 :])
        chosen = np.take(heads, wanted - first, axis)
        return chosen.reshape(*stored.shape[:axis], math.prod(chosen.shape[axis : axis + 2]), *stored.shape[axis + 1 :])

    return held
