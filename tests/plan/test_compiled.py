"""The TPU compiler's word on an engine's programs, for slices that are nowhere near."""

import pytest

from serving.models.config import DecoderConfig
from serving.plan.compiled import Steps, compile_steps, read, tpu_devices
from serving.plan.parameters import parameters
from serving.plan.planner import Demand, Model, Planner
from sharding.collectives import totals
from sharding.mesh import MeshSpec
from sharding.rules import Rules
from sharding.topology import Topology

pytest.importorskip("libtpu", reason="pip install 'tradewind[tpu]' brings the TPU compiler")

SMALL = DecoderConfig(
    vocab_size=2048, hidden_size=1024, layers=2, heads=16, kv_heads=8, head_dim=128, mlp_size=2048, max_position=4096
)
DEMAND = Demand(streams=8, context=1024, prompt=256, step_tokens=256, page_size=16)
STEPS = Steps(streams=8, context=1024, step_tokens=256, page_size=16, pages=8 * 64)


@pytest.mark.parametrize("name", ["v5e:1x1", "v6e:2x4", "v5p:2x2x1", "tpu7x:2x2x1"])
def test_topologies_have_the_devices_that_libtpu_knows(name):
    topology = Topology.parse(name)
    devices = tpu_devices(topology)
    assert len(devices) == topology.devices
    assert {device.platform for device in devices} == {"tpu"}


@pytest.mark.parametrize(("name", "mesh"), [("v6e:2x4", "tensor=8"), ("v5e:2x2", "pipeline=2,tensor=2")])
def test_a_plan_agrees_with_the_compiler(name, mesh):
    topology, spec = Topology.parse(name), MeshSpec.parse(mesh)
    planner = Planner(Model("small", SMALL, parameters(SMALL)), DEMAND, Rules(), {})
    decode, mixed = compile_steps(SMALL, topology, spec, Rules(), STEPS)
    compiled = read(decode, mixed)
    estimated, measured = planner.plan(topology, spec), planner.plan(topology, spec, compiled)

    memory = measured.memory
    assert 0 <= memory.padding < 0.05 * compiled.arguments, "all that is kept was counted"
    cache = memory.needed_tokens * memory.token
    assert compiled.temporaries < cache, "no step copies the cache"
    for kind, total in totals(estimated.collectives).items():
        assert totals(measured.collectives)[kind].runs >= total.runs
    if mesh == "tensor=8":
        assert totals(measured.collectives) == totals(estimated.collectives)
    assert "tpu_custom_call" in decode.as_text(), "the ragged attention kernel"
