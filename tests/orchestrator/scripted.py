"""A model folder without weights, and a replica that plays back what a test scripts for it."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from serving.engine.request import Delta, EngineDescription, EngineStats, FinishReason, GenerationRequest, TokenLogprobs
from serving.fleet.replica import ReplicaState, ReplicaUnavailable
from serving.process.progress import StartupProgress

BOS, EOS = "<|begin|>", "<|end|>"
WORDS = ("hello", " world", " to")  # tokens of more than one byte
VOCABULARY = 269
TEMPLATE = """\
{{ bos_token }}{% for message in messages %}[{{ message.role }}]{{ message.content }}
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""

DESCRIPTION = EngineDescription("tiny", 128, VOCABULARY, 4, 16, 32, "float32", "cpu", "fp_f00d", (1,))


def write_model(folder: Path, *, template: str | None = TEMPLATE, generation_config: dict | None = None) -> None:
    """A byte-level tokenizer of VOCABULARY tokens with its chat template; <|begin|> is 0, <|end|> is 1."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [[*word.replace(" ", "Ġ")] for word in WORDS]
    vocabulary = {token: 2 + rank for rank, token in enumerate(alphabet)}
    merges: list[tuple[str, str]] = []
    for piece in pieces:
        while len(piece) > 1:
            pair = (piece[0], piece[1])
            piece[:2] = ["".join(pair)]
            if pair not in merges:
                merges.append(pair)
                vocabulary.setdefault(piece[0], 2 + len(vocabulary))
    backend = Tokenizer(models.BPE({BOS: 0, EOS: 1, **vocabulary}, merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens([AddedToken(BOS, special=True), AddedToken(EOS, special=True)])
    backend.save(str(folder / "tokenizer.json"))
    config = {"bos_token": BOS, "eos_token": EOS} | ({"chat_template": template} if template else {})
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 1} | (generation_config or {})))
    (folder / "config.json").write_text("{}")


Script = Callable[[GenerationRequest], Iterable[Delta | Exception] | AsyncIterator[Delta | Exception]]


class ScriptedReplica:
    """Has a replica's face and generates what `script` says for each request."""

    def __init__(self, script: Script) -> None:
        self.state = ReplicaState.READY
        self.progress = StartupProgress("ready", 1, 1)
        self.description: EngineDescription | None = DESCRIPTION
        self.stats = EngineStats()
        self.retry_after = 7.0
        self.script = script
        self.requests: list[GenerationRequest] = []
        self.finished: list[str] = []
        self.cancelled: list[str] = []

    def unavailable(self) -> ReplicaUnavailable:
        """As `serving.fleet.replica.Replica.unavailable`."""
        return ReplicaUnavailable(f"the engine is {self.state}", self.retry_after)

    def generate(self, request: GenerationRequest) -> AsyncGenerator[Delta, None]:
        """As `serving.fleet.replica.Replica.generate`."""
        if self.state is not ReplicaState.READY:
            raise self.unavailable()
        self.requests.append(request)
        return self._deltas(request)

    async def _deltas(self, request: GenerationRequest) -> AsyncGenerator[Delta, None]:
        ended = False
        try:
            items = self.script(request)
            async for item in items if hasattr(items, "__aiter__") else _each(items):
                ended = isinstance(item, Exception) or item.finish_reason is not None
                if isinstance(item, Exception):
                    raise item
                yield item
                if ended:
                    return
        finally:
            (self.finished if ended else self.cancelled).append(request.id)


async def _each(items: Iterable[Delta | Exception]) -> AsyncIterator[Delta | Exception]:
    for item in items:
        yield item


def says(tokens: Iterable[int], *, portion: int = 1, eos: bool = True, logprob: float = -0.5) -> Script:
    """Every request is answered with `tokens`, `portion` in a delta, as far as max_tokens goes; `eos` ends them.

    Each token's logprob is the first of the alternatives; the next ids follow at half as much again.
    """
    reply = [*tokens, *([1] if eos else [])]

    def script(request: GenerationRequest) -> Iterable[Delta]:
        sampling = request.sampling
        mine = reply[: sampling.max_tokens]
        stopped = eos and len(mine) == len(reply)
        for start in range(0, len(mine), portion):
            part = tuple(mine[start : start + portion])
            last = start + portion >= len(mine)
            yield Delta(
                request.id,
                part,
                logprobs=tuple(_logprobs(t, logprob, sampling.logprobs) for t in part if sampling.logprobs is not None),
                prompt_logprobs=_prompt_logprobs(request, logprob) if start == 0 else (),
                cached_tokens=3 if start == 0 else 0,
                finish_reason=(FinishReason.STOP if stopped else FinishReason.LENGTH) if last else None,
                stop_token=1 if last and stopped else None,
            )

    return script


def _logprobs(token: int, logprob: float, top: int) -> TokenLogprobs:
    return TokenLogprobs(token, logprob, tuple(((token + i) % VOCABULARY, logprob * (1 + i / 2)) for i in range(top)))


def _prompt_logprobs(request: GenerationRequest, logprob: float) -> tuple[TokenLogprobs | None, ...]:
    if request.sampling.prompt_logprobs is None:
        return ()
    return (None, *(_logprobs(token, logprob, request.sampling.prompt_logprobs) for token in request.prompt[1:]))
