"""POST /v1/completions."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.api.answer import ERRORS, STREAMED, Usage, heading, new_id
from serving.api.disconnect import while_connected
from serving.api.encoding import EventStream, JsonAnswer, event
from serving.api.gateway import Gateway, SharedGateway
from serving.api.json_body import JsonRoute
from serving.api.logprobs import completion_logprobs, prompt_logprobs, prompt_offsets, token_label
from serving.api.sampling import sampling_params, text_options
from serving.api.streaming import ChunkUsage, stream_events
from serving.api.wire.completions import (
    MAX_REPLIES,
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    CompletionRequest,
)
from serving.engine.request import EngineDescription
from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.generation import Generation, collect
from serving.orchestrator.prompt import Prompt, reply_budget, text_prompt, token_prompt, truncate
from serving.orchestrator.reply_text import Piece
from serving.orchestrator.served_model import ServedModel

router = APIRouter(route_class=JsonRoute)


@router.post(
    "/v1/completions",
    summary="Continue a text",
    response_model=Completion,
    responses=ERRORS | STREAMED,
    tags=["OpenAI"],
)
async def create_completion(body: CompletionRequest, request: Request, gateway: SharedGateway) -> Response:
    """Continue one or several texts, or score them (`echo` with `logprobs`)."""
    gateway.check_model(body.model)
    engine = gateway.orchestrator.require_engine()
    generation = await _generation(body, gateway, engine)
    pieces = gateway.orchestrator.generate(generation)
    answer = _CompletionAnswer(body, generation, gateway)
    head = heading(generation, "text_completion", gateway, engine)
    if body.stream:
        first = await while_connected(request, anext(pieces))
        return EventStream(stream_events(first, pieces, _CompletionChunks(answer, head)))
    replies = await while_connected(request, collect(pieces, len(generation.prompts) * generation.n))
    choices = [answer.choice(reply, first=True) for reply in replies]
    return JsonAnswer({**head, "choices": choices, "usage": Usage.of(generation, replies).counts()})


async def _generation(body: CompletionRequest, gateway: Gateway, engine: EngineDescription) -> Generation:
    prompt_only = body.max_tokens == 0
    if prompt_only and not body.echo:
        raise InvalidRequest("max_tokens is 0; at least 1 is needed, except with echo: true", "max_tokens")
    if len(body.prompt) * body.choices > MAX_REPLIES:
        raise InvalidRequest(
            f"{len(body.prompt)} prompts with n = {body.choices} ask for {len(body.prompt) * body.choices} replies; "
            f"up to {MAX_REPLIES} are accepted in one request",
            "n",
        )
    asked = None if body.max_tokens is None else max(body.max_tokens, 1)  # an engine samples one token at least
    prompts, budgets = [], []
    for index, given in enumerate(body.prompt):
        field = "prompt" if len(body.prompt) == 1 else f"prompt[{index}]"
        prompt = await _prompt(given, body, gateway.model, engine, field)
        prompt = truncate(prompt, body.truncate_prompt_tokens, context=engine.max_context, reply=asked or 1)
        default = gateway.model.defaults.max_tokens
        budgets.append(reply_budget(prompt, asked, default, engine.max_context, field=field))
        prompts.append(prompt)
    scored = body.logprobs if body.echo else None
    return Generation(
        id=new_id("cmpl"),
        prompts=tuple(prompts),
        sampling=sampling_params(
            body,
            gateway.model,
            engine,
            max_tokens=min(budgets),
            logprobs=body.logprobs,
            prompt_logprobs=max((k for k in (scored, body.prompt_logprobs) if k is not None), default=None),
        ),
        text=text_options(body, continuing=True),
        n=body.choices,
        seed=body.seed,
        salt=body.cache_salt or "",
        priority=body.priority or 0,
        prompt_only=prompt_only,
    )


async def _prompt(
    given: str | list[int], body: CompletionRequest, model: ServedModel, engine: EngineDescription, field: str
) -> Prompt:
    if isinstance(given, str):
        special = body.add_special_tokens is not False
        return await text_prompt(model, given, add_special_tokens=special, context=engine.max_context, field=field)
    return token_prompt(given, engine.vocab_size, field=field)


class _CompletionAnswer:
    """What a completion's answer says of its replies, whole or in chunks."""

    def __init__(self, body: CompletionRequest, generation: Generation, gateway: Gateway) -> None:
        self.body = body
        self.generation = generation
        self._tokenizer = gateway.model.tokenizer
        self._label = token_label(self._tokenizer, as_ids=bool(body.return_tokens_as_token_ids))
        self._skips_special = body.skip_special_tokens is not False
        self._echoes = [self._echo(prompt) for prompt in generation.prompts]

    def choice(self, piece: Piece, *, first: bool) -> CompletionChoice:
        """A whole reply, or what a piece adds to one; with its `first` piece comes what is said of the prompt."""
        prompt_index = piece.index // self.generation.n
        prompt = self.generation.prompts[prompt_index]
        choice: CompletionChoice = {
            "index": piece.index,
            "text": (self._echoes[prompt_index] if first else "") + piece.text,
            "logprobs": self._logprobs(piece, prompt_index, first=first),
            "finish_reason": piece.finish_reason,
        }
        if self.body.return_token_ids:
            choice["token_ids"] = piece.tokens
            if first:
                choice["prompt_token_ids"] = list(prompt.tokens)
        if first and self.body.prompt_logprobs is not None:
            choice["prompt_logprobs"] = prompt_logprobs(piece.prompt_logprobs, self._label)
        return choice

    def _echo(self, prompt: Prompt) -> str:
        if not self.body.echo:
            return ""
        if prompt.text is not None:
            return prompt.text
        return self._tokenizer.decode(prompt.tokens, skip_special_tokens=self._skips_special)

    def _logprobs(self, piece: Piece, prompt_index: int, *, first: bool) -> CompletionLogprobs | None:
        if self.body.logprobs is None:
            return None
        start = len(self._echoes[prompt_index])
        positions, tokens = list(piece.logprobs), piece.tokens
        offsets = [start + offset for offset in piece.offsets]
        if first and self.body.echo:
            prompt = self.generation.prompts[prompt_index].tokens
            positions = [*piece.prompt_logprobs, *positions]
            offsets = prompt_offsets(self._tokenizer, prompt, skip_special_tokens=self._skips_special) + offsets
            tokens = [*prompt, *tokens]
        return completion_logprobs(positions, tokens, offsets, self._label, self.body.logprobs)


class _CompletionChunks:
    """The events of a completion's stream: a chunk for every piece, then the usage."""

    def __init__(self, answer: _CompletionAnswer, head: dict[str, Any]) -> None:
        self._answer = answer
        self._head = head
        self._usage = ChunkUsage(answer.body.stream_options, answer.generation)
        self._begun: set[int] = set()

    def opening(self) -> bytes:
        """Nothing: the first piece brings the echo."""
        return b""

    def of(self, piece: Piece) -> bytes:
        """Its text and its end."""
        self._usage.count(piece)
        choice = self._answer.choice(piece, first=piece.index not in self._begun)
        self._begun.add(piece.index)
        return event({**self._head, "choices": [choice], **self._usage.field()})

    def closing(self) -> bytes:
        """The usage, where it was asked for."""
        return self._usage.last(self._head)
