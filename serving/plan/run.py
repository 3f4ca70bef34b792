"""`tradewind plan`: read the model, plan, report."""

import dataclasses
import json
from pathlib import Path

from rich.console import Console

from serving.models.config import DecoderConfig, UnsupportedModelError
from serving.models.folder import read_json
from serving.models.shapes import SHAPES, published_shape
from serving.plan import report
from serving.plan.advice import advice
from serving.plan.compiled import Steps, compile_steps, compiler_is_there, read
from serving.plan.demand import Demand, Target
from serving.plan.errors import PlanError
from serving.plan.options import PlanOptions
from serving.plan.parameters import parameters
from serving.plan.planner import Model, Plan, Planner
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules
from sharding.topology import Topology

CHEAPEST = 5
"""Topologies in a ranking."""


def plan(options: PlanOptions, console: Console, notes: Console) -> bool:
    """Prints a plan, and to `notes` what it waits for. False where nothing fits or does.

    Raises PlanError or ModelFolderError.
    """
    if options.list:
        console.print(report.known())
        return True
    try:
        return _plan(options, console, notes)
    except (ShardingError, UnsupportedModelError) as error:
        raise PlanError(str(error)) from None


def _plan(options: PlanOptions, console: Console, notes: Console) -> bool:
    config = _read_config(options.model)
    demand = Demand(options.streams, options.context, options.prompt, options.step_tokens, options.page_size)
    rules = Rules.from_file(Path(options.sharding_rules)) if options.sharding_rules else Rules()

    def model_in(weights: str) -> Model:
        held = dataclasses.replace(config, quantised=None if weights == "bfloat16" else weights)
        return Model(Path(options.model).name, held, parameters(held))

    planner = Planner(model_in(options.weights), demand, rules, options.chip_prices())
    chosen = _on_topology(options, planner, notes) if options.topology else None
    ways = list(advice(chosen, planner, model_in)) if chosen and not chosen.memory.fits else []
    target = _target(options)
    cheapest = planner.cheapest(target, CHEAPEST)
    if options.json:
        print(json.dumps(report.as_json(planner.model, demand, chosen, ways, cheapest), indent=1))
    else:
        if chosen:
            console.print(report.tables(planner.model, chosen, ways), "")
        console.print(report.ranking(cheapest, demand, target))
    return chosen.memory.fits if chosen else bool(cheapest)


def _on_topology(options: PlanOptions, planner: Planner, notes: Console) -> Plan:
    """The plan for the topology that was named, with the compiler's word where it can be had."""
    topology = Topology.parse(options.topology)
    mesh = MeshSpec.parse(options.mesh) if options.mesh else planner.usual_mesh(topology)
    estimated = planner.plan(topology, mesh)
    if reason := _why_estimated(options, estimated):
        return dataclasses.replace(estimated, notes=(*estimated.notes, reason))
    demand, memory = estimated.demand, estimated.memory
    pages = memory.needed_tokens // memory.page_size
    steps = Steps(estimated.streams, demand.context, demand.blocks, demand.page_size, pages)
    with notes.status(f"compiling two step programs for {topology.name}"):
        programs = compile_steps(planner.model.config, topology, mesh.replica, planner.rules, steps)
    return planner.plan(topology, mesh, read(*programs))


def _why_estimated(options: PlanOptions, estimated: Plan) -> str:
    """Why the compiler is not asked; empty where it is."""
    if options.estimate:
        why = "as --estimate says"
    elif estimated.topology.chip.platform != "tpu":
        why = "for GPUs no compiler can be asked without one"
    elif not estimated.memory.fits:
        why = "what does not fit is not compiled"
    elif not compiler_is_there():
        why = "with libtpu (pip install 'tradewind[tpu]') the TPU compiler says what they are"
    else:
        return ""
    return f"temporaries and collectives are estimates: {why}"


def _target(options: PlanOptions) -> Target:
    first_token = float("inf") if options.ttft is None else options.ttft / 1000
    return Target(options.tokens_per_second or 0.0, first_token, options.efficiency)


def _read_config(folder_or_shape: str) -> DecoderConfig:
    """The shape of a published model, or of the one in a folder, of which no more than config.json is read."""
    if config := published_shape(folder_or_shape):
        return config
    folder = Path(folder_or_shape).expanduser()
    if not (folder / "config.json").is_file():
        what = "has no config.json" if folder.is_dir() else "is no folder, and no shape that is known"
        raise PlanError(f"--model {folder_or_shape} {what}; shapes are {', '.join(SHAPES)}")
    return DecoderConfig.from_json(read_json(folder / "config.json"))
