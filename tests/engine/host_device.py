"""A device made of dictionaries: executes step plans on token ids, so that scheduling can be tested without JAX.

Its "model" draws the next token from a checksum of the whole context that it reads back through the sequence's pages.
One wrong, stale or missing entry in a page changes everything that follows.
"""

import zlib
from collections.abc import Sequence as Values

from serving.engine.request import TokenLogprobs
from serving.engine.scheduler import PrefillChunk, Sampled, StepPlan, StepResult

VOCABULARY = 11


def next_token(context: Values[int]) -> int:
    """What the model continues a context with."""
    return zlib.crc32(bytes(context)) % VOCABULARY


class HostDevice:
    """Runs plans in the order in which they come, at once."""

    def __init__(self, page_size: int):
        self._page_size = page_size
        self._stored: dict[tuple[int, int], int] = {}  # (page, offset) -> token
        self._last_token: dict[int, int] = {}  # by slot

    def run(self, plan: StepPlan) -> StepResult:
        """Everything is written before anything is read, as in the step program."""
        sampled: list[list[int]] = [[] for _ in plan.rows]
        for chunk in plan.chunks:
            for position in range(chunk.start, chunk.end):
                self._write(chunk.sequence.pages, position, chunk.sequence.tokens[position])
        for step in range(plan.steps):
            active = [(row, drawn) for row, drawn in zip(plan.rows, sampled, strict=True) if step < row.steps]
            for row, _ in active:
                self._write(row.sequence.pages, row.position + step, self._last_token[row.slot])
            for row, drawn in active:
                drawn.append(next_token(self._read(row.sequence.pages, row.position + step + 1)))
                self._last_token[row.slot] = drawn[-1]
        drawn_by_chunks = [[self._draw(chunk)] for chunk in plan.chunks if chunk.samples]
        prompt_logprobs = [self._prompt_logprobs(chunk) for chunk in plan.chunks]
        return StepResult([Sampled(tokens) for tokens in sampled + drawn_by_chunks], prompt_logprobs)

    def _draw(self, chunk: PrefillChunk) -> int:
        token = next_token(self._read(chunk.sequence.pages, chunk.end))
        self._last_token[chunk.slot] = token
        return token

    def _prompt_logprobs(self, chunk: PrefillChunk) -> list[TokenLogprobs]:
        if chunk.sequence.prompt_logprobs is None:
            return []
        prompt = chunk.sequence.request.prompt
        targets = range(chunk.start + 1, min(chunk.end + 1, len(prompt)))
        return [
            TokenLogprobs(prompt[target], -float(next_token(self._read(chunk.sequence.pages, target))))
            for target in targets
        ]

    def _write(self, pages: Values[int], position: int, token: int) -> None:
        self._stored[pages[position // self._page_size], position % self._page_size] = token

    def _read(self, pages: Values[int], length: int) -> list[int]:
        size = self._page_size
        return [self._stored[pages[position // size], position % size] for position in range(length)]
