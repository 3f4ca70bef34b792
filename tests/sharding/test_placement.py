"""Stored tensors on their devices: what is read, and where it lies."""

import jax
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from sharding.mesh import MeshSpec, build_mesh
from sharding.placement import Index, place, repeat_heads


class Stored:
    """A tensor on disk, as it were: remembers which parts were read."""

    def __init__(self, *shape: int):
        self.values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        self.read_sizes: list[int] = []

    def read(self, index: Index) -> np.ndarray:
        part = self.values[index]
        self.read_sizes.append(part.size)
        return part


def test_a_part_is_read_once_for_all_devices_that_hold_it():
    stored = Stored(6, 16)
    mesh = build_mesh(MeshSpec(pipeline=2, tensor=4), jax.devices())
    array = place((6, 16), np.float32, NamedSharding(mesh, PartitionSpec(None, "tensor")), stored.read)
    np.testing.assert_array_equal(np.asarray(array), stored.values)
    assert stored.read_sizes == [24, 24, 24, 24]
    assert {shard.device.id: shard.data.shape for shard in array.addressable_shards} == dict.fromkeys(range(8), (6, 4))


def test_what_every_device_holds_whole_is_read_once():
    stored = Stored(5)
    mesh = build_mesh(MeshSpec(tensor=8), jax.devices())
    array = place((5,), "bfloat16", NamedSharding(mesh, PartitionSpec()), stored.read)
    assert stored.read_sizes == [5]
    assert array.dtype == "bfloat16" and array.is_fully_replicated


@given(st.data())
def test_repeated_heads_are_those_of_the_whole(data):
    heads, head, repeats = (
        data.draw(st.integers(1, most), name) for most, name in [(4, "heads"), (3, "head"), (4, "repeats")]
    )
    first = data.draw(st.integers(0, heads * repeats - 1))
    last = data.draw(st.integers(first + 1, heads * repeats))
    stored = Stored(2, heads * head, 5)
    part = repeat_heads(stored.read, axis=1, head=head, repeats=repeats)(
        (slice(0, 2), slice(first * head, last * head), slice(1, 4))
    )
    whole = np.repeat(stored.values.reshape(2, heads, head, 5), repeats, axis=1).reshape(2, -1, 5)
    np.testing.assert_array_equal(part, whole[:, first * head : last * head, 1:4])
    needed = (last - 1) // repeats - first // repeats + 1
    assert stored.read_sizes == [2 * needed * head * 3], "no head is read that is not held"
