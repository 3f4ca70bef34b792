"""A plan as tables for people and as JSON for programs."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from serving.models.shapes import SHAPES
from serving.plan.demand import Demand, Target
from serving.plan.memory import MEMORY_SHARE
from serving.plan.planner import Model, Plan
from sharding.chips import CHIPS, PRICES_OF
from sharding.collectives import totals

GB = 1e9
MS = 1e3


def tables(model: Model, plan: Plan, advice: Sequence[str]) -> Group:
    """Everything about one plan."""
    parts: list[RenderableType] = [_headline(model, plan), _verdict(plan, advice), Text()]
    parts += [_memory(plan), Text(), _times(plan), Text(), *_collectives(plan)]
    parts += [Text(note, "dim") for note in plan.notes]
    return Group(*parts)


def ranking(plans: Sequence[Plan], demand: Demand, target: Target) -> Group:
    """The cheapest topologies that will do."""
    goal = _goal(demand, target)
    if not plans:
        return Group(Text(f"no topology that is known serves {goal}", "red"))
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("topology")
    table.add_column("mesh")
    for heading in ("$ an hour", "tokens/s each", "in all", "$ a million", "TTFT ms", "pool tokens"):
        table.add_column(heading, justify="right")
    for plan in plans:
        table.add_row(
            plan.topology.name,
            str(plan.mesh),
            _dollars(plan.price),
            f"{plan.tokens_per_second:,.0f}",
            f"{plan.total_tokens_per_second:,.0f}",
            _dollars(plan.price and plan.price / plan.total_tokens_per_second / 3600 * 1e6),
            f"{plan.first_token * MS:,.1f}",
            f"{plan.memory.pool_tokens * plan.mesh.data:,}",
        )
    return Group(
        Text(f"cheapest for {goal}", "bold"),
        table,
        Text(f"speeds: rooflines, which no engine exceeds; prices: {PRICES_OF}, unless given", "dim"),
    )


def known() -> Group:
    """The chips, topologies and shapes that can be named."""
    chips = Table(box=None, pad_edge=False, header_style="bold")
    chips.add_column("chip")
    chips.add_column("")
    for heading in ("memory GB", "GB/s", "bf16 TFLOP/s", "8-bit TOP/s", "links GB/s", "$ an hour"):
        chips.add_column(heading, justify="right")
    chips.add_column("topologies")
    for chip in CHIPS.values():
        chips.add_row(
            chip.name,
            chip.title,
            f"{chip.memory / GB:,.1f}",
            f"{chip.memory_bandwidth / GB:,.0f}",
            f"{chip.bf16_flops / 1e12:,.0f}",
            f"{chip.eight_bit_ops / 1e12:,.0f}",
            f"{chip.links} x {chip.link_bandwidth / GB:,.0f}",
            _dollars(chip.price),
            " ".join("x".join(map(str, shape)) for shape in chip.shapes),
        )
    prices = Text(f"of a chip; prices: {PRICES_OF}; figures' sources: sharding/chips.py", "dim")
    return Group(chips, prices, Text(), Text.assemble(("shapes ", "bold"), " ".join(SHAPES)))


def as_json(
    model: Model, demand: Demand, plan: Plan | None, advice: Sequence[str], cheapest: Iterable[Plan]
) -> dict[str, Any]:
    """The same for programs: bytes, seconds, dollars."""
    return {
        "model": model.name,
        "demand": asdict(demand),
        "plan": plan and _plan_json(plan) | {"advice": list(advice)},
        "cheapest": [_plan_json(one) for one in cheapest],
    }


def _plan_json(plan: Plan) -> dict[str, Any]:
    memory, machines = plan.memory, plan.topology.machines
    return {
        "topology": plan.topology.name,
        "chips": plan.topology.chips,
        "machines": machines and {"count": machines[0], "type": machines[1]},
        "mesh": plan.mesh.sizes,
        "price_per_hour": plan.price,
        "fits": memory.fits,
        "memory_per_device": asdict(memory)
        | {"usable": memory.usable, "needed": memory.needed, "pool_tokens": memory.pool_tokens},
        "pool_tokens": memory.pool_tokens * plan.mesh.data,
        "decode_step": asdict(plan.work)
        | {"seconds": asdict(plan.decode), "at_least": plan.decode.seconds}
        | {"bound_by": plan.decode.by},
        "tokens_per_second": plan.tokens_per_second,
        "total_tokens_per_second": plan.total_tokens_per_second,
        "time_to_first_token": plan.first_token,
        "collectives": {
            "measured": plan.compiled is not None,
            "decode_step": {kind: total._asdict() for kind, total in totals(plan.collectives).items()},
        },
        "notes": list(plan.notes),
    }


def _headline(model: Model, plan: Plan) -> Text:
    machines = plan.topology.machines
    where = f" ({machines[0]} x {machines[1]})" if machines else ""
    price = "" if plan.price is None else f", ${plan.price:,.2f} an hour"
    return Text.assemble(
        (f"{model.name} on {plan.topology.name}", "bold"), f"{where}{price}, mesh {plan.mesh}, {_kernels(model)}"
    )


def _verdict(plan: Plan, advice: Sequence[str]) -> Text:
    memory, demand = plan.memory, plan.demand
    ask = f"{demand.streams:,} streams of {demand.context:,} tokens"
    if memory.fits:
        pool = memory.pool_tokens * plan.mesh.data
        needed = memory.needed_tokens * plan.mesh.data
        return Text(f"fits: {ask} need {needed:,} tokens of cache, the pool holds {pool:,}", "green")
    parts = f"{memory.weights / GB:.1f} GB of weights + {memory.needed_tokens * memory.token / GB:.1f} GB of cache + "
    parts += f"{memory.around / GB:.1f} GB around them"
    said = f"does not fit: {parts} = {memory.needed / GB:.1f} GB > {memory.limit / GB:.1f} GB x {MEMORY_SHARE:g}"
    lines = [f"{said} on each device, for {ask}", *(f"  would fit: {way}" for way in advice)]
    return Text("\n".join(lines), "red")


def _memory(plan: Plan) -> Table:
    memory = plan.memory
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("memory of a device")
    table.add_column("GB", justify="right")
    table.add_column("", style="dim")
    cache = memory.pool_tokens * memory.token
    table.add_row("weights", f"{memory.weights / GB:.2f}", "")
    table.add_row("tables of the slots", f"{memory.tables / GB:.2f}", f"{plan.streams + 1:,} slots")
    source = "by the compiler" if memory.measured else "estimated"
    table.add_row("temporaries", f"{memory.temporaries / GB:.2f}", source)
    if memory.measured:
        table.add_row("padding", f"{memory.padding / GB:.2f}", source)
        table.add_row("programs", f"{memory.programs / GB:.2f}", "at most, were each shape's as large as the largest")
    table.add_row("page pool", f"{cache / GB:.2f}", f"{memory.pool_tokens:,} tokens of {memory.token:,} bytes")
    table.add_row(
        "at most", f"{memory.usable / GB:.2f}", f"{MEMORY_SHARE:.0%} of {memory.limit / GB:.2f}", style="bold"
    )
    return table


def _times(plan: Plan) -> Group:
    bound, work = plan.decode, plan.work
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("a decode step takes at least")
    table.add_column("ms", justify="right")
    table.add_column("", style="dim")
    rows = [
        ("memory", "to read weights", bound.weights, f"{work.weight_bytes / GB:.2f} GB"),
        ("memory", "to read the cache", bound.cache, f"{work.kv_bytes / GB:.2f} GB"),
        ("compute", "to multiply", bound.compute, f"{work.flops / 1e12:.2f} TFLOP"),
        ("links", "to send", bound.links, f"{work.sent_bytes / 1e6:.1f} MB"),
    ]
    for kind, what, seconds, amount in rows:
        table.add_row(what, f"{seconds * MS:.2f}", amount, style="bold" if kind == bound.by else None)
    table.add_row("", f"{bound.seconds * MS:.2f}", f"{bound.by}; the rest goes on meanwhile", style="bold")
    speed = f"at most {plan.tokens_per_second:,.1f} tokens/s a stream, {plan.total_tokens_per_second:,.0f} in all"
    prompt = f"a prompt of {plan.demand.prompt:,} beside {plan.streams - 1:,} others"
    return Group(table, Text(f"{speed}; first token of {prompt} after {plan.first_token * MS:,.1f} ms at least"))


def _collectives(plan: Plan) -> list[RenderableType]:
    if not plan.collectives:
        return []
    source = "by the compiler" if plan.compiled else "estimated"
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(f"collectives of a decode step, {source}")
    for heading in ("runs", "MB", "MB sent"):
        table.add_column(heading, justify="right")
    for kind, total in totals(plan.collectives).items():
        table.add_row(kind, f"{total.runs:,}", f"{total.bytes / 1e6:.1f}", f"{total.sent_bytes / 1e6:.1f}")
    return [table, Text()]


def _goal(demand: Demand, target: Target) -> str:
    parts = [f"{demand.streams:,} streams of {demand.context:,} tokens"]
    if target.tokens_per_second:
        parts.append(f"{target.tokens_per_second:,.0f} tokens/s each")
    if target.first_token < float("inf"):
        parts.append(f"first tokens of {demand.prompt:,} within {target.first_token * MS:,.0f} ms")
    if target.efficiency < 1:
        parts.append(f"at {target.efficiency:.0%} of the roofline")
    return ", ".join(parts)


def _kernels(model: Model) -> str:
    return f"{model.config.quantised} kernels" if model.config.quantised else "bfloat16"


def _dollars(price: float | None) -> str:
    return "?" if price is None else f"{price:,.2f}"
