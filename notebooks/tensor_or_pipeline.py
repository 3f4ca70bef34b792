# %% [markdown]
# # Tensor parallel or pipeline parallel?
#
# There are two good ways to cut a language model among devices. Here the engine itself runs both, and we count what
# the devices have to send each other. *Sharding from zero* explains meshes, rules and layouts.

# %%
import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

# %% [markdown]
# ## The model
#
# Four layers of four heads, random weights. It is small so that everything here is quick, and four of the eight
# devices are enough for it.

# %%
from flax import nnx

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder

config = DecoderConfig(
    vocab_size=256, hidden_size=32, layers=4, heads=4, kv_heads=4, head_dim=8, mlp_size=64, max_position=128
)
decoder = Decoder(config, rngs=nnx.Rngs(0))

# %% [markdown]
# ## Two ways to cut it
#
# *Tensor parallel*: every device has a slice of every layer. *Pipeline parallel*: every device has some layers whole.
# A mesh of two axes does both. The picture says which device computes which head of which layer.

# %%
import numpy as np
import pictures

from serving.engine.loading import plan_layout
from serving.engine.options import EngineOptions

MESHES = "tensor=1", "tensor=4", "pipeline=2,tensor=2", "pipeline=4"
layouts = {mesh: plan_layout(config, EngineOptions(mesh=mesh), jax.devices()) for mesh in MESHES}


def owners(layout):
    """The device of each head, [layers, heads]."""
    found = np.zeros((config.layers, config.heads), int)
    for device, part in layout.sharding(("layers", "heads")).devices_indices_map(found.shape).items():
        found[part] = device.id
    return found


pictures.grids({mesh: owners(layout) for mesh, layout in layouts.items() if layout.mesh.size > 1}, x="head", y="layer")

# %% [markdown]
# Either way a device holds a quarter of the layers' weights.


# %%
def share_of_first_device(layout):
    return np.count_nonzero(owners(layout) == 0) / config.layers / config.heads


assert [share_of_first_device(layouts[mesh]) for mesh in MESHES] == [1, 1 / 4, 1 / 4, 1 / 4]

# %% [markdown]
# ## The engine on each mesh
#
# A `Runner` is the part of the engine that owns the devices. It compiles a program for each shape of step; we wait for
# the two largest, one that only decodes and one that also reads prompts.

# %%
import jax.numpy as jnp

from serving.engine.loading import choose_attention, placed
from serving.engine.runner import Runner

ROWS, PAGE_SIZE, PAGES, CONTEXT = 8, 16, 64, 128


def runner_on(mesh, **more):
    options = EngineOptions(mesh=mesh, max_rows=ROWS, page_size=PAGE_SIZE, decode_steps=1, **more)
    layout = plan_layout(config, options, jax.devices())
    attention, _ = choose_attention(options, layout, jnp.float32, CONTEXT)
    runner = Runner(
        placed(decoder, jnp.float32, layout),
        options,
        layout,
        attention,
        pages=PAGES,
        max_context=CONTEXT,
        step_tokens=ROWS * PAGE_SIZE,
    )
    runner.programs.start(lambda done, total: None)
    runner.programs.wait_essential()
    runner.programs.cancel()
    return runner


runners = {mesh: runner_on(mesh) for mesh in MESHES}

# %% [markdown]
# ## The same tokens
#
# First the proof that the cut changes nothing that a user could see. Three requests, on every mesh:

# %%
from serving.engine.pages import PagePool
from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.scheduler import Scheduler


def replies(runner):
    scheduler = Scheduler(
        PagePool(PAGES, PAGE_SIZE),
        rows=ROWS,
        step_tokens=runner.step_tokens,
        max_context=CONTEXT,
        eos_ids=(),
        clock=lambda: 0.0,
    )
    greedy = SamplingParams(max_tokens=6, temperature=0)
    for number in range(3):
        scheduler.submit(GenerationRequest(str(number), tuple(range(5 * number, 5 * number + 20)), greedy))
    tokens = {}
    while plan := scheduler.schedule():
        for delta in scheduler.commit(plan, runner.dispatch(plan).read()):
            tokens[delta.id] = [*tokens.get(delta.id, []), *delta.tokens]
    return tokens


spoken = {mesh: replies(runner) for mesh, runner in runners.items()}

assert all(spoken[mesh] == spoken["tensor=1"] for mesh in MESHES)
spoken["tensor=1"]

# %% [markdown]
# ## What devices send
#
# A compiled program is a text, and every exchange between devices is an instruction in it. This is the whole list for
# a step in which eight streams draw a token each.

# %%
from sharding.collectives import collectives, totals


def exchanges(runner, blocks=0):
    """Everything that devices exchange in a step of all rows, beside so many pages of prompts."""
    _, program = runner.programs.choose(ROWS, blocks)
    return collectives(program.as_text())


decode = {mesh: exchanges(runner) for mesh, runner in runners.items()}

for mesh, found in decode.items():
    print(mesh)
    for kind, total in totals(found).items():
        print(f"    {kind:20} {total.runs:3} times, {total.sent_bytes:8,} bytes from each device")

# %% [markdown]
# ## Read it: tensor parallel
#
# Two all-reduces a layer, because attention and MLP each end in a sum over devices; one more for the embedding, and
# one all-gather of the scores. Each waits for the one before.

# %%
tensor = totals(decode["tensor=4"])
one_state_each = ROWS * config.hidden_size * 4  # bytes: what the layers hand on for eight streams, in float32

assert tensor["all-reduce"].runs == 2 * config.layers + 1
assert tensor["all-reduce"].bytes == tensor["all-reduce"].runs * one_state_each
assert tensor["all-gather"].runs == 1

# %% [markdown]
# ## Read it: pipeline parallel
#
# The streams' states go from each stage to the next: a *collective permute*, once a stage. In the end all devices are
# told the result, which takes two exchanges more. All are as large as one of those sums.

# %%
for one in decode["pipeline=4"]:
    print(f"{one.kind:20} {one.times} times, {one.bytes:,} bytes")

between_stages = decode["pipeline=4"][0]
assert between_stages.kind == "collective-permute" and between_stages.times == 4
assert all(one.bytes == one_state_each for one in decode["pipeline=4"])
assert decode["tensor=1"] == []

# %% [markdown]
# ## Side by side
#
# All of it, as bars. *Exchanges* count because each takes its time however small it is; *bytes* count because links
# are slow. With both axes there are most exchanges: every stage also runs its sums while the other one has the work.
# But two devices send less for a sum than four.

# %%


def bytes_sent(found):
    return sum(total.sent_bytes for total in totals(found).values())


pictures.bars(
    {
        "exchanges in a step": {mesh: sum(one.times for one in found) for mesh, found in decode.items()},
        "bytes that a device sends": {mesh: bytes_sent(found) for mesh, found in decode.items()},
    }
)

assert bytes_sent(decode["pipeline=4"]) < bytes_sent(decode["pipeline=2,tensor=2"]) < bytes_sent(decode["tensor=4"])

# %% [markdown]
# ## Reading a prompt sends more
#
# Every token takes part in the sums. A step that also reads eight pages of prompts has 8 + 128 tokens where a decode
# step has 8, and its all-reduces are 17 times as large.

# %%
mixed = {mesh: exchanges(runner, blocks=ROWS) for mesh, runner in runners.items()}
tokens = ROWS + ROWS * PAGE_SIZE

assert totals(mixed["tensor=4"])["all-reduce"].bytes == tokens / ROWS * tensor["all-reduce"].bytes
pictures.bars(
    {
        f"bytes that a device sends, {count} tokens": {mesh: bytes_sent(found) for mesh, found in steps.items()}
        for count, steps in ((ROWS, decode), (tokens, mixed))
    }
)

# %% [markdown]
# ## So is pipeline parallel better?
#
# It sends less. But stages work one after another: while the first one works on a step, the others wait for it. The
# cure is to cut the step into *micro-batches*, which follow each other through the stages.
#
# Let the stages tell us themselves when they work. Each notes, at every tick, which micro-batch it has in hand.

# %%
from sharding.mesh import MeshSpec, build_mesh
from sharding.pipeline import pipelined


def diary(stages, count):
    """The micro-batch in each stage's hands at each tick, [stages, ticks]; NOBODY where a stage waits."""

    def stage(weight, batch, state, live):
        x, number = batch
        notes, clock = state
        notes = notes.at[0, clock[0]].set(jnp.where(live, number, pictures.NOBODY))
        return x * weight, (notes, clock + 1)

    mesh = build_mesh(MeshSpec(pipeline=stages), jax.devices())
    state = jnp.zeros((stages, count + stages - 1), int), jnp.zeros(stages, int)
    through = jax.jit(lambda x: pipelined(stage, mesh, jnp.full(stages, 2.0), jnp.arange(count), state, x))
    made, (notes, _) = through(jnp.ones((count, 1, 1)))
    np.testing.assert_array_equal(made, 2.0**stages)  # every micro-batch came through every stage
    return np.asarray(notes)


diaries = {count: diary(4, count) for count in (1, 4, 8)}

pictures.grids({f"{count} micro-batches": notes for count, notes in diaries.items()}, x="tick", y="stage")

# %% [markdown]
# The empty corners are the *bubble*. With s stages and m micro-batches there are m + s - 1 ticks, and s - 1 of them
# are idle for each stage.

# %%
for count, notes in diaries.items():
    idle = np.mean(notes == pictures.NOBODY)
    print(f"{count} micro-batches: {notes.shape[1]} ticks, {idle:.0%} of the time idle")
    assert idle == 3 / (count + 3)

# %% [markdown]
# ## More micro-batches are not always better
#
# A micro-batch of half the tokens takes half the time, but only down to a point: a stage must read its weights from
# memory for each, be it for one token or for two hundred. Below about 256 tokens a tick gets no shorter. So there is a
# best number.

# %%
import matplotlib.pyplot as plt

from sharding.pipeline import WORTHWHILE_TOKENS, micro_batches

STAGES = 4


def length_of_step(tokens, parts):
    """Ticks times a tick's length, in tokens."""
    return (parts + STAGES - 1) * max(tokens / parts, WORTHWHILE_TOKENS)


_, panel = plt.subplots(figsize=(7, 3), layout="constrained")
for rows, blocks in ((64, 0), (64, 64), (64, 512)):
    parts = [1, 2, 4, 8, 16, 32, 64]
    lengths = [length_of_step(rows + blocks * PAGE_SIZE, count) for count in parts]
    chosen = micro_batches(STAGES, rows, blocks, PAGE_SIZE)
    assert lengths[parts.index(chosen)] == min(lengths)
    panel.loglog(parts, lengths, "o-", label=f"{rows + blocks * PAGE_SIZE} tokens: {chosen} chosen")
panel.set(xlabel="micro-batches", ylabel="length of a step, in tokens", xticks=parts, xticklabels=parts)
panel.legend(frameon=False, fontsize=8)

# %% [markdown]
# A decode step has a token or so for each stream, so it goes through in one piece, and all stages but one wait at any
# time. A long prompt fills the pipeline.

# %%
assert micro_batches(STAGES, 64, 0, PAGE_SIZE) == 1
assert micro_batches(STAGES, 64, 512, PAGE_SIZE) > STAGES

# %% [markdown]
# ## A real model on real links
#
# What we have counted follows from the shapes alone, so `sharding` can say it of any model. First we check it against
# our own engine: the same number of all-reduces, half the bytes because it counts in bfloat16.

# %%
from serving.plan.parameters import parameters
from sharding.footprint import Footprint
from sharding.rules import Rules


def footprint(config, mesh):
    return Footprint.of(config, parameters(config), MeshSpec.parse(mesh), Rules())


foretold = totals(footprint(config, "tensor=4").collectives(tokens=ROWS, drawing=ROWS))["all-reduce"]

assert foretold.runs == tensor["all-reduce"].runs
assert 2 * foretold.bytes == tensor["all-reduce"].bytes

# %% [markdown]
# Now a model of 70 billion parameters on eight cards: once joined by fast links (H100, NVLink), once by slow ones (L4,
# PCIe). `Bound` is the least time that a step takes: as long as the slowest of memory, multiplication and links.

# %%
from serving.models.shapes import published_shape
from sharding.roofline import Bound, Work
from sharding.topology import Topology

big = published_shape("llama3-70b")
EIGHT = "tensor=8", "pipeline=2,tensor=4", "pipeline=8"
DECODE = {"rows": 16, "context": 1024}
READ = {"rows": 15, "context": 1024, "start": 0, "end": 2048}


def bound(mesh, cards, step):
    return Bound.of(Work.of(footprint(big, mesh), **step), Topology.parse(cards))


bounds = {
    (name, cards, mesh): bound(mesh, cards, step)
    for name, step in (("decode", DECODE), ("read a prompt", READ))
    for cards in ("h100:8", "l4:8")
    for mesh in EIGHT
}
print(f"{'':41} memory  compute  links, ms")
for (name, cards, mesh), least in bounds.items():
    waits = least.weights + least.cache, least.compute, least.links
    print(f"{name:14} {cards:7} {mesh:19}", *(f"{1e3 * seconds:6.1f} " for seconds in waits), f" waits for {least.by}")

# %% [markdown]
# ## Tensor parallel within a machine
#
# Decoding waits for memory. Tensor parallel reads all weights at once, with the memory of all devices; a pipeline
# reads them one stage after another. So the more tensor parallel the sooner the tokens, and even slow links keep up.

# %%
for cards in ("h100:8", "l4:8"):
    seconds = [bounds["decode", cards, mesh].seconds for mesh in EIGHT]
    assert seconds == sorted(seconds)
    assert bounds["decode", cards, "tensor=8"].by == "memory"

# %% [markdown]
# Reading a prompt waits for multiplication on fast links. On slow ones the sums take just as long, while a pipeline
# leaves its links idle.

# %%
fast, slow = bounds["read a prompt", "h100:8", "tensor=8"], bounds["read a prompt", "l4:8", "tensor=8"]

assert fast.by == "compute" and fast.links < fast.compute
assert slow.links > 0.9 * slow.compute
assert bounds["read a prompt", "l4:8", "pipeline=8"].links < slow.links / 10

# %% [markdown]
# ## A pipeline between machines
#
# Two machines of eight H100s, joined by a cable of 100 Gbit/s. Over it go either the sums of all sixteen devices, or
# no more than what one stage hands to the next. (A ring of sixteen sends over the cable what each device sends. Every
# device of a stage hands on its copy.)

# %%
CABLE = 100e9 / 8  # bytes a second


def over_the_cable(mesh, step):
    """Bytes between the machines in a step."""
    tokens, drawing = step["rows"] + step.get("end", 0), 16
    found = footprint(big, mesh)
    parts = micro_batches(found.stages, drawing, step.get("end", 0) // PAGE_SIZE, PAGE_SIZE)
    crossing = totals(found.collectives(tokens, drawing, parts))
    if found.stages > 1:
        return 8 * crossing["collective-permute"].sent_bytes
    return sum(total.sent_bytes for total in crossing.values())


print(f"{'':33} inside   cable, ms")
for name, step in (("decode", DECODE), ("read a prompt", READ)):
    least = {}
    for mesh in ("tensor=16", "pipeline=2,tensor=8"):
        inside, cable = bound(mesh, "h100:8", step).seconds, over_the_cable(mesh, step) / CABLE
        least[mesh] = max(inside, cable)
        print(f"{name:13} {mesh:19} {1e3 * inside:6.1f}  {1e3 * cable:6.1f}")
    assert least["pipeline=2,tensor=8"] < least["tensor=16"]

# %% [markdown]
# ## Which one, then?
#
# Tensor parallel among the devices of a machine, whose links are fast, as far as the heads allow. A pipeline between
# machines. `tradewind plan` does this arithmetic for your model and your devices.
