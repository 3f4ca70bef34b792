"""The TPU compiler's word on the step programs of whole engines, for slices that are nowhere near."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import jax
import pytest
from jax.stages import Compiled as Program

from serving.plan.compiled import Compiled, compile_steps, lowered_steps, read
from serving.plan.planner import Plan
from sharding.collectives import Collective, totals
from sharding.pipeline import micro_batches
from sharding.rules import Rules
from tests.tpu.cases import ALL, COMPILED, FULL, TOO_LARGE, Case, needs_libtpu

pytestmark = needs_libtpu

A_NORM = 1024
"""Bytes below which a collective is some rows' mean square, for which the compiler has its own ways."""

GB = 1e9


@dataclass(frozen=True)
class Built:
    """The two largest step programs of a case, with the plan for the model that they run."""

    case: Case
    plan: Plan
    decode: Program
    mixed: Program
    compiled: Compiled
    cache: int
    seconds: float


@pytest.fixture(scope="module", params=COMPILED, ids=str)
def built(request: pytest.FixtureRequest, show: Callable[[str], None]) -> Built:
    """Each case's programs, compiled once and shared by the tests; their cache is as large as the whole model's."""
    case: Case = request.param
    whole, plan = case.plan(case.config), case.plan(case.compiled_config)
    steps = case.steps(whole.memory.needed_tokens * whole.memory.token)
    began = time.process_time()
    decode, mixed = compile_steps(case.compiled_config, case.topology, case.mesh, Rules(), steps)
    seconds = time.process_time() - began
    cache = steps.pages * steps.page_size * plan.memory.token
    made = Built(case, plan, decode, mixed, read(decode, mixed), cache, seconds)
    show(_row(made))
    return made


@pytest.fixture(scope="module")
def show(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line at once where whole models are compiled, else nothing."""
    if not FULL:
        return lambda line: None
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    write(f"\n{_HEADINGS}\n|{' --- |' * (_HEADINGS.count('|') - 1)}")
    for case in TOO_LARGE:
        memory = case.plan(case.config).memory
        write(f"{_name(case)} no: {memory.needed / GB:.1f} GB > {memory.usable / GB:.1f} | {memory.weights / GB:.2f} |")
    return write


def test_a_device_keeps_what_was_counted(built: Built):
    memory = built.plan.memory
    counted = memory.weights + memory.tables + built.cache
    assert counted <= built.compiled.arguments <= 1.01 * counted, "the rest are scratch pages and the tables' padding"
    for program in (built.decode, built.mixed):
        assert program.memory_analysis().alias_size_in_bytes >= built.cache, "the cache is written where it lies"


def test_no_step_copies_the_cache(built: Built):
    assert built.compiled.temporaries < built.cache / 2


def test_steps_run_the_collectives_that_were_estimated(built: Built):
    footprint, demand = built.plan.footprint, built.plan.demand
    streams, blocks = demand.streams, demand.blocks
    tokens = streams + blocks * demand.page_size
    parts = micro_batches(footprint.stages, streams, blocks, demand.page_size)
    scores = demand.page_size * footprint.fitted.config.vocab_size * 2
    logprobs = Collective("all-gather", scores, built.case.mesh.tensor, blocks)  # of prompts, a page at a time
    assert _runs(built.compiled.decode) == _runs(footprint.collectives(streams, streams))
    assert _runs(built.compiled.mixed) == _runs([*footprint.collectives(tokens, streams, parts), logprobs])


def test_every_layer_attends_through_the_kernel(built: Built):
    for program in (built.decode, built.mixed):
        kernels = [line for line in program.as_text().splitlines() if 'custom_call_target="tpu_custom_call"' in line]
        assert len(kernels) == built.case.compiled_config.layers / built.case.mesh.pipeline
        assert all("ragged_paged_attention" in line for line in kernels)


@pytest.mark.parametrize("case", ALL, ids=str)
def test_whole_models_fit_but_for_the_larger_one_on_the_smallest_slice(case: Case):
    """There its weights alone fit in eight bits, yet not with the cache of 16 streams and the code of all programs."""
    assert case.plan(case.config).memory.fits == ((case.shape, case.topology_name) != ("llama3-70b", "v5e:2x4"))


def test_what_a_plan_refuses_the_compiler_refuses():
    """With few layers, and so much more cache that the bytes are the whole model's."""
    case = TOO_LARGE[0]
    whole, plan = case.plan(case.config), case.plan(case.compiled_config)
    steps = case.steps(whole.memory.kept - plan.memory.weights - plan.memory.tables)
    decode, _ = lowered_steps(case.compiled_config, case.topology, case.mesh, Rules(), steps)
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        decode.compile()


def _runs(found: list[Collective] | tuple[Collective, ...]) -> dict[str, int]:
    return {kind: total.runs for kind, total in totals(one for one in found if one.bytes >= A_NORM).items()}


_HEADINGS = (
    "| model | weights | slice | mesh | fits | weights GB | cache GB | temporaries GB | code MB, decode + mixed "
    "| collectives of a decode step | of a mixed step | compile s |"
)


def _name(case: Case) -> str:
    return f"| {case.shape} | {case.weights} | {case.topology_name} | {case.mesh} |"


def _row(built: Built) -> str:
    """What the compiler said, as a line of a table in Markdown."""
    said, memory = built.compiled, built.plan.memory
    columns = (
        "yes" if memory.fits else "no",
        f"{memory.weights / GB:.2f}",
        f"{built.cache / GB:.2f}",
        f"{said.temporaries / GB:.2f}",
        f"{said.decode_code / 1e6:.0f} + {said.mixed_code / 1e6:.0f}",
        *(", ".join(f"{runs} {kind}" for kind, runs in _runs(part).items()) for part in (said.decode, said.mixed)),
        f"{built.seconds:.0f}",
    )
    return f"{_name(built.case)} {' | '.join(columns)} |"
