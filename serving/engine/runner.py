"""From plans to the device and back: fills a step's inputs, dispatches it, reads what it drew."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from serving.engine.attention.backend import AttentionBackend, PagedCache
from serving.engine.lowering import lower_step, paging, step_program
from serving.engine.options import EngineOptions
from serving.engine.programs import StepPrograms, step_shapes
from serving.engine.request import TokenLogprobs
from serving.engine.sampler import MASKED, PROMPT_SEEN
from serving.engine.scheduler import DecodeRow, PrefillChunk, Sampled, StepPlan, StepResult
from serving.engine.sequence import Sequence
from serving.engine.step import (
    DeviceState,
    StepInputs,
    StepOutputs,
    StepShape,
    bind_slot,
    packed_views,
)
from serving.models.decoder import Decoder
from sharding.layout import Layout


@dataclass(frozen=True, slots=True)
class _Block:
    """One page of a prompt chunk: tokens [start, end) of the sequence in a row of the step."""

    chunk: PrefillChunk
    row: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A step that was handed to the device. `read` waits for it."""

    plan: StepPlan
    blocks: tuple[_Block, ...]
    outputs: StepOutputs

    def read(self) -> StepResult:
        """What the step drew; blocks until the device is done."""
        tokens = np.asarray(self.outputs.drawn.tokens)
        sampled = [self._sampled(item, tokens, row) for row, item in enumerate(_rows(self.plan)) if _draws(item)]
        return StepResult(sampled, [self._prompt_logprobs(chunk) for chunk in self.plan.chunks])

    def _sampled(self, item: DecodeRow | PrefillChunk, tokens: np.ndarray, row: int) -> Sampled:
        steps = item.steps if isinstance(item, DecodeRow) else 1
        drawn = tokens[:steps, row].tolist()
        wanted = item.sequence.request.sampling.logprobs
        if wanted is None:
            return Sampled(drawn)
        logprobs, top_tokens, top_logprobs = (
            np.asarray(part)[:steps, row]
            for part in (self.outputs.drawn.logprob, self.outputs.drawn.top_tokens, self.outputs.drawn.top_logprobs)
        )
        return Sampled(drawn, _token_logprobs(drawn, logprobs, top_tokens, top_logprobs, wanted))

    def _prompt_logprobs(self, chunk: PrefillChunk) -> list[TokenLogprobs]:
        """Those of the prompt tokens that the chunk's tokens predict."""
        wanted = chunk.sequence.request.sampling.prompt_logprobs
        if wanted is None or chunk.sequence.prompt_logprobs is None:
            return []
        found: list[TokenLogprobs] = []
        for index, block in enumerate(self.blocks):
            if block.chunk is not chunk:
                continue
            targets = chunk.sequence.request.prompt[block.start + 1 : block.end + 1]
            parts = (
                np.asarray(part)[index, : len(targets)]
                for part in (
                    self.outputs.prompt_logprob,
                    self.outputs.prompt_top_tokens,
                    self.outputs.prompt_top_logprobs,
                )
            )
            found += _token_logprobs(list(targets), *parts, wanted)
        return found


class Runner:
    """Owns the device's state and the compiled programs; one thread calls it.

    Args:
        decoder: the model, its weights already where `layout` wants them.
        options: rows, page size, decode steps and compile threads.
        layout: how the model lies on its devices.
        attention: how keys and values lie in pages, and what reads them.
        pages: how many pages the cache holds.
        max_context: tokens of the longest sequence.
        step_tokens: prompt tokens in one step; `self.step_tokens` is this in whole pages of the longest sequence.
    """

    def __init__(
        self,
        decoder: Decoder,
        options: EngineOptions,
        layout: Layout,
        attention: AttentionBackend,
        *,
        pages: int,
        max_context: int,
        step_tokens: int,
    ):
        self._rows = options.max_rows
        self._vocab = layout.config.vocab_size
        self._paging = paging(pages, options.page_size, max_context, attention)
        self._program, self._weights = step_program(decoder, options, layout, self._paging)
        self.layout, self._shardings = layout, DeviceState.shardings(layout, attention)
        empty = functools.partial(
            DeviceState.zeros, layout.config, options.max_rows, self._paging, self._weights[0].dtype
        )
        self._state = jax.jit(empty, out_shardings=self._shardings)()
        self._bind = (
            jax.jit(bind_slot, donate_argnums=0, out_shardings=self._shardings.slots)
            .lower(
                self._state.slots,
                self._whole(np.int32(0)),
                self._whole(np.zeros(self._vocab, np.int32)),
                self._whole(np.zeros(self._vocab, np.float32)),
            )
            .compile()
        )
        max_blocks = max(1, min(step_tokens, max_context) // options.page_size)
        self.step_tokens = max_blocks * options.page_size
        shapes = step_shapes(max_rows=options.max_rows, max_blocks=max_blocks)
        self.programs = StepPrograms(shapes, self._compile, options.compile_threads)

    def _compile(self, shape: StepShape) -> Callable[..., Any]:
        return lower_step(self._program, shape, self._weights, self._state).compile()

    def _whole(self, value: np.ndarray | np.generic) -> jax.ShapeDtypeStruct:
        """What the host gives every device."""
        return jax.ShapeDtypeStruct(value.shape, value.dtype, sharding=self.layout.replicated)

    @property
    def cache(self) -> PagedCache:
        """The pages of keys and values as they lie on the devices now."""
        return self._state.kv

    def dispatch(self, plan: StepPlan) -> Dispatched:
        """Hands a plan to the device and returns at once."""
        blocks = tuple(self._blocks(plan))
        shape, program = self.programs.choose(len(plan.rows) + len(plan.chunks), len(blocks))
        for item in plan.sampling:
            self._bind_when_new(item)
        packed = self._fill(shape, plan, blocks)
        self._state, outputs = program(self._weights, self._state, packed)
        return Dispatched(plan, blocks, outputs)

    def _blocks(self, plan: StepPlan) -> Iterator[_Block]:
        size = self._paging.page_size
        for row, chunk in enumerate(plan.chunks, start=len(plan.rows)):
            for start in range(chunk.start, chunk.end, size):
                yield _Block(chunk, row, start, min(start + size, chunk.end))

    def _bind_when_new(self, item: DecodeRow | PrefillChunk) -> None:
        """Uploads what penalties and bias start from, with the chunk that draws a sequence's first token."""
        sequence = item.sequence
        if isinstance(item, DecodeRow) or not (_uses_counts(sequence) or _uses_bias(sequence)):
            return
        slots = self._bind(self._state.slots, np.int32(item.slot), self._counts_of(sequence), self._bias_of(sequence))
        self._state = self._state._replace(slots=slots)

    def _counts_of(self, sequence: Sequence) -> np.ndarray:
        counts = np.bincount(sequence.tokens[sequence.prompt_length :], minlength=self._vocab).astype(np.int32)
        counts[list(sequence.request.prompt)] += PROMPT_SEEN
        return counts

    def _bias_of(self, sequence: Sequence) -> np.ndarray:
        sampling = sequence.request.sampling
        bias = np.zeros(self._vocab, np.float32)
        if sampling.allowed_token_ids:
            bias[:] = MASKED
            bias[list(sampling.allowed_token_ids)] = 0
        for token, value in sampling.logit_bias.items():
            bias[token] += value
        return bias

    def _fill(self, shape: StepShape, plan: StepPlan, blocks: tuple[_Block, ...]) -> np.ndarray:
        """The packed inputs of a step."""
        packed, inputs = packed_views(shape, self._paging)
        size = self._paging.page_size
        inputs.steps[...] = plan.steps
        inputs.row_slots[:] = self._rows
        inputs.row_table[:] = self._paging.pages
        inputs.block_rows[:] = shape.rows
        inputs.sampling.stop_ids[:] = self._vocab
        inputs.sampling.top_p[:] = 1
        for row, item in enumerate(_rows(plan)):
            sequence = item.sequence
            inputs.row_slots[row] = item.slot
            inputs.row_table[row, : len(sequence.pages)] = sequence.pages
            if _draws(item):
                inputs.row_draws[row] = 1
                _fill_sampling(inputs, row, sequence)
        for row, decode in enumerate(plan.rows):
            inputs.row_positions[row] = decode.position
            inputs.row_steps[row] = decode.steps
            inputs.row_sources[row] = row
        for index, block in enumerate(blocks):
            sequence, count = block.chunk.sequence, block.end - block.start
            inputs.block_rows[index] = block.row
            inputs.block_starts[index] = block.start
            inputs.block_tokens[index, :count] = sequence.tokens[block.start : block.end]
            if sequence.prompt_logprobs is not None:
                targets = sequence.request.prompt[block.start + 1 : block.end + 1]
                inputs.block_targets[index, : len(targets)] = targets
                inputs.block_wants_logprobs[index] = 1
            if block.chunk.samples and block.end == block.chunk.end:
                inputs.row_positions[block.row] = block.end - 1
                inputs.row_sources[block.row] = shape.rows + index * size + count - 1
        return packed


def _rows(plan: StepPlan) -> tuple[DecodeRow | PrefillChunk, ...]:
    """The sequences of a step in the order of its rows."""
    return plan.rows + plan.chunks


def _draws(item: DecodeRow | PrefillChunk) -> bool:
    return isinstance(item, DecodeRow) or item.samples


def _fill_sampling(inputs: StepInputs, index: int, sequence: Sequence) -> None:
    sampling, columns = sequence.request.sampling, inputs.sampling
    columns.temperature[index] = sampling.temperature
    columns.top_k[index] = sampling.top_k
    columns.top_p[index] = sampling.top_p
    columns.min_p[index] = sampling.min_p
    columns.repetition_penalty[index] = sampling.repetition_penalty
    columns.presence_penalty[index] = sampling.presence_penalty
    columns.frequency_penalty[index] = sampling.frequency_penalty
    columns.seed[index] = sampling.seed >> 32 & 0xFFFFFFFF, sampling.seed & 0xFFFFFFFF
    columns.uses_counts[index] = _uses_counts(sequence)
    columns.uses_bias[index] = _uses_bias(sequence)
    columns.wants_logprobs[index] = sampling.logprobs is not None
    if sampling.min_tokens:
        columns.stop_from[index] = sequence.prompt_length + sampling.min_tokens
        stops = sorted(sequence.stop_ids)
        columns.stop_ids[index, : len(stops)] = stops


def _uses_counts(sequence: Sequence) -> bool:
    sampling = sequence.request.sampling
    return sampling.repetition_penalty != 1 or sampling.presence_penalty != 0 or sampling.frequency_penalty != 0


def _uses_bias(sequence: Sequence) -> bool:
    return bool(sequence.request.sampling.logit_bias or sequence.request.sampling.allowed_token_ids)


def _token_logprobs(
    tokens: list[int], logprobs: np.ndarray, top_tokens: np.ndarray, top_logprobs: np.ndarray, wanted: int
) -> list[TokenLogprobs]:
    """Pairs tokens with their logprobs and the `wanted` most likely alternatives."""
    return [
        TokenLogprobs(
            token,
            float(logprobs[index]),
            tuple(zip(top_tokens[index, :wanted].tolist(), top_logprobs[index, :wanted].tolist(), strict=True)),
        )
        for index, token in enumerate(tokens)
    ]
