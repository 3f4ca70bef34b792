"""What would fit, where a plan does not: sentences for people, each of which can be done."""

import dataclasses
from collections.abc import Callable, Iterator

from serving.plan.planner import Model, Plan, Planner
from sharding.mesh import ShardingError
from sharding.topology import Topology


def advice(plan: Plan, planner: Planner, model_in: Callable[[str], Model]) -> Iterator[str]:
    """Ways to make a plan fit. `model_in(type)` is the model with its kernels held in another type."""
    yield from _less_context(plan)
    if planner.model.config.quantised is None:
        narrow = dataclasses.replace(planner, model=model_in("int8")).plan(plan.topology, plan.mesh)
        ways = [""] if narrow.memory.fits else [f" {way}" for way in _less_context(narrow)]
        yield from (f"--weights int8{way}" for way in ways)
    if larger := _next_topology(plan, planner):
        yield f"--topology {larger.topology.name} --mesh {larger.mesh}"


def _less_context(plan: Plan) -> Iterator[str]:
    """The longest context for as many streams, and the most streams of as long a context."""
    memory, demand = plan.memory, plan.demand
    context = memory.pool_tokens // plan.streams // memory.page_size * memory.page_size
    if context > demand.prompt:
        yield f"--context {context}"
    if streams := memory.pool_tokens * plan.streams // memory.needed_tokens:
        yield f"--streams {streams * plan.mesh.data}"


def _next_topology(plan: Plan, planner: Planner) -> Plan | None:
    """The smallest topology of the same chip that is larger and fits, in the mesh that an engine would take."""
    for shape in plan.topology.chip.shapes:
        topology = Topology(plan.topology.chip, shape)
        if topology.chips > plan.topology.chips:
            try:
                larger = planner.plan(topology, planner.usual_mesh(topology))
            except ShardingError:
                continue
            if larger.memory.fits:
                return larger
    return None
