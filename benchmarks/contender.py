"""What is measured of every engine, ours and its peers alike, on streams of tokens and nothing else."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROMPT = 128  # tokens of a prompt, and of its reply, in the decode measurement
LONG_PROMPT = 512
OTHERS = 15  # streams that decode beside the long prompt
SETTLED = 8  # tokens after which a stream counts as decoding

Prompt = Sequence[int]


@dataclass(frozen=True)
class Model:
    """A Hugging Face folder, and what the benchmark must know of it."""

    name: str
    folder: Path
    vocabulary: int
    context: int
    parameters: int  # elements that a decode step reads
    kv_elements: int  # that one token of context adds to what a step reads


@dataclass(frozen=True)
class Interference:
    """A long prompt's first token while others decode, and what it did to them, in seconds."""

    first_token: float
    worst_gap: float  # between two tokens of any of the others, while the prompt was computed
    quiet_gap: float  # the worst of theirs before that


class StreamingEngine(Protocol):
    """An engine that answers many requests at once, token by token."""

    async def stream(self, prompt: Prompt, tokens: int, arrivals: list[float]) -> None:
        """Generate `tokens` tokens whatever they are; notes in `arrivals` when each came, by the event loop's clock.

        Cancelling it ends the request in the engine.
        """


class Prompts:
    """Prompts of tokens drawn at random: no two begin alike, so that no cache helps."""

    def __init__(self, vocabulary: int, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._vocabulary = vocabulary

    def next(self, length: int) -> list[int]:
        """A prompt of so many tokens, none of them among the first ids, which are special ones."""
        return [self._random.randrange(16, self._vocabulary) for _ in range(length)]


async def decode_rate(
    engine: StreamingEngine, prompts: Prompts, streams: int, tokens: int, patience: float
) -> float | None:
    """Tokens a second of `streams` streams while all of them decode.

    Counts from the moment when the last stream has its first token until the first stream has its last one, or until
    `patience` seconds from the start are over; None when the first tokens alone took longer.
    """
    loop = asyncio.get_running_loop()
    arrivals: list[list[float]] = [[] for _ in range(streams)]
    requests = [engine.stream(prompts.next(PROMPT), tokens, stream) for stream in arrivals]
    tasks = [asyncio.create_task(request) for request in requests]
    _, late = await asyncio.wait(tasks, timeout=patience)
    until = loop.time()
    await _end(tasks)
    if not all(arrivals):
        return None
    begin = max(stream[0] for stream in arrivals)
    end = min([until if late else until + 1, *(stream[-1] for stream in arrivals if len(stream) == tokens)])
    counted = sum(begin < arrival <= end for stream in arrivals for arrival in stream)
    return counted / (end - begin) if end > begin else None


async def first_token(engine: StreamingEngine, prompts: Prompts, length: int) -> float:
    """Seconds to the first token of a prompt, with nothing else running."""
    began, arrivals = asyncio.get_running_loop().time(), list[float]()
    await engine.stream(prompts.next(length), 1, arrivals)
    return arrivals[0] - began


async def interference(engine: StreamingEngine, prompts: Prompts, repeats: int, patience: float) -> list[Interference]:
    """Long prompts, one after the other, while OTHERS streams decode."""
    loop = asyncio.get_running_loop()
    others: list[list[float]] = [[] for _ in range(OTHERS)]
    enough = LONG_PROMPT  # tokens; the streams are cancelled long before
    tasks = [asyncio.create_task(engine.stream(prompts.next(PROMPT), enough, stream)) for stream in others]
    found: list[Interference] = []
    try:
        async with asyncio.timeout(patience):
            for _ in range(repeats):
                quiet = loop.time()
                await _grown(others, [len(stream) for stream in others], SETTLED)
                sent, arrivals = loop.time(), list[float]()
                await engine.stream(prompts.next(LONG_PROMPT), 1, arrivals)
                await _grown(others, [len(stream) for stream in others], SETTLED)
                gaps = [gap for stream in others for gap in itertools.pairwise(stream)]
                found.append(
                    Interference(
                        first_token=arrivals[0] - sent,
                        worst_gap=max(b - a for a, b in gaps if b > sent),
                        quiet_gap=max(b - a for a, b in gaps if quiet < a and b <= sent),
                    )
                )
    except TimeoutError:
        pass
    finally:
        await _end(tasks)
    return found


async def _grown(streams: Sequence[list[float]], lengths: Sequence[int], by: int) -> None:
    """Returns when each stream is `by` tokens longer than it was."""
    while any(len(stream) < length + by for stream, length in zip(streams, lengths, strict=True)):  # noqa: ASYNC110
        await asyncio.sleep(0.002)  # far below a step, and no event to wait for but every token of every stream


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(result, Exception):
            raise result
