"""Runs an engine inside the test's process and collects whole replies."""

import queue
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from serving.engine.engine import Engine
from serving.engine.options import EngineOptions
from serving.engine.request import (
    Delta,
    EngineStats,
    FinishReason,
    GenerationRequest,
    TokenLogprobs,
)


@dataclass
class Reply:
    """All that one request brought."""

    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    prompt_logprobs: tuple[TokenLogprobs | None, ...] = ()
    cached_tokens: int = 0
    finish_reason: FinishReason | None = None
    stop_token: int | None = None
    error: str = ""

    def add(self, delta: Delta) -> None:
        if not self.tokens and delta.tokens:
            self.prompt_logprobs, self.cached_tokens = delta.prompt_logprobs, delta.cached_tokens
        self.tokens += delta.tokens
        self.logprobs += delta.logprobs
        self.finish_reason, self.stop_token, self.error = delta.finish_reason, delta.stop_token, delta.error


class Offline:
    """An engine and the requests that it was given. `stats` are the newest."""

    def __init__(self, engine: Engine):
        self.engine = engine
        self.stats = EngineStats()
        self.replies: dict[str, Reply] = {}
        self._news: queue.SimpleQueue[tuple[list[Delta], EngineStats]] = queue.SimpleQueue()
        engine.start(lambda deltas, stats: self._news.put((deltas, stats)))

    def submit(self, request: GenerationRequest) -> Reply:
        """Starts a request; its reply fills while `step` or `generate` is called."""
        self.replies[request.id] = Reply()
        self.engine.submit(request)
        return self.replies[request.id]

    def step(self, timeout: float = 120) -> None:
        """Waits for what the engine publishes next."""
        deltas, self.stats = self._news.get(timeout=timeout)
        for delta in deltas:
            self.replies[delta.id].add(delta)

    def generate(self, requests: Sequence[GenerationRequest]) -> list[Reply]:
        """Runs requests side by side to their ends."""
        replies = [self.submit(request) for request in requests]
        while any(reply.finish_reason is None for reply in replies):
            self.step()
        return replies


@contextmanager
def running(engine: Engine) -> Iterator[Offline]:
    """An engine at work, stopped at the end."""
    try:
        yield Offline(engine)
    finally:
        engine.stop()


@contextmanager
def offline(folder: Path, **options) -> Iterator[Offline]:
    """An engine for the model in `folder`, stopped at the end."""
    with running(Engine.load(folder, EngineOptions(**options), lambda _: None)) as started:
        yield started
