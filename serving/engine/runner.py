"""From plans to the device and back: fills a step's inputs, dispatches it, reads what it drew."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx

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
    StepProgram,
    StepShape,
    bind_slot,
    packed_views,
)
from serving.models.decoder import Decoder


@dataclass(frozen=True, slots=True)
class _Block:
    """One page of a prompt chunk: tokens [start, end) of the sequence."""

    chunk: PrefillChunk
    start: int
    end: int

    @property
    def draws(self) -> bool:
        return self.chunk.samples and self.end == self.chunk.end


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A step that was handed to the device. `read` waits for it."""

    plan: StepPlan
    blocks: tuple[_Block, ...]
    shape: StepShape
    outputs: StepOutputs

    def read(self) -> StepResult:
        """What the step drew; blocks until the device is done."""
        tokens = np.asarray(self.outputs.drawn.tokens)
        sampled = []
        for index, row in enumerate(self.plan.rows):
            sampled.append(self._sampled(row, tokens, index, row.steps))
        for index, block in enumerate(self.blocks):
            if block.draws:
                sampled.append(self._sampled(block.chunk, tokens, self.shape.rows + index, 1))
        return StepResult(sampled, [self._prompt_logprobs(chunk) for chunk in self.plan.chunks])

    def _sampled(self, item: DecodeRow | PrefillChunk, tokens: np.ndarray, column: int, steps: int) -> Sampled:
        drawn = tokens[:steps, column].tolist()
        wanted = item.sequence.request.sampling.logprobs
        if wanted is None:
            return Sampled(drawn)
        logprobs, top_tokens, top_logprobs = (
            np.asarray(part)[:steps, column]
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
        decoder: the model, its weights already on the device.
        options: rows, pages, page size, decode steps and compile threads.
        pages: how many pages the cache holds.
        max_context: tokens of the longest sequence.
    """

    def __init__(self, decoder: Decoder, options: EngineOptions, *, pages: int, max_context: int):
        self._rows = options.max_rows
        self._page_size = options.page_size
        self._pages = pages
        self._vocab = decoder.config.vocab_size
        graph, weights = nnx.split(decoder)
        leaves, treedef = jax.tree.flatten(weights)
        self._weights = tuple(leaves)
        self._state = DeviceState.zeros(decoder.config, options.max_rows, pages, options.page_size, leaves[0].dtype)
        self._program = StepProgram(graph, treedef, pages, options.page_size, options.decode_steps)
        self._bind = (
            jax.jit(bind_slot, donate_argnums=0)
            .lower(self._state.slots, np.int32(0), np.zeros(self._vocab, np.int32), np.zeros(self._vocab, np.float32))
            .compile()
        )
        max_blocks = max(1, min(options.step_tokens, max_context) // options.page_size)
        self.step_tokens = max_blocks * options.page_size
        shapes = step_shapes(
            max_rows=options.max_rows,
            max_blocks=max_blocks,
            max_pages=-(-max_context // options.page_size),
            page_size=options.page_size,
        )
        self.programs = StepPrograms(shapes, self._compile, options.compile_threads)

    def _compile(self, shape: StepShape) -> Callable[..., Any]:
        packed, _ = packed_views(shape, self._page_size)
        step = functools.partial(self._program, shape=shape)
        abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), (self._weights, self._state))
        return jax.jit(step, donate_argnums=1).lower(*abstract, packed).compile()

    def dispatch(self, plan: StepPlan) -> Dispatched:
        """Hands a plan to the device and returns at once."""
        blocks = tuple(self._blocks(plan))
        longest = max(
            [row.position + row.steps for row in plan.rows] + [block.end for block in blocks],
        )
        shape, program = self.programs.choose(len(plan.rows), len(blocks), -(-longest // self._page_size))
        for item in plan.sampling:
            self._bind_when_new(plan, item)
        packed = self._fill(shape, plan, blocks)
        self._state, outputs = program(self._weights, self._state, packed)
        return Dispatched(plan, blocks, shape, outputs)

    def _blocks(self, plan: StepPlan):
        for chunk in plan.chunks:
            for start in range(chunk.start, chunk.end, self._page_size):
                yield _Block(chunk, start, min(start + self._page_size, chunk.end))

    def _bind_when_new(self, plan: StepPlan, item: DecodeRow | PrefillChunk) -> None:
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
        packed, inputs = packed_views(shape, self._page_size)
        scratch_slot, scratch_page = self._rows, self._pages
        inputs.steps[...] = plan.steps
        inputs.row_slots[:] = inputs.block_slots[:] = scratch_slot
        inputs.row_table[:] = inputs.block_table[:] = scratch_page
        inputs.sampling.stop_ids[:] = self._vocab
        for index, row in enumerate(plan.rows):
            inputs.row_slots[index] = row.slot
            inputs.row_positions[index] = row.position
            inputs.row_steps[index] = row.steps
            pages = row.sequence.pages
            inputs.row_table[index, : len(pages)] = pages
            _fill_sampling(inputs, index, row.sequence)
        for index, block in enumerate(blocks):
            sequence = block.chunk.sequence
            inputs.block_slots[index] = block.chunk.slot
            inputs.block_starts[index] = block.start
            inputs.block_last[index] = block.end - block.start - 1
            inputs.block_draws[index] = block.draws
            seen = sequence.pages[: block.start // self._page_size + 1]
            inputs.block_table[index, : len(seen)] = seen
            inputs.block_tokens[index, : block.end - block.start] = sequence.tokens[block.start : block.end]
            if sequence.prompt_logprobs is not None:
                targets = sequence.request.prompt[block.start + 1 : block.end + 1]
                inputs.block_targets[index, : len(targets)] = targets
                inputs.block_wants_logprobs[index] = 1
            if block.draws:
                _fill_sampling(inputs, shape.rows + index, sequence)
        return packed


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
