# %% [markdown]
# # Reading a roofline
#
# Why does a chat model write slowly and read fast? Because a step waits for one of two things: for the memory that
# brings the weights, or for the units that multiply. A *roofline* is a picture of both limits. This notebook measures
# those of your machine, puts the engine's own steps beside them, and then looks at accelerators.

# %%
import jax

jax.config.update("jax_platforms", "cpu")

# %% [markdown]
# ## Two limits of this machine
#
# First: how many bytes a second can be read from memory? All cores read a large array, and the best of a few tries
# counts. (Your figures will differ from those that you see here. They are of the machine that made this page.)

# %%
import os
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def best_seconds(work, tries=5):
    """The shortest of several runs."""
    seconds = []
    for _ in range(tries):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
large = np.ones(2**26, np.float32)
with ThreadPoolExecutor(cores) as threads:
    bandwidth = large.nbytes / best_seconds(lambda: list(threads.map(np.max, np.array_split(large, cores))))

print(f"{bandwidth / 1e9:.1f} GB/s")

# %% [markdown]
# Second: how many operations a second can it compute? A product of two large matrices keeps it as busy as it can be.
# With n rows, n columns and sums of n terms it takes 2 n³ operations.

# %%
import jax.numpy as jnp

n = 1024
square = jnp.ones((n, n))
multiply = jax.jit(jnp.matmul)
multiply(square, square)
rate = 2 * n**3 / best_seconds(lambda: multiply(square, square).block_until_ready())

print(f"{rate / 1e9:.0f} billion operations a second")

# %% [markdown]
# ## Operations a byte
#
# A program that computes little with each byte waits for memory; one that computes much waits for the multipliers. The
# number that decides is its *arithmetic intensity*: operations for each byte that it reads. Take a weight matrix, and
# multiply some rows by it:

# %%
width = 2048


def intensity(rows):
    """Operations a byte of x @ w with so many rows of x."""
    operations = 2 * rows * width * width
    bytes_moved = 4 * (width * width + 2 * rows * width)  # the weights, the rows, the result; four bytes each
    return operations / bytes_moved


ROWS = 1, 4, 16, 64, 256
for rows in ROWS:
    print(f"{rows:4} rows: {intensity(rows):6.1f} operations a byte")

assert 0.49 < intensity(1) < 0.5

# %% [markdown]
# One row: half an operation a byte, because each weight of four bytes is read for one multiplication and one addition.
# More rows use each weight more often. JAX's compiler counts the same:

# %%
weights = jax.random.normal(jax.random.key(0), (width, width))
cost = multiply.lower(jnp.ones((16, width)), weights).compile().cost_analysis()

assert cost["flops"] == 2 * 16 * width * width
assert cost["flops"] / cost["bytes accessed"] == intensity(16)

# %% [markdown]
# ## The roof
#
# At an intensity of i, memory allows i times its bandwidth, and never more than the compute limit: a slope, then a
# flat roof. Where they meet is the *ridge*. The points are those products, measured. (Some may lie a little above the
# slope: the matrix may stay in the processor's cache.)

# %%
import pictures


def measured(rows):
    x = jnp.ones((rows, width))
    multiply(x, weights)
    seconds = best_seconds(lambda: multiply(x, weights).block_until_ready(), tries=10)
    return intensity(rows), 2 * rows * width * width / seconds


pictures.roofline({"x @ w": [measured(rows) for rows in ROWS]}, bandwidth=bandwidth, rate=rate, title="This machine")

# %% [markdown]
# ## Two kinds of steps
#
# A language model works in two ways. To *decode*, each stream brings one token, so there are as many rows as streams.
# To *prefill*, that is to read a prompt, one stream brings many tokens at once. All rows share the weights that are
# read.
#
# Here is a decoder of random weights, large enough to matter to memory.

# %%
from flax import nnx

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder

config = DecoderConfig(
    vocab_size=2048, hidden_size=768, layers=4, heads=12, kv_heads=4, head_dim=64, mlp_size=3072, max_position=256
)
decoder = Decoder(config, rngs=nnx.Rngs(0))

print(f"{sum(leaf.nbytes for leaf in jax.tree.leaves(nnx.state(decoder))) / 2**20:.0f} MiB of weights")

# %% [markdown]
# ## What a step has to do
#
# `Work.of` counts bytes and operations of a step, from the shapes of the weights alone. It counts two bytes for each
# number, as accelerators store them. Our CPU computes with four, so here all bytes are doubled.

# %%
from serving.plan.parameters import parameters
from sharding.footprint import Footprint
from sharding.mesh import MeshSpec
from sharding.roofline import Work
from sharding.rules import Rules


def footprint(config, mesh="tensor=1"):
    return Footprint.of(config, parameters(config), MeshSpec.parse(mesh), Rules())


STREAMS, CONTEXT, CHUNK = (1, 2, 4, 8), 64, 128
own = footprint(config)
decode = {streams: Work.of(own, rows=streams, context=CONTEXT) for streams in STREAMS}
prefill = Work.of(own, rows=0, context=1, end=CHUNK)


def operations_a_byte(work, bytes_a_number=2):
    return work.flops / ((work.weight_bytes + work.kv_bytes) * bytes_a_number / 2)


for streams, work in decode.items():
    print(f"decode, {streams} streams: {operations_a_byte(work, 4):5.2f} operations a byte")
print(f"prefill of {CHUNK}:    {operations_a_byte(prefill, 4):5.2f} operations a byte")

# %% [markdown]
# The weights are the same for one stream and for eight. That is why engines decode many streams at once.

# %%
assert decode[8].weight_bytes == decode[1].weight_bytes
assert decode[8].flops == 8 * decode[1].flops
assert operations_a_byte(prefill) > operations_a_byte(decode[8]) > operations_a_byte(decode[1])

# %% [markdown]
# ## The engine's own steps
#
# Now the step programs that serve: scheduler and runner, as in a server, on one device.

# %%
from serving.engine.loading import choose_attention, placed, plan_layout
from serving.engine.options import EngineOptions
from serving.engine.runner import Runner

PAGES, PAGE_SIZE = 16, CHUNK  # large pages, for which fewer programs are compiled
options = EngineOptions(mesh="tensor=1", max_rows=max(STREAMS), page_size=PAGE_SIZE, decode_steps=1)
layout = plan_layout(config, options, jax.devices())
attention, _ = choose_attention(options, layout, jnp.float32, config.max_position)
runner = Runner(
    placed(decoder, jnp.float32, layout),
    options,
    layout,
    attention,
    pages=PAGES,
    max_context=config.max_position,
    step_tokens=CHUNK,
)
runner.programs.start(lambda done, total: None)
runner.programs.wait_all()

# %%
from serving.engine.pages import PagePool
from serving.engine.request import GenerationRequest, SamplingParams
from serving.engine.scheduler import Scheduler


def steps(streams, prompt, replies):
    """The seconds of every step of some streams, and whether it read a prompt."""
    scheduler = Scheduler(
        PagePool(PAGES, PAGE_SIZE),
        rows=max(STREAMS),
        step_tokens=runner.step_tokens,
        max_context=config.max_position,
        eos_ids=(),
        clock=time.monotonic,
        prefix_cache=False,
    )
    for number in range(streams):
        sampling = SamplingParams(max_tokens=replies, temperature=0)
        scheduler.submit(GenerationRequest(str(number), tuple(range(number, number + prompt)), sampling))
    taken = []
    while plan := scheduler.schedule():
        began = time.perf_counter()
        result = runner.dispatch(plan).read()
        taken.append((time.perf_counter() - began, bool(plan.chunks)))
        scheduler.commit(plan, result)
    return taken


def decode_seconds(streams):
    return min(seconds for seconds, reads in steps(streams, prompt=CONTEXT - 8, replies=16) if not reads)


def prefill_seconds():
    return min(seconds for _ in range(5) for seconds, reads in steps(1, prompt=CHUNK, replies=1) if reads)


# %% [markdown]
# Every point is a step: how much it computes for each byte, and how much it gets done in a second.

# %%
points = {
    "decode, 1 to 8 streams": [
        (operations_a_byte(work, 4), work.flops / decode_seconds(streams)) for streams, work in decode.items()
    ],
    f"prefill of {CHUNK} tokens": [(operations_a_byte(prefill, 4), prefill.flops / prefill_seconds())],
}

assert all(reached > 0 for group in points.values() for _, reached in group)
pictures.roofline(points, bandwidth=bandwidth, rate=rate, title="The engine on this machine")

# %% [markdown]
# How to read it: a point close to the slope is as fast as memory allows, one close to the flat part as fast as the
# multipliers allow. What is missing to the roof is the engine's to win. Decode moves up the slope with each stream.
#
# ## Accelerators
#
# An accelerator has the same two limits, only higher. These are published figures of a whole chip, in bfloat16. The
# ridge says how many operations a byte it takes to keep it busy.

# %%
from sharding.chips import CHIPS

print(f"{'':24}   GB/s  TFLOP/s  ridge")
for chip in CHIPS.values():
    ridge = chip.bf16_flops / chip.memory_bandwidth
    print(f"{chip.title:24} {chip.memory_bandwidth / 1e9:6,.0f}  {chip.bf16_flops / 1e12:7,.0f}  {ridge:5.0f}")

# %% [markdown]
# ## A model of 8 billion parameters on one H100
#
# The same picture without a device: where its steps lie under the roof. `Bound` says how long each takes at least, and
# what it waits for.

# %%
from serving.models.shapes import published_shape
from sharding.roofline import Bound
from sharding.topology import Topology

h100 = Topology.parse("h100:1")
llama = footprint(published_shape("llama3-8b"))


def under_the_roof(work):
    return operations_a_byte(work), work.flops / Bound.of(work, h100).seconds


BATCHES, PROMPTS = (1, 4, 16, 64, 256), (64, 128, 256, 512, 1024, 2048)
groups = {
    "decode, contexts of 512": [Work.of(llama, rows=rows, context=512) for rows in BATCHES],
    "decode, contexts of 8192": [Work.of(llama, rows=rows, context=8192) for rows in BATCHES],
    "prefill, 64 to 2048 tokens": [Work.of(llama, rows=0, context=1, end=end) for end in PROMPTS],
}
pictures.roofline(
    {name: [under_the_roof(work) for work in group] for name, group in groups.items()},
    bandwidth=h100.memory_bandwidth,
    rate=h100.bf16_flops,
    title="Llama 3 8B on an H100: 1 to 256 streams, and prompts",
)

# %% [markdown]
# Three things to see. Prompts reach the flat roof at a few hundred tokens: there the card is as busy as it can be.

# %%
waits = {end: Bound.of(work, h100).by for end, work in zip(PROMPTS, groups["prefill, 64 to 2048 tokens"], strict=True)}

assert waits[256] == "memory" and waits[512] == "compute"
waits

# %% [markdown]
# More streams climb the slope, because they share the weights.

# %%
short = [operations_a_byte(work) for work in groups["decode, contexts of 512"]]

assert short == sorted(short) and short[2] > 10 * short[0]
[round(value, 1) for value in short]

# %% [markdown]
# But nobody shares keys and values. With long contexts a step soon reads more of those than of weights, and further
# streams bring next to nothing: the points bunch up far below the ridge.

# %%
long = [operations_a_byte(work) for work in groups["decode, contexts of 8192"]]
sixteen = groups["decode, contexts of 8192"][2]

assert sixteen.kv_bytes > sixteen.weight_bytes
assert long[4] < 2 * long[2] and long[4] < h100.bf16_flops / h100.memory_bandwidth / 10
[round(value, 1) for value in long]

# %% [markdown]
# ## Tokens a second
#
# From the least time of a step follow the most tokens: for each stream, and for all together.

# %%
print("streams  tokens/s each  in all  waits for")
for rows, work in zip(BATCHES, groups["decode, contexts of 512"], strict=True):
    bound = Bound.of(work, h100)
    print(f"{rows:7}  {1 / bound.seconds:13.0f}  {rows / bound.seconds:6,.0f}  {bound.by}")

# %% [markdown]
# `tradewind plan` does this for your model and your devices, with the links between them.
