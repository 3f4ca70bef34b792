"""POST /v1/chat/completions."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from serving.api.answer import ERRORS, STREAMED, Usage, heading, new_id
from serving.api.disconnect import while_connected
from serving.api.encoding import EventStream, JsonAnswer, event
from serving.api.gateway import Gateway, SharedGateway
from serving.api.grounding import annotations, retrieval, shelf
from serving.api.json_body import JsonRoute
from serving.api.logprobs import Label, chat_logprobs, prompt_logprobs, token_label
from serving.api.sampling import sampling_params, text_options
from serving.api.streaming import ChunkUsage, stream_events
from serving.api.tenant import Tenant
from serving.api.wire.chat import (
    ChatChunkChoice,
    ChatCompletion,
    ChatLogprobs,
    ChatRequest,
    FileCitation,
    MessageDelta,
    Retrieval,
)
from serving.engine.request import EngineDescription, TokenLogprobs
from serving.orchestrator.generation import Generation, collect
from serving.orchestrator.grounded_prompt import Grounded
from serving.orchestrator.prompt import ChatFormat, chat_prompt, reply_budget, truncate
from serving.orchestrator.reply_text import Piece

router = APIRouter(route_class=JsonRoute)


@router.post(
    "/v1/chat/completions",
    summary="Answer a conversation",
    response_model=ChatCompletion,
    responses=ERRORS | STREAMED,
    tags=["OpenAI"],
)
async def create_chat_completion(
    body: ChatRequest, request: Request, gateway: SharedGateway, tenant: Tenant
) -> Response:
    """Continue a conversation with the assistant's next message."""
    gateway.check_model(body.model)
    engine = gateway.orchestrator.require_engine()
    generation, grounded = await _generation(body, gateway, engine, tenant)
    pieces = gateway.orchestrator.generate(generation)
    answer = _ChatAnswer(body, generation, grounded, gateway)
    if body.stream:
        first = await while_connected(request, anext(pieces))
        head = heading(generation, "chat.completion.chunk", gateway, engine)
        return EventStream(stream_events(first, pieces, _ChatChunks(answer, head)))
    replies = await while_connected(request, collect(pieces, generation.n))
    return JsonAnswer(heading(generation, "chat.completion", gateway, engine) | answer.whole(replies))


async def _generation(
    body: ChatRequest, gateway: Gateway, engine: EngineDescription, tenant: str
) -> tuple[Generation, Grounded | None]:
    """What the engine is asked for, and what it is grounded on where something was looked up."""
    model, context = gateway.model, engine.max_context
    variables = dict(body.chat_template_kwargs or {})
    if body.reasoning_effort is not None:
        variables.setdefault("reasoning_effort", body.reasoning_effort)
    chat = ChatFormat(
        add_generation_prompt=_opens_turn(body),
        continue_final_message=bool(body.continue_final_message),
        add_special_tokens=bool(body.add_special_tokens),
        variables=variables,
    )
    asked = body.max_tokens if body.max_completion_tokens is None else body.max_completion_tokens
    messages = [message.for_template() for message in body.messages]
    if (place := shelf(body, gateway, tenant)) is not None:
        found = await gateway.require_grounding().context(place, messages)
        grounded = await gateway.prompts.write(found, messages, chat, room=context, reply=asked)
        prompt = grounded.prompt
    else:
        grounded, prompt = None, await chat_prompt(model, messages, chat, context=context)
    prompt = truncate(prompt, body.truncate_prompt_tokens, context=context, reply=asked or 1)
    generation = Generation(
        id=new_id("chatcmpl"),
        prompts=(prompt,),
        sampling=sampling_params(
            body,
            model,
            engine,
            max_tokens=reply_budget(prompt, asked, model.defaults.max_tokens, context, field="messages"),
            logprobs=(body.top_logprobs or 0) if body.logprobs else None,
            prompt_logprobs=body.prompt_logprobs,
        ),
        text=text_options(body, continuing=bool(body.continue_final_message)),
        n=body.choices,
        seed=body.seed,
        salt=body.cache_salt or "",
        priority=body.priority or 0,
    )
    return generation, grounded


def _opens_turn(body: ChatRequest) -> bool:
    return body.add_generation_prompt is not False and not body.continue_final_message


class _ChatAnswer:
    """What a chat's answer says of its replies, whole or in chunks."""

    def __init__(self, body: ChatRequest, generation: Generation, grounded: Grounded | None, gateway: Gateway) -> None:
        last = body.messages[-1]
        self.body = body
        self.generation = generation
        self.grounded = grounded
        self.role = "assistant" if _opens_turn(body) else last.role
        self.echo = (last.content or "") if body.echo and last.role == self.role else ""
        self._tokenizer = gateway.model.tokenizer
        self._label: Label = token_label(self._tokenizer, as_ids=bool(body.return_tokens_as_token_ids))

    def whole(self, replies: Sequence[Piece]) -> dict[str, Any]:
        """All but the heading."""
        answer: dict[str, Any] = {
            "choices": [
                {
                    "index": reply.index,
                    "message": {
                        "role": self.role,
                        "content": self.echo + reply.text,
                        "refusal": None,
                        **self.citations(reply.text),
                    },
                    "logprobs": self.logprobs(reply.logprobs),
                    "finish_reason": reply.finish_reason,
                    **self.token_ids(reply),
                }
                for reply in replies
            ],
            "usage": Usage.of(self.generation, replies).counts(),
            **self.prompt_token_ids(),
            **self.retrieval(),
        }
        if self.body.prompt_logprobs is not None:
            answer["prompt_logprobs"] = prompt_logprobs(replies[0].prompt_logprobs, self._label)
        return answer

    def logprobs(self, positions: Sequence[TokenLogprobs]) -> ChatLogprobs | None:
        """What is known of the reply's tokens, if it was asked for."""
        if not self.body.logprobs:
            return None
        return chat_logprobs(positions, self._tokenizer, self._label, self.body.top_logprobs or 0)

    def citations(self, reply: str) -> dict[str, list[FileCitation]]:
        """The passages that a reply cites, where any were looked up."""
        return {"annotations": annotations(self.grounded, reply)} if self.grounded else {}

    def retrieval(self) -> dict[str, Retrieval]:
        """How looking up went, where that was done."""
        return {"retrieval": retrieval(self.grounded)} if self.grounded else {}

    def token_ids(self, piece: Piece) -> dict[str, list[int]]:
        """The reply's ids, if they were asked for."""
        return {"token_ids": piece.tokens} if self.body.return_token_ids else {}

    def prompt_token_ids(self) -> dict[str, list[int]]:
        """The prompt's ids, if they were asked for."""
        return {"prompt_token_ids": list(self.generation.prompts[0].tokens)} if self.body.return_token_ids else {}


class _ChatChunks:
    """The events of a chat's stream: the role, the text, the end of each choice, what they cite, the usage."""

    def __init__(self, answer: _ChatAnswer, head: dict[str, Any]) -> None:
        self._answer = answer
        self._head = head
        self._usage = ChunkUsage(answer.body.stream_options, answer.generation)
        self._replies = [""] * answer.generation.n

    def opening(self) -> bytes:
        """The role of every choice."""
        delta: MessageDelta = {"role": self._answer.role, "content": self._answer.echo}
        choices = range(self._answer.generation.n)
        opening = [self._chunk(index, delta, **self._answer.prompt_token_ids()) for index in choices[:1]]
        return b"".join(opening + [self._chunk(index, delta) for index in choices[1:]])

    def of(self, piece: Piece) -> bytes:
        """Its text, then its end. Tokens without text, such as the end-of-sequence token, come with the end."""
        self._usage.count(piece)
        self._replies[piece.index] += piece.text
        tokens = {"logprobs": self._answer.logprobs(piece.logprobs), **self._answer.token_ids(piece)}
        if piece.finish_reason is None:
            return self._chunk(piece.index, {"content": piece.text}, tokens)
        if not piece.text:
            return self._chunk(piece.index, {}, tokens, piece.finish_reason)
        text = self._chunk(piece.index, {"content": piece.text}, tokens)
        return text + self._chunk(piece.index, {}, finish_reason=piece.finish_reason)

    def closing(self) -> bytes:
        """What each choice cites, where something was looked up; the usage, where it was asked for."""
        return self._citations() + self._usage.last(self._head)

    def _citations(self) -> bytes:
        if self._answer.grounded is None:
            return b""
        deltas = map(self._answer.citations, self._replies)
        retrieval = self._answer.retrieval()
        return b"".join(self._chunk(index, delta, **retrieval) for index, delta in enumerate(deltas))

    def _chunk(
        self,
        index: int,
        delta: MessageDelta,
        tokens: dict[str, Any] | None = None,
        finish_reason: str | None = None,
        **fields: Any,
    ) -> bytes:
        choice: ChatChunkChoice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**self._head, "choices": [{**choice, **(tokens or {})}], **self._usage.field(), **fields})
