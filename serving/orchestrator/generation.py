"""One API call's generation: its prompts and choices become engine requests, whose tokens come back as text."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from serving.engine.request import EngineDescription, FinishReason, GenerationRequest, SamplingParams
from serving.fleet.replica import Replica, ReplicaState, ReplicaUnavailable
from serving.orchestrator.failures import GenerationFailed
from serving.orchestrator.prompt import Prompt
from serving.orchestrator.reply_text import Piece, ReplyText, TextOptions
from serving.orchestrator.served_model import ServedModel
from serving.telemetry.metrics import RequestMetrics

SEED_STEP = 0x9E3779B97F4A7C15  # 2**64 over the golden ratio, odd: seeds of one call's choices never meet
SEED_RANGE = 2**64

Pieces = AsyncGenerator[Piece, None]


@dataclass(frozen=True, slots=True)
class Generation:
    """What one call asks for: `n` choices for each prompt. Choice c of prompt p has the index p * n + c."""

    id: str  # unique in this process
    prompts: tuple[Prompt, ...]
    sampling: SamplingParams  # its seed is not read
    text: TextOptions
    n: int = 1
    seed: int | None = None  # None: every choice draws its own
    salt: str = ""
    priority: int = 0
    prompt_only: bool = False  # only the prompt's logprobs are wanted; the reply is empty


class Orchestrator:
    """Has generations carried out by the replica, and measures them by `stopwatch`, in seconds."""

    def __init__(
        self, replica: Replica, model: ServedModel, metrics: RequestMetrics, stopwatch: Callable[[], float]
    ) -> None:
        self._replica = replica
        self._model = model
        self._metrics = metrics
        self._now = stopwatch

    def require_engine(self) -> EngineDescription:
        """The engine that would serve a request now. Raises ReplicaUnavailable."""
        replica = self._replica
        if replica.state is not ReplicaState.READY or replica.description is None:
            raise replica.unavailable()
        return replica.description

    def generate(self, generation: Generation) -> Pieces:
        """Pieces of all choices as they come; each choice ends with a piece that has a finish reason.

        Close the iterator (`contextlib.aclosing`) to cancel what still runs in the engine.
        Raises ReplicaUnavailable, at the start or midway, and GenerationFailed.
        """
        streams = [
            self._sequence(generation, prompt_index * generation.n + choice, prompt, seed)
            for prompt_index, prompt in enumerate(generation.prompts)
            for choice, seed in enumerate(choice_seeds(generation.seed, generation.n))
        ]
        return streams[0] if len(streams) == 1 else _merge(streams)

    async def _sequence(self, generation: Generation, index: int, prompt: Prompt, seed: int) -> Pieces:
        request = GenerationRequest(
            id=f"{generation.id}-{index}",
            prompt=prompt.tokens,
            sampling=replace(generation.sampling, seed=seed),
            salt=generation.salt,
            priority=generation.priority,
        )
        reply = ReplyText(self._model.tokenizer, generation.text, index)
        deltas = self._replica.generate(request)
        record = self._metrics.begin(len(prompt.tokens), self._now())
        outcome, timings = "abort", None
        try:
            async with aclosing(deltas):
                async for delta in deltas:
                    record.tokens(len(delta.tokens), self._now())
                    if delta.finish_reason in (FinishReason.ERROR, FinishReason.CANCELLED):
                        outcome = "error"
                        raise GenerationFailed(delta.error or "the engine cancelled the request")
                    piece = reply.push(delta)
                    if piece is None:
                        continue
                    if piece.finish_reason is not None:
                        outcome, timings = piece.finish_reason.value, delta.timings
                    yield _without_reply(piece) if generation.prompt_only else piece
                    if piece.finish_reason is not None:
                        return
        except ReplicaUnavailable:
            outcome = "error"
            raise
        finally:
            record.end(outcome, self._now(), timings)


async def collect(pieces: Pieces, choices: int) -> list[Piece]:
    """Each choice as one piece, in the order of their indices."""
    whole = [Piece(index) for index in range(choices)]
    async with aclosing(pieces):
        async for piece in pieces:
            whole[piece.index].extend(piece)
    return whole


def choice_seeds(seed: int | None, n: int) -> list[int]:
    """A seed for each of `n` choices: the first is the one given, so n=1 and the first of many agree."""
    if seed is None:
        return [secrets.randbits(64) for _ in range(n)]
    return [(seed + choice * SEED_STEP) % SEED_RANGE for choice in range(n)]


def _without_reply(piece: Piece) -> Piece:
    return Piece(
        piece.index,
        prompt_logprobs=piece.prompt_logprobs,
        cached_tokens=piece.cached_tokens,
        finish_reason=piece.finish_reason and FinishReason.LENGTH,
    )


async def _merge(streams: Sequence[Pieces]) -> Pieces:
    """Items of all streams as they come. The first failure ends them all; closing the merge closes every stream."""
    arrivals: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()

    async def drain(stream: Pieces) -> None:
        try:
            async with aclosing(stream):
                async for piece in stream:
                    arrivals.put_nowait(piece)
            arrivals.put_nowait(None)
        except Exception as error:
            arrivals.put_nowait(error)

    tasks = [asyncio.create_task(drain(stream)) for stream in streams]
    try:
        running = len(tasks)
        while running:
            match await arrivals.get():
                case None:
                    running -= 1
                case Exception() as error:
                    raise error
                case piece:
                    yield piece
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
