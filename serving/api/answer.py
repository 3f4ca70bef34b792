"""What the answers of chat and text completions have in common."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from serving.api.gateway import Gateway
from serving.api.wire.errors import ErrorEnvelope
from serving.api.wire.sampling import UsageCounts
from serving.engine.request import EngineDescription
from serving.orchestrator.generation import Generation
from serving.orchestrator.reply_text import Piece

ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorEnvelope, "description": "The request cannot be served as it stands."},
    "5XX": {"model": ErrorEnvelope, "description": "The server cannot serve it now."},
}
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The whole answer, or with `stream` its chunks as server-sent events.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@dataclass(slots=True)
class Usage:
    """Tokens of one call, counted as they come. The prompt counts once for all its choices."""

    prompt_tokens: int
    choices_per_prompt: int
    completion_tokens: int = 0
    cached_by_prompt: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, generation: Generation, replies: Iterable[Piece] = ()) -> "Usage":
        """The count of a call after `replies`."""
        usage = cls(sum(len(prompt.tokens) for prompt in generation.prompts), generation.n)
        for reply in replies:
            usage.count(reply)
        return usage

    def count(self, piece: Piece) -> None:
        """Take a piece in."""
        self.completion_tokens += len(piece.tokens)
        if piece.cached_tokens:
            prompt = piece.index // self.choices_per_prompt
            self.cached_by_prompt[prompt] = max(self.cached_by_prompt.get(prompt, 0), piece.cached_tokens)

    def counts(self) -> UsageCounts:
        """The wire's form."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": sum(self.cached_by_prompt.values())},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }


def new_id(kind: str) -> str:
    """An id such as chatcmpl-6f0c..."""
    return f"{kind}-{secrets.token_hex(16)}"


def heading(generation: Generation, kind: str, gateway: Gateway, engine: EngineDescription) -> dict[str, Any]:
    """The fields that an answer, and every chunk of a stream, begins with."""
    return {
        "id": generation.id,
        "object": kind,
        "created": int(gateway.clock()),
        "model": gateway.model.name,
        "system_fingerprint": engine.fingerprint,
    }
