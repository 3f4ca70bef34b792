"""What each layout costs: step time, collectives in the compiled program, bytes that each device holds.

python -m benchmarks.sharding [--devices 8] [--rows 8] [--mesh tensor=4,pipeline=2 ...]

Runs the engine's own step programs of a small dense model and a small mixture of experts, whose weights are random, on
virtual devices of this machine's CPU, or on the accelerators that there are. Virtual devices share the cores, so on a
CPU the times only say what a layout adds in all; collectives and bytes are those of any eight devices.
"""

import time
from dataclasses import dataclass
from typing import Annotated

import jax
import jax.numpy as jnp
import typer
from flax import nnx
from rich.table import Table

from benchmarks import display, machine
from serving.engine.loading import choose_attention, placed, plan_layout
from serving.engine.options import EngineOptions
from serving.engine.pages import PagePool
from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.runner import Runner
from serving.engine.scheduler import Scheduler
from serving.models.config import DecoderConfig, ExpertsConfig
from serving.models.decoder import Decoder
from sharding.collectives import Total, collectives, totals

PAGE_SIZE, CONTEXT, STEPS = 16, 256, 10

DENSE = DecoderConfig(
    vocab_size=8192, hidden_size=512, layers=8, heads=8, kv_heads=8, head_dim=64, mlp_size=1536, max_position=CONTEXT
)
EXPERTS = DecoderConfig(
    vocab_size=8192, hidden_size=512, layers=8, heads=8, kv_heads=8, head_dim=64, mlp_size=512, max_position=CONTEXT,
    experts=ExpertsConfig(count=8, per_token=2, mlp_size=512, normalised=True),
)  # fmt: skip
LAYOUTS = {
    "dense": (DENSE, ("tensor=1", "tensor=8", "pipeline=2,tensor=4", "pipeline=8")),
    "experts": (EXPERTS, ("tensor=1", "tensor=8", "expert=8", "expert=4,tensor=2", "pipeline=2,expert=4")),
}


@dataclass(frozen=True)
class Cost:
    """What one layout costs in a decode step."""

    step: float  # seconds
    moved: dict[str, Total]
    weights: int  # bytes, on the device that holds most
    cache: int

    def cells(self) -> list[str]:
        """As shown in the table."""
        moved = "\n".join(
            f"{kind} x {total.runs}, {total.sent_bytes / 1024:,.0f} KiB sent" for kind, total in self.moved.items()
        )
        return [f"{1e3 * self.step:.1f}", moved or "none", f"{self.weights / 2**20:.1f}", f"{self.cache / 2**20:.1f}"]


def measure(decoder: Decoder, mesh: str, devices: list[jax.Device], rows: int) -> Cost:
    """Decode steps of `rows` sequences on a mesh."""
    pages = rows * CONTEXT // PAGE_SIZE
    options = EngineOptions(mesh=mesh, max_rows=rows, page_size=PAGE_SIZE, decode_steps=1)
    layout = plan_layout(decoder.config, options, devices)
    laid = placed(decoder, jnp.float32, layout)
    attention, _ = choose_attention(options, layout, jnp.float32, CONTEXT)
    runner = Runner(laid, options, layout, attention, pages=pages, max_context=CONTEXT, step_tokens=rows * PAGE_SIZE)
    runner.programs.start(lambda done, total: None)
    runner.programs.wait_all()
    scheduler = Scheduler(
        PagePool(pages, PAGE_SIZE),
        rows=rows,
        step_tokens=runner.step_tokens,
        max_context=CONTEXT,
        eos_ids=(),
        clock=time.monotonic,
        prefix_cache=False,
    )
    for number in range(rows):
        sampling = SamplingParams(max_tokens=2 * STEPS, temperature=0, ignore_eos=True)
        scheduler.submit(GenerationRequest(f"{number}", (number + 1,) * PAGE_SIZE, sampling))
    seconds = []
    while (plan := scheduler.schedule()) is not None:
        began = time.perf_counter()
        result = runner.dispatch(plan).read()
        if not plan.chunks:
            seconds.append(time.perf_counter() - began)
        scheduler.commit(plan, result)
    _, program = runner.programs.choose(rows, 0)
    return Cost(
        machine.quantile(seconds, 0.5),
        totals(collectives(program.as_text())),
        _held(jax.tree.leaves(nnx.state(laid))),
        _held(jax.tree.leaves(runner.cache)),
    )


def _held(arrays: list[jax.Array]) -> int:
    """Bytes of some arrays on the device that holds most of them."""
    held: dict[jax.Device, int] = {}
    for array in arrays:
        for shard in array.addressable_shards:
            held[shard.device] = held.get(shard.device, 0) + shard.data.nbytes
    return max(held.values())


def main(
    devices: Annotated[int, typer.Option(help="Virtual devices, where there is no accelerator.", min=1)] = 8,
    rows: Annotated[int, typer.Option(help="Sequences that decode.", min=1)] = 8,
    mesh: Annotated[list[str] | None, typer.Option(help="Only these meshes; may be given several times.")] = None,
) -> None:
    """Print what layouts of a dense model and of a mixture of experts cost."""
    jax.config.update("jax_num_cpu_devices", devices)
    out = display.console()
    out.print(machine.title(machine.describe()))
    layouts = {name: (config, tuple(mesh or meshes)) for name, (config, meshes) in LAYOUTS.items()}
    with display.progress() as bar:
        task = bar.add_task("layouts", total=sum(len(meshes) for _, meshes in layouts.values()))
        for name, (config, meshes) in layouts.items():
            decoder = Decoder(config, rngs=nnx.Rngs(0))
            table = Table(
                "mesh", "step, ms", "collectives of a step", "weights, MiB a device", "pages, MiB a device",
                title=f"{name}, {rows} rows decode", show_lines=True,
            )  # fmt: skip
            for one in meshes:
                table.add_row(one, *measure(decoder, one, jax.devices(), rows).cells())
                bar.advance(task)
            out.print(table)


if __name__ == "__main__":
    typer.run(main)
