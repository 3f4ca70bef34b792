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
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Int

from serving.engine.attention import PagedKV, PageView, ReferenceAttention
from serving.engine.request import MAX_HELD_STOPS, MAX_TOP_LOGPROBS
from serving.engine.sampler import Drawn, SamplingRows, draw, top_logprobs
from serving.models.config import DecoderConfig


@dataclass(frozen=True, slots=True, order=True)
class StepShape:
    """The static sizes of a step program: one program is compiled for each that is used."""

    rows: int  # decode rows
    blocks: int  # prompt blocks of one page each; 0 makes a decode program, which may run several steps
    pages: int  # pages that a row or block may see


class StepInputs(NamedTuple):
    """What the host tells the device for one dispatch. Rows and blocks without work point at scratch slot and page."""

    steps: Int[Array, ""]
    row_slots: Int[Array, " rows"]
    row_positions: Int[Array, " rows"]
    row_steps: Int[Array, " rows"]
    row_table: Int[Array, "rows pages"]
    block_slots: Int[Array, " blocks"]
    block_starts: Int[Array, " blocks"]
    block_last: Int[Array, " blocks"]  # offset of the block's last token; its successor is drawn if block_draws
    block_draws: Int[Array, " blocks"]
    block_table: Int[Array, "blocks pages"]
    block_tokens: Int[Array, "blocks page"]
    block_targets: Int[Array, "blocks page"]  # the prompt token after each, for prompt logprobs
    block_wants_logprobs: Int[Array, " blocks"]
    sampling: SamplingRows  # of the rows, then of the blocks


class SlotState(NamedTuple):
    """What the device remembers of each running sequence, by slot; the last slot is scratch."""

    last_token: Int[Array, " slots"]
    counts: Int[Array, "slots vocab"]  # tokens of prompt and reply, as the penalties read them
    bias: Float[Array, "slots vocab"]  # logit_bias and allowed_token_ids


class DeviceState(NamedTuple):
    """Everything that lives on the device between steps, apart from the weights."""

    kv: PagedKV
    slots: SlotState

    @classmethod
    def zeros(cls, config: DecoderConfig, slots: int, pages: int, page_size: int, dtype: DTypeLike) -> "DeviceState":
        """An empty cache and empty tables of `slots` slots, the scratch page and slot beside them."""
        return cls(
            PagedKV.zeros(config, pages, page_size, dtype),
            SlotState(
                jnp.zeros(slots + 1, jnp.int32),
                jnp.zeros((slots + 1, config.vocab_size), jnp.int32),
                jnp.zeros((slots + 1, config.vocab_size), jnp.float32),
            ),
        )


class StepOutputs(NamedTuple):
    """What a dispatch drew, [steps, rows + blocks, ...], and the prompt logprobs of its blocks where wanted."""

    drawn: Drawn
    prompt_logprob: Float[Array, "blocks page"]
    prompt_top_tokens: Int[Array, "blocks page top"]
    prompt_top_logprobs: Float[Array, "blocks page top"]


def input_layout(shape: StepShape, page_size: int) -> StepInputs:
    """The shape and type of every input, as `jax.ShapeDtypeStruct`s."""

    def of(dtype: DTypeLike, *sizes: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sizes, dtype)

    rows, blocks, pages = shape.rows, shape.blocks, shape.pages
    drawing = rows + blocks
    integers = functools.partial(of, np.int32)
    return StepInputs(
        steps=integers(),
        row_slots=integers(rows),
        row_positions=integers(rows),
        row_steps=integers(rows),
        row_table=integers(rows, pages),
        block_slots=integers(blocks),
        block_starts=integers(blocks),
        block_last=integers(blocks),
        block_draws=integers(blocks),
        block_table=integers(blocks, pages),
        block_tokens=integers(blocks, page_size),
        block_targets=integers(blocks, page_size),
        block_wants_logprobs=integers(blocks),
        sampling=SamplingRows(
            temperature=of(np.float32, drawing),
            top_k=integers(drawing),
            top_p=of(np.float32, drawing),
            min_p=of(np.float32, drawing),
            repetition_penalty=of(np.float32, drawing),
            presence_penalty=of(np.float32, drawing),
            frequency_penalty=of(np.float32, drawing),
            seed=of(np.uint32, drawing, 2),
            uses_counts=integers(drawing),
            uses_bias=integers(drawing),
            stop_from=integers(drawing),
            stop_ids=integers(drawing, MAX_HELD_STOPS),
            wants_logprobs=integers(drawing),
        ),
    )


def packed_views(shape: StepShape, page_size: int) -> tuple[np.ndarray, StepInputs]:
    """One int32 buffer for all inputs, and views into it to fill: a single transfer instead of twenty-five."""
    layout = input_layout(shape, page_size)
    leaves, tree = jax.tree.flatten(layout)
    buffer = np.zeros(sum(leaf.size for leaf in leaves), np.int32)
    views, start = [], 0
    for leaf in leaves:
        views.append(buffer[start : start + leaf.size].view(leaf.dtype).reshape(leaf.shape))
        start += leaf.size
    return buffer, jax.tree.unflatten(tree, views)


def unpack(packed: Int[Array, " size"], shape: StepShape, page_size: int) -> StepInputs:
    """The inputs inside a packed buffer, on the device."""
    leaves, tree = jax.tree.flatten(input_layout(shape, page_size))
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
        pages, page_size: of the cache, the scratch page not counted.
        max_steps: decode steps of one dispatch at most.
    """

    graph: nnx.GraphDef
    treedef: jax.tree_util.PyTreeDef
    pages: int
    page_size: int
    max_steps: int

    def __call__(
        self, weights: tuple[Array, ...], state: DeviceState, packed: Int[Array, " size"], *, shape: StepShape
    ) -> tuple[DeviceState, StepOutputs]:
        decoder = nnx.merge(self.graph, jax.tree.unflatten(self.treedef, weights))
        inputs = unpack(packed, shape, self.page_size)
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
        nothing = jnp.zeros((0, self.page_size))
        return state, StepOutputs(drawn, nothing, nothing.astype(jnp.int32)[..., None], nothing[..., None])

    def _forward(
        self, decoder: nnx.Module, state: DeviceState, inputs: StepInputs, step: Int[Array, ""]
    ) -> tuple[DeviceState, Drawn, Float[Array, "tokens embed"]]:
        """One step of every active row and all blocks; returns what the rows, then the blocks, drew."""
        rows = len(inputs.row_slots)
        active = step < inputs.row_steps
        row_positions = inputs.row_positions + step
        row_page = jnp.take_along_axis(inputs.row_table, row_positions[:, None] // self.page_size, axis=1)[:, 0]
        view = PageView(
            row_positions=row_positions,
            row_page=jnp.where(active, row_page, self.pages),
            row_table=inputs.row_table,
            block_starts=inputs.block_starts,
            block_page=jnp.take_along_axis(
                inputs.block_table, inputs.block_starts[:, None] // self.page_size, axis=1
            ).reshape(-1),
            block_table=inputs.block_table,
        )
        block_positions = inputs.block_starts[:, None] + jnp.arange(self.page_size)
        tokens = jnp.concatenate([state.slots.last_token[inputs.row_slots], inputs.block_tokens.reshape(-1)])
        positions = jnp.concatenate([row_positions, block_positions.reshape(-1)])
        hidden, kv = decoder(tokens, positions, ReferenceAttention(view, self.pages), state.kv)

        last_of_block = rows + jnp.arange(len(inputs.block_slots)) * self.page_size + inputs.block_last
        drawing = jnp.concatenate([hidden[:rows], hidden[last_of_block]])
        drawn_positions = 1 + jnp.concatenate([row_positions, inputs.block_starts + inputs.block_last])
        scratch = len(state.slots.last_token) - 1
        slots = jnp.concatenate([inputs.row_slots, inputs.block_slots])
        drawn = draw(
            decoder.logits(drawing),
            drawn_positions,
            _as_booleans(inputs.sampling),
            slots,
            state.slots.counts,
            state.slots.bias,
        )
        written = jnp.where(jnp.concatenate([active, inputs.block_draws > 0]), slots, scratch)
        tables = SlotState(
            state.slots.last_token.at[written].set(drawn.tokens),
            state.slots.counts.at[written, drawn.tokens].add(1),
            state.slots.bias,
        )
        return DeviceState(kv, tables), drawn, hidden

    def _prompt_logprobs(
        self, decoder: nnx.Module, inputs: StepInputs, hidden: Float[Array, "block_tokens embed"]
    ) -> tuple[Float[Array, "blocks page"], Int[Array, "blocks page top"], Float[Array, "blocks page top"]]:
        """Logprobs of every block's targets when a block wants them, block by block to bound the logits' memory."""
        blocks, page_size = inputs.block_targets.shape

        def of_block(block: tuple[jax.Array, jax.Array]):
            return top_logprobs(decoder.logits(block[0]), block[1])

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
