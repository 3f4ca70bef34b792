"""Plans by hand: Llama 3 8B has 16.06 GB of weights in bfloat16, and 128 KiB of keys and values a token."""

import dataclasses

import pytest

from serving.models.shapes import published_shape
from serving.plan.advice import advice
from serving.plan.compiled import Compiled
from serving.plan.demand import Demand, Target
from serving.plan.memory import MEMORY_SHARE, Memory
from serving.plan.parameters import parameters
from serving.plan.planner import Model, Planner
from sharding.collectives import Collective
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules
from sharding.topology import Topology

DEMAND = Demand(streams=16, context=8192, prompt=512, step_tokens=512, page_size=16)
PER_TOKEN = 128 * 1024


def model_in(weights: str) -> Model:
    config = dataclasses.replace(published_shape("llama3-8b"), quantised=None if weights == "bfloat16" else weights)
    return Model("llama3-8b", config, parameters(config))


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(model_in("bfloat16"), DEMAND, Rules(), {})


def test_the_pool_is_what_is_left():
    memory = Memory(
        limit=1000.0, weights=500, tables=50, temporaries=30, padding=15, programs=5, measured=True, token=2,
        needed_tokens=128, page_size=16,
    )  # fmt: skip
    assert memory.pool_tokens == 144, "nine pages of 32 bytes in the 300 that are left"
    assert memory.needed == 500 + 50 + 50 + 256
    assert memory.fits
    assert not dataclasses.replace(memory, needed_tokens=160).fits
    assert dataclasses.replace(memory, weights=900).pool_tokens == 0


def test_a_card_of_80_gb(planner):
    plan = planner.plan(Topology.parse("h100:1"), MeshSpec())
    memory = plan.memory
    assert memory.weights == 2 * 8_030_261_248
    assert memory.token == PER_TOKEN
    assert memory.needed_tokens == 16 * 8192
    assert memory.tables == 17 * 128_256 * 8
    left = memory.limit * MEMORY_SHARE - memory.weights - memory.tables - memory.temporaries
    assert memory.pool_tokens == left // (16 * PER_TOKEN) * 16
    assert memory.fits and not memory.measured
    assert plan.tokens_per_second == pytest.approx(104.1, rel=1e-3)
    assert plan.total_tokens_per_second == 16 * plan.tokens_per_second
    assert plan.price == pytest.approx(10.98)


def test_pages_are_as_long_as_an_engine_makes_them(planner):
    unsaid = dataclasses.replace(planner, demand=dataclasses.replace(DEMAND, context=8200, page_size=0))
    tpu, gpu = (unsaid.plan(Topology.parse(name), MeshSpec()) for name in ("v5p:2x2x1", "h100:1"))
    assert (tpu.memory.page_size, gpu.memory.page_size) == (tpu.demand.page_size, gpu.demand.page_size) == (128, 16)
    assert (tpu.memory.needed_tokens, gpu.memory.needed_tokens) == (16 * 65 * 128, 16 * 513 * 16)
    assert (tpu.demand.blocks, gpu.demand.blocks) == (4, 32)
    short = dataclasses.replace(gpu.demand, context=100, step_tokens=8)
    assert short.blocks == 1, "a step reads at least one page"


def test_replicas_share_the_streams_and_no_memory(planner):
    one = planner.plan(Topology.parse("h100:1"), MeshSpec())
    two = planner.plan(Topology.parse("h100:2"), MeshSpec(data=2))
    assert two.streams == 8
    assert two.memory.weights == one.memory.weights
    assert two.work.kv_bytes == one.work.kv_bytes / 2
    assert two.total_tokens_per_second == 16 * two.tokens_per_second > one.total_tokens_per_second


def test_an_engine_that_is_told_nothing_cuts_the_model_among_all(planner):
    assert planner.usual_mesh(Topology.parse("v6e:2x4")) == MeshSpec(tensor=8)
    assert planner.usual_mesh(Topology.parse("v6e:8x8")) == MeshSpec(data=2, tensor=32), "it has 32 heads"


def test_devices_may_be_left_idle_but_not_made_up(planner):
    plan = planner.plan(Topology.parse("v6e:2x4"), MeshSpec(tensor=4))
    assert "4 of 8 devices are idle" in plan.notes
    with pytest.raises(ShardingError, match=r"mesh tensor=16 needs 16 devices; v6e:2x4 has 8"):
        planner.plan(Topology.parse("v6e:2x4"), MeshSpec(tensor=16))


def test_what_a_compiler_said_replaces_estimates(planner):
    sums = (Collective("all-reduce", 8, 8),)
    said = Compiled(arguments=5 * 10**9, temporaries=10**9, decode_code=10**6, mixed_code=10**7, decode=sums, mixed=())
    topology = Topology.parse("v6e:2x4")
    estimated, measured = (planner.plan(topology, MeshSpec(tensor=8), compiled) for compiled in (None, said))
    assert measured.memory.measured and measured.memory.temporaries == 10**9
    assert measured.collectives == said.decode
    kept = estimated.memory.weights + estimated.memory.tables + 16 * 8192 * estimated.memory.token
    assert measured.memory.padding == 5 * 10**9 - kept
    assert measured.memory.programs == 5 * 10**6 + 9 * 10**7, "5 decode shapes, 3 x 3 mixed ones"
    lost = measured.memory.around - estimated.memory.around
    assert estimated.memory.pool_tokens - measured.memory.pool_tokens == pytest.approx(
        lost / measured.memory.token, abs=32
    )


def test_a_chip_of_16_gb_is_too_small_and_what_would_do(planner):
    plan = planner.plan(Topology.parse("v5e:1x1"), MeshSpec())
    assert not plan.memory.fits and plan.memory.pool_tokens == 0
    *narrow, larger = advice(plan, planner, model_in)
    assert larger == "--topology v5e:2x2 --mesh tensor=4"
    assert [way.rpartition(" ")[0] for way in narrow] == ["--weights int8 --context", "--weights int8 --streams"]

    def fits(**changes: int) -> bool:
        demand = dataclasses.replace(DEMAND, **changes)
        again = dataclasses.replace(planner, model=model_in("int8"), demand=demand)
        return again.plan(plan.topology, plan.mesh).memory.fits

    context, streams = (int(way.rpartition(" ")[2]) for way in narrow)
    assert fits(context=context) and not fits(context=context + 64)
    assert fits(streams=streams) and not fits(streams=streams + 1)


def test_less_would_fit(planner):
    tight = dataclasses.replace(planner, demand=dataclasses.replace(DEMAND, streams=64))
    plan = tight.plan(Topology.parse("h100:1"), MeshSpec())
    ways = list(advice(plan, tight, model_in))
    pool = plan.memory.pool_tokens
    assert ways[:2] == [f"--context {pool // 64 // 16 * 16}", f"--streams {pool // 8192}"]
    assert ways[-1] == "--topology h100:2 --mesh tensor=2"


def test_the_cheapest_comes_first(planner):
    plans = planner.cheapest(Target(), 5)
    prices = [plan.price for plan in plans]
    assert len(plans) == 5 and prices == sorted(prices)
    assert all(plan.memory.fits for plan in plans)
    assert len({plan.topology.name for plan in plans}) == 5
    smaller = Topology.parse("l4:1")
    assert plans[0].topology.name == "l4:2" and not any(plan.memory.fits for plan in planner.plans(smaller))


def test_a_target_has_to_be_met(planner):
    target = Target(tokens_per_second=200, first_token=0.010)
    plans = planner.cheapest(target, 3)
    assert plans
    for plan in plans:
        assert plan.tokens_per_second >= 200 and plan.first_token <= 0.010
    half = planner.cheapest(dataclasses.replace(target, efficiency=0.5), 3)
    assert all(plan.tokens_per_second >= 400 and plan.first_token <= 0.005 for plan in half)
    assert planner.cheapest(Target(tokens_per_second=1e6), 3) == []


def test_own_prices_count(planner):
    given = dataclasses.replace(planner, prices={"b200": 0.5})
    best = given.cheapest(Target(), 3)[0]
    assert (best.topology.name, best.price) == ("b200:1", 0.5)
    unknown = planner.plan(Topology.parse("b200:1"), MeshSpec())
    assert unknown.price is None
    assert planner.plan(Topology.parse("h200:1"), MeshSpec()).price is None, "the list has eight of them only"
