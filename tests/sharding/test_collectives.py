"""Collectives of programs whose communication is known, compiled by XLA here or written as the TPU compiler writes."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import PartitionSpec

from sharding.collectives import Collective, collectives, totals
from sharding.mesh import MeshSpec, build_mesh

FLOATS = (8, 128)  # on one device: 4096 bytes


def compiled(function: Callable, mesh: str = "tensor=8") -> list[Collective]:
    """The collectives of `function`, run by every device on an array of FLOATS."""
    per_device = jax.shard_map(
        function,
        mesh=build_mesh(MeshSpec.parse(mesh), jax.devices()),
        in_specs=PartitionSpec(),
        out_specs=PartitionSpec(),
        check_vma=False,
    )
    return collectives(jax.jit(per_device).lower(jnp.zeros(FLOATS)).compile().as_text())


@pytest.mark.parametrize(
    ("function", "kind", "size", "sent"),
    [
        (functools.partial(lax.psum, axis_name="tensor"), "all-reduce", 4096, 7168),
        (functools.partial(lax.all_gather, axis_name="tensor"), "all-gather", 32_768, 28_672),
        (functools.partial(lax.psum_scatter, axis_name="tensor"), "reduce-scatter", 4096, 3584),
        (functools.partial(lax.all_to_all, axis_name="tensor", split_axis=0, concat_axis=1), "all-to-all", 4096, 3584),
        (
            functools.partial(lax.ppermute, axis_name="tensor", perm=[(i, (i + 1) % 8) for i in range(8)]),
            "collective-permute",
            4096,
            4096,
        ),
    ],
)
def test_each_kind_is_counted_with_its_bytes(function, kind, size, sent):
    [found] = compiled(function)
    assert (found.kind, found.bytes, found.devices, found.times, found.sent_bytes) == (kind, size, 8, 1, sent)


def test_a_group_is_the_devices_along_one_axis():
    [found] = compiled(lambda x: lax.psum(x, "tensor"), "pipeline=2,tensor=4")
    assert (found.devices, found.sent_bytes) == (4, 6144)
    [found] = compiled(lambda x: lax.psum(x, "pipeline"), "pipeline=2,tensor=4")
    assert (found.devices, found.sent_bytes) == (2, 4096)


def test_an_axis_of_one_device_costs_nothing():
    assert compiled(lambda x: lax.psum(x, "expert")) == []


def test_a_loop_multiplies():
    def layers(x):
        return lax.fori_loop(0, 5, lambda _, y: lax.psum(jnp.sin(y), "tensor"), lax.psum(x, "tensor"))

    found = compiled(layers)
    assert sorted(one.times for one in found) == [1, 5]
    assert totals(found) == {"all-reduce": (6, 6 * 4096, 6 * 7168)}


def test_the_source_is_the_operation():
    def layer(x):
        with jax.named_scope("attention"):
            return lax.psum(x, "tensor")

    assert "attention/psum" in compiled(layer)[0].source


TPU_PROGRAM = """\
HloModule jit_step, is_scheduled=true, replica_count=1, num_partitions=8

%add (a: f32[], b: f32[]) -> f32[] {
  ROOT %s = f32[] add(%a, %b)
}

%async_computation (p: bf16[16,128]) -> bf16[2,128] {
  ROOT %rs = bf16[2,128]{1,0:T(8,128)(2,1)S(1)} reduce-scatter(%p), replica_groups=[1,8]<=[8], dimensions={0}, to_apply=%add
}

%body (state: (s32[], f32[4])) -> (s32[], f32[4]) {
  %ag-start = ((f32[4]{0:T(128)}, s8[8]{0}), (f32[16]{0:T(128)}, s8[32]{0})) all-gather-start(%x, %y), replica_groups={{0,1,2,3},{4,5,6,7}}, dimensions={0}
  %ag-done = (f32[16]{0}, s8[32]{0}) all-gather-done(%ag-start)
}

%condition (state: (s32[], f32[4])) -> pred[] {
  ROOT %less = pred[] compare(%i, %n), direction=LT
}

%yes (p: f32[4]) -> f32[4] {
  ROOT %r = f32[4]{0} all-reduce(%p), replica_groups={}, to_apply=%add
}

%no (p: f32[4]) -> f32[4] {
  ROOT %p = f32[4]{0} parameter(0)
}

%never (p: f32[4]) -> f32[4] {
  ROOT %r = f32[4]{0} all-reduce(%p), replica_groups={}, to_apply=%add
}

ENTRY %main.1_spmd (p: f32[4], q: bf16[16,128]) -> (f32[4]{0:T(128)}) {
  %start = ((bf16[16,128]{1,0}), bf16[2,128]{1,0}, u32[]) async-start(%q), calls=%async_computation
  %done = bf16[2,128]{1,0} async-done(%start), calls=%async_computation
  %while = (s32[], f32[4]{0}) while(%t), condition=%condition, body=%body, backend_config={"known_trip_count":{"n":"3"}}
  %maybe = f32[4]{0} conditional(%b, %p, %p), branch_computations={%yes, %no}
  %cp-start = (f8e4m3fn[4,32]{1,0}, f8e4m3fn[4,32]{1,0}, u32[], u32[]) collective-permute-start(%w), source_target_pairs={{0,4},{1,5}}
  %cp-done = f8e4m3fn[4,32]{1,0} collective-permute-done(%cp-start)
  %ar-start = (f32[2,3]{1,0}, f32[5]{0}) all-reduce-start(%c, %d), replica_groups=[2,4]<=[4,2]T(1,0), to_apply=%add, metadata={op_name="jit(step)/head"}
  %ar-done = (f32[2,3]{1,0}, f32[5]{0}) all-reduce-done(%ar-start)
  %rd = f32[7]{0} all-reduce(%g), replica_groups=mesh['axis_0'=4,'axis_1'=2] {'axis_0':(1)2,'axis_1'}, to_apply=%add
  %rg = pred[2]{0} all-gather(%h), replica_groups=mesh['a'=4,'b'=2], device_ids=([2,4]T(1,0)) {'b'}, dimensions={0}
  %a2a-start = ((s4[8]{0}, s4[8]{0}), (s4[8]{0}, s4[8]{0}), u32[]) all-to-all-start(%e, %f), replica_groups=[4,2]<=[8]
  ROOT %out = (f32[4]{0:T(128)}) tuple(%p)
}
"""  # noqa: E501


def test_asynchronous_collectives_are_counted_once():
    assert collectives(TPU_PROGRAM) == [
        Collective("reduce-scatter", 2 * 16 * 128, devices=8),
        Collective("all-gather", 4 * 16 + 32, devices=4, times=3),
        Collective("all-reduce", 16, devices=8),
        Collective("collective-permute", 128, devices=4),
        Collective("all-reduce", 4 * (6 + 5), devices=4, source="jit(step)/head"),
        Collective("all-reduce", 28, devices=4),
        Collective("all-gather", 2, devices=2),
        Collective("all-to-all", 8, devices=2),
    ]


def test_what_is_no_program_is_refused():
    with pytest.raises(ValueError, match="no ENTRY computation"):
        collectives("HloModule nothing")
    with pytest.raises(ValueError, match="names its devices in an unknown way: f32"):
        collectives("HloModule m\nENTRY %e (p: f32[]) -> f32[] {\n  %r = f32[] all-reduce(%p), replica_groups=?\n}\n")
