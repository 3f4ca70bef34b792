"""The step program: embed, layers, logits, draw, as one jitted function over decode rows and prompt blocks.

    step(weights, state, packed inputs, shape) -> (state, outputs)

`state` is donated and stays on the device between steps, so a step may be dispatched before the last one is read.
"""

import functools
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax import lax
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention.backend import AttentionBackend, PagedCache, attending
from serving.engine.attention.view import PageView
from serving.engine.request import MAX_HELD_STOPS, MAX_TOP_LOGPROBS
from serving.engine.sampler import Drawn, SamplingRows, draw, top_logprobs
from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder, Layers
from sharding.layout import Layout
from sharding.pipeline import micro_batches, pipelined

_SCORES = (None, "vocab")  # rows' scores of every token, while they are cut


@dataclass(frozen=True, slots=True, order=True)
class StepShape:
    """The static sizes of a step program: one program is compiled for each that is used."""

    rows: int  # sequences
    blocks: int  # prompt blocks of one page each; 0 makes a decode program, which may run several steps


@dataclass(frozen=True, slots=True)
class Paging:
    """How keys and values are kept. The scratch page, number `pages`, is not counted."""

    pages: int
    page_size: int
    sequence_pages: int  # entries of a sequence's line of the page table, as many as the backend reads at once
    attention: AttentionBackend


class StepInputs(NamedTuple):
    """What the host tells the device for one dispatch.

    A row is a sequence of the step: it decodes, or it reads a part of its prompt. Rows and blocks without work point at
    scratch slot and page.
    """

    steps: Int[Array, ""]
    row_slots: Int[Array, " rows"]
    row_positions: Int[Array, " rows"]  # of the token whose successor is drawn
    row_steps: Int[Array, " rows"]  # decode steps; 0 for a row that reads its prompt
    row_sources: Int[Array, " rows"]  # where in the flat token axis the token to draw from is
    row_draws: Int[Array, " rows"]  # whether the token drawn counts
    row_table: Int[Array, "rows+1 pages"]  # a last line of scratch pages, for blocks without work
    block_rows: Int[Array, " blocks"]  # the row whose prompt this is a page of
    block_starts: Int[Array, " blocks"]
    block_tokens: Int[Array, "blocks page"]
    block_targets: Int[Array, "blocks page"]  # the prompt token after each, for prompt logprobs
    block_wants_logprobs: Int[Array, " blocks"]
    sampling: SamplingRows


class SlotState(NamedTuple):
    """What the device remembers of each running sequence, by slot; the last slot is scratch."""

    last_token: Int[Array, " slots"]
    counts: Int[Array, "slots vocab"]  # tokens of prompt and reply, as the penalties read them
    bias: Float[Array, "slots vocab"]  # logit_bias and allowed_token_ids


class DeviceState(NamedTuple):
    """Everything that lives on the device between steps, apart from the weights."""

    kv: PagedCache
    slots: SlotState

    @classmethod
    def zeros(cls, config: DecoderConfig, slots: int, paging: Paging, dtype: DTypeLike) -> "DeviceState":
        """An empty cache and empty tables of `slots` slots, the scratch page and slot beside them."""
        return cls(
            paging.attention.zeros(config, paging.pages, paging.page_size, dtype),
            SlotState(
                jnp.zeros(slots + 1, jnp.int32),
                jnp.zeros((slots + 1, config.vocab_size), jnp.int32),
                jnp.zeros((slots + 1, config.vocab_size), jnp.float32),
            ),
        )

    @staticmethod
    def shardings(layout: Layout, attention: AttentionBackend) -> "DeviceState":
        """Where each of these arrays lies: keys and values with their heads, the tables everywhere."""
        return DeviceState(
            jax.tree.map(layout.sharding, attention.axes, is_leaf=lambda axes: isinstance(axes, PartitionSpec)),
            SlotState(layout.replicated, layout.replicated, layout.replicated),
        )


class StepOutputs(NamedTuple):
    """What a dispatch drew, [steps, rows, ...], and the prompt logprobs of its blocks where wanted."""

    drawn: Drawn
    prompt_logprob: Float[Array, "blocks page"]
    prompt_top_tokens: Int[Array, "blocks page top"]
    prompt_top_logprobs: Float[Array, "blocks page top"]


def input_layout(shape: StepShape, paging: Paging) -> StepInputs:
    """The shape and type of every input, as `jax.ShapeDtypeStruct`s."""

    def of(dtype: DTypeLike, *sizes: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, dtype)

    rows, blocks, page_size = shape.rows, shape.blocks, paging.page_size
    integers = functools.partial(of, np.int32)
    floats = functools.partial(of, np.float32)
    return StepInputs(
        steps=integers(),
        row_slots=integers(rows),
        row_positions=integers(rows),
        row_steps=integers(rows),
        row_sources=integers(rows),
        row_draws=integers(rows),
        row_table=integers(rows + 1, paging.sequence_pages),
        block_rows=integers(blocks),
        block_starts=integers(blocks),
        block_tokens=integers(blocks, page_size),
        block_targets=integers(blocks, page_size),
        block_wants_logprobs=integers(blocks),
        sampling=SamplingRows(
            temperature=floats(rows),
            top_k=integers(rows),
            top_p=floats(rows),
            min_p=floats(rows),
            repetition_penalty=floats(rows),
            presence_penalty=floats(rows),
            frequency_penalty=floats(rows),
            seed=of(np.uint32, rows, 2),
            uses_counts=integers(rows),
            uses_bias=integers(rows),
            stop_from=integers(rows),
            stop_ids=integers(rows, MAX_HELD_STOPS),
            wants_logprobs=integers(rows),
        ),
    )


def packed_views(shape: StepShape, paging: Paging) -> tuple[np.ndarray, StepInputs]:
    """One int32 buffer for all inputs, and views into it to fill: a single transfer instead of twenty-five."""
    layout = input_layout(shape, paging)
    leaves, tree = jax.tree.flatten(layout)
    buffer = np.zeros(sum(leaf.size for leaf in leaves), np.int32)
    views, start = [], 0
    for leaf in leaves:
        views.append(buffer[start : start + leaf.size].view(leaf.dtype).reshape(leaf.shape))
        start += leaf.size
    return buffer, jax.tree.unflatten(tree, views)


def unpack(packed: Int[Array, " size"], shape: StepShape, paging: Paging) -> StepInputs:
    """The inputs inside a packed buffer, on the device."""
    leaves, tree = jax.tree.flatten(input_layout(shape, paging))
    values, start = [], 0
    for leaf in leaves:
        part = packed[start : start + leaf.size].reshape(leaf.shape)
        values.append(lax.bitcast_convert_type(part, leaf.dtype))
        start += leaf.size
    return jax.tree.unflatten(tree, values)


@dataclass(frozen=True)
class StepProgram:
    """A decoder's step function, to be jitted for each shape.

    Args:
        graph: the decoder's structure; `weights` is a tuple of its leaves, in `treedef`'s order.
        paging: how the cache is cut.
        max_steps: decode steps of one dispatch at most.
        layout: how the model lies on its devices.
        micro_batches: of a pipelined step; 0 takes the number of least time.
    """

    graph: nnx.GraphDef
    treedef: jax.tree_util.PyTreeDef
    paging: Paging
    max_steps: int
    layout: Layout
    micro_batches: int = 0

    def __call__(
        self, weights: tuple[Array, ...], state: DeviceState, packed: Int[Array, " size"], *, shape: StepShape
    ) -> tuple[DeviceState, StepOutputs]:
        decoder = nnx.merge(self.graph, jax.tree.unflatten(self.treedef, weights))
        inputs = unpack(packed, shape, self.paging)
        if shape.blocks:
            state, drawn, hidden = self._forward(decoder, state, inputs, jnp.int32(0))
            drawn = jax.tree.map(lambda x: x[None], drawn)
            return state, StepOutputs(drawn, *self._prompt_logprobs(decoder, inputs, hidden[shape.rows :]))

        def decode(step: Int[Array, ""], carry: tuple[DeviceState, Drawn]) -> tuple[DeviceState, Drawn]:
            state, drawn = carry
            state, new, _ = self._forward(decoder, state, inputs, step)
            return state, jax.tree.map(lambda all_, one: all_.at[step].set(one), drawn, new)

        top = min(MAX_TOP_LOGPROBS, state.slots.bias.shape[-1])
        empty = Drawn(
            jnp.zeros((self.max_steps, shape.rows), jnp.int32),
            jnp.zeros((self.max_steps, shape.rows)),
            jnp.zeros((self.max_steps, shape.rows, top), jnp.int32),
            jnp.zeros((self.max_steps, shape.rows, top)),
        )
        state, drawn = lax.fori_loop(0, inputs.steps, decode, (state, empty))
        nothing = jnp.zeros((0, self.paging.page_size))
        return state, StepOutputs(drawn, nothing, nothing.astype(jnp.int32)[..., None], nothing[..., None])

    def _forward(
        self, decoder: Decoder, state: DeviceState, inputs: StepInputs, step: Int[Array, ""]
    ) -> tuple[DeviceState, Drawn, Float[Array, "tokens embed"]]:
        """One step of every active row and all blocks; returns what the rows drew, and every token's hidden state."""
        rows, page_size, scratch_page = len(inputs.row_slots), self.paging.page_size, self.paging.pages
        decodes = step < inputs.row_steps
        row_positions = inputs.row_positions + step
        row_pages = inputs.row_table[jnp.arange(rows), row_positions // page_size]
        view = PageView(
            row_table=inputs.row_table[:rows],
            row_positions=row_positions,
            row_pages=jnp.where(decodes, row_pages, scratch_page),
            block_rows=jnp.where(inputs.block_rows < rows, inputs.block_rows, -1),
            block_table=inputs.row_table[inputs.block_rows],
            block_starts=inputs.block_starts,
            block_pages=inputs.row_table[inputs.block_rows, inputs.block_starts // page_size],
        )
        tokens = jnp.concatenate([state.slots.last_token[inputs.row_slots], inputs.block_tokens.reshape(-1)])
        hidden, kv = self._through_layers(decoder, decoder.embedded(tokens), view, state.kv)
        hidden = decoder.norm(hidden)

        # In a decode program every row draws from its own token.
        drawing = hidden[inputs.row_sources] if len(inputs.block_rows) else hidden
        logits = self.layout.whole(decoder.logits(drawing), _SCORES)
        with jax.named_scope("draw"):
            sampling = _as_booleans(inputs.sampling)
            drawn = draw(logits, 1 + row_positions, sampling, inputs.row_slots, state.slots.counts, state.slots.bias)
        scratch_slot = len(state.slots.last_token) - 1
        written = jnp.where(decodes | (inputs.row_draws > 0), inputs.row_slots, scratch_slot)
        tables = SlotState(
            state.slots.last_token.at[written].set(drawn.tokens),
            state.slots.counts.at[written, drawn.tokens].add(1),
            state.slots.bias,
        )
        return DeviceState(kv, tables), drawn, hidden

    def _through_layers(
        self, decoder: Decoder, x: Float[Array, "tokens embed"], view: PageView, kv: PagedCache
    ) -> tuple[Float[Array, "tokens embed"], PagedCache]:
        """All layers over all tokens: at once, or stage by stage in micro-batches of some rows and some blocks each."""
        rows, blocks = view.row_pages.size, view.block_pages.size
        page_size, scratch_page = self.paging.page_size, self.paging.pages

        def through(layers: Layers, x: jax.Array, view: PageView, kv: PagedCache) -> tuple[jax.Array, PagedCache]:
            block_positions = view.block_starts[:, None] + jnp.arange(page_size)
            positions = jnp.concatenate([view.row_positions, block_positions.reshape(-1)])
            attend = attending(self.paging.attention, view, scratch_page, self.layout.per_device)
            return layers(x, positions, attend, kv)

        if self.layout.stages == 1:
            return through(decoder.layers, x, view, kv)

        parts = micro_batches(self.layout.stages, rows, blocks, page_size, self.micro_batches)
        graph, weights = nnx.split(decoder.layers)

        def stage(weights: nnx.State, batch: tuple[jax.Array, PageView], kv: PagedCache, live: jax.Array):
            x, view = batch
            return through(nnx.merge(graph, weights), x, view.writing(live, scratch_page), kv)

        def split(held: jax.Array) -> jax.Array:
            return held.reshape(parts, len(held) // parts, *held.shape[1:])

        def split_tokens(held: jax.Array) -> jax.Array:
            return jnp.concatenate([split(held[:rows]), split(held[rows:])], axis=1)

        def join_tokens(held: jax.Array) -> jax.Array:
            share = rows // parts
            return jnp.concatenate(
                [held[:, :share].reshape(rows, -1), held[:, share:].reshape(blocks * page_size, x.shape[-1])]
            )

        made, kv = pipelined(stage, self.layout.mesh, weights, jax.tree.map(split, view), kv, split_tokens(x))
        return join_tokens(made), kv

    def _prompt_logprobs(
        self, decoder: Decoder, inputs: StepInputs, hidden: Float[Array, "block_tokens embed"]
    ) -> tuple[Float[Array, "blocks page"], Int[Array, "blocks page top"], Float[Array, "blocks page top"]]:
        """Logprobs of every block's targets when a block wants them, block by block to bound the logits' memory."""
        blocks, page_size = inputs.block_targets.shape

        def of_block(block: tuple[jax.Array, jax.Array]):
            return top_logprobs(self.layout.whole(decoder.logits(block[0]), _SCORES), block[1])

        def compute():
            return lax.map(of_block, (hidden.reshape(blocks, page_size, -1), inputs.block_targets))

        empty = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(compute))
        return lax.cond(jnp.any(inputs.block_wants_logprobs > 0), compute, lambda: empty)


def _as_booleans(sampling: SamplingRows) -> SamplingRows:
    """Flags travel as integers in the packed buffer."""
    return sampling._replace(
        uses_counts=sampling.uses_counts > 0,
        uses_bias=sampling.uses_bias > 0,
        wants_logprobs=sampling.wants_logprobs > 0,
    )


def bind_slot(
    slots: SlotState, slot: Int[Array, ""], counts: Int[Array, " vocab"], bias: Float[Array, " vocab"]
) -> SlotState:
    """Sets what penalties and bias of a newly admitted request start from."""
    return slots._replace(counts=slots.counts.at[slot].set(counts), bias=slots.bias.at[slot].set(bias))
