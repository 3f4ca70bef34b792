"""Meshes as people write them, and the devices that they get."""

import jax
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.mesh import AXES, MeshSpec, ShardingError, build_mesh, replica_devices


def test_axes_that_are_not_named_have_one_device():
    spec = MeshSpec.parse(" tensor=4, pipeline=2")
    assert spec == MeshSpec(pipeline=2, tensor=4)
    assert spec.devices == 8
    assert str(spec) == "pipeline=2,tensor=4"


@given(st.fixed_dictionaries({axis: st.integers(1, 99) for axis in AXES}))
def test_a_mesh_reads_what_it_writes(sizes):
    spec = MeshSpec(**sizes)
    assert MeshSpec.parse(str(spec)) == spec


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tensr=4",
            "'tensr=4' is not an axis and its size; accepted are data=N, pipeline=N, expert=N, sequence=N, tensor=N",
        ),
        ("tensor", "'tensor' is not an axis and its size"),
        ("", "'' is not an axis and its size"),
        ("tensor=4,", "'' is not an axis and its size"),
        ("tensor=0", "tensor is '0'; accepted are whole numbers from 1 on"),
        ("tensor=-2", "tensor is '-2'; accepted are whole numbers"),
        ("tensor=²", "tensor is '²'; accepted are whole numbers"),
        ("tensor=2,tensor=4", "tensor is given twice"),
    ],
)
def test_what_is_no_mesh_is_refused_with_what_is_accepted(text, message):
    with pytest.raises(ShardingError) as refusal:
        MeshSpec.parse(text)
    assert message in str(refusal.value)
    assert repr(text) in str(refusal.value)


def test_neighbours_are_tensor_parallel():
    mesh = build_mesh(MeshSpec(pipeline=2, tensor=4), jax.devices())
    assert mesh.axis_names == AXES
    assert [[device.id for device in stage.flat] for stage in mesh.devices[0]] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_a_mesh_may_leave_devices_over():
    assert build_mesh(MeshSpec(tensor=3), jax.devices()).devices.size == 3


def test_too_few_devices_are_counted_out():
    with pytest.raises(ShardingError, match=r"pipeline=3,tensor=4 needs 3 x 4 = 12 devices; there are 8 \(cpu\)"):
        build_mesh(MeshSpec(pipeline=3, tensor=4), jax.devices())
    with pytest.raises(ShardingError, match=r"tensor=9 needs 9 devices; there are 8 \(cpu\)"):
        build_mesh(MeshSpec(tensor=9), jax.devices())


def test_replicas_share_the_devices_out():
    spec = MeshSpec(data=2, pipeline=2, tensor=2)
    replicas = replica_devices(spec, jax.devices())
    assert [[device.id for device in devices] for devices in replicas] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert [build_mesh(spec.replica, devices).shape["data"] for devices in replicas] == [1, 1]
