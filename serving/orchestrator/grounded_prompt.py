"""A conversation's prompt with passages in it, within the model's context."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from serving.orchestrator.budget import ContextTooSmall, divide
from serving.orchestrator.conversation import Conversation, Message
from serving.orchestrator.grounding import Context
from serving.orchestrator.passages import NOTICE, PassagePrompt
from serving.orchestrator.prompt import ChatFormat, Prompt, chat_prompt, encode
from serving.orchestrator.served_model import ServedModel
from serving.retriever.request import Hit


@dataclass(frozen=True, slots=True)
class Grounded:
    """A prompt, its context with just the passages that it has room for, and how many turns were left out for them.

    Passages are numbered from 1, in the order of `context.hits`.
    """

    prompt: Prompt
    context: Context
    turns_left_out: int = 0


class GroundedPrompts:
    """Writes one model's prompts with passages."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._passages = PassagePrompt(model.tokenizer, model.template)

    async def write(
        self, context: Context, messages: Sequence[Message], chat: ChatFormat, *, room: int, reply: int | None
    ) -> Grounded:
        """The prompt for `messages`, with passages in front of the last question, in `room` tokens with the reply.

        `reply` is how many tokens the request wants for it. Where passages and history do not both fit, each has its
        share (`budget.divide`), and the oldest turns are left out. Messages that do not fit even without passages come
        back as they are, for the caller to refuse. Raises InvalidRequest.
        """
        plain = await chat_prompt(self._model, messages, chat, context=room)
        conversation = Conversation.of(messages)
        if conversation is None or not context.hits:
            return Grounded(plain, context)
        sizes = await self._sizes(plain, conversation, context.hits)
        fixed, wanted = sizes.fixed + (reply or 0), self._model.defaults.max_tokens if reply is None else 0
        while len(plain.tokens) + (reply or 1) <= room:
            try:
                division = divide(room, fixed, sizes.turns, sizes.passages, wanted)
            except ContextTooSmall:
                break
            hits = tuple(context.hits[place] for place in division.passages)
            if not hits:
                break
            written = self._passages.around(conversation.newest(division.turns), hits).messages
            prompt = await chat_prompt(self._model, written, chat, context=room)
            excess = len(prompt.tokens) + (reply or 1) - room
            if excess <= 0:
                return Grounded(prompt, replace(context, hits=hits), len(conversation.turns) - division.turns)
            fixed += excess  # where texts meet, tokens may join otherwise than in each alone
        return Grounded(plain, replace(context, hits=(), origin="none", warning="no_room"))

    async def _sizes(self, plain: Prompt, conversation: Conversation, hits: Iterable[Hit]) -> "_Sizes":
        turns = [await self._contents(turn) for turn in conversation.turns]
        others = await self._contents((*conversation.lead, conversation.question, *conversation.rest))
        beside = max(len(plain.tokens) - sum(turns) - others, 0)  # what the template adds
        around = beside // len(conversation.messages) + 1
        turns = [size + around * len(turn) for size, turn in zip(turns, conversation.turns, strict=True)]
        passages = [await self._tokens(self._passages.fenced(rank, hit)) + 1 for rank, hit in enumerate(hits, start=1)]
        notice = await self._tokens(NOTICE) + around
        return _Sizes(max(len(plain.tokens) - sum(turns), 0) + notice, turns, passages)

    async def _contents(self, messages: Iterable[Message]) -> int:
        return sum([await self._tokens(message["content"]) for message in messages])

    async def _tokens(self, text: str) -> int:
        return len(await encode(self._model, text, add_special_tokens=False))


@dataclass(frozen=True, slots=True)
class _Sizes:
    """How many tokens the parts of a prompt take: what must be there, each turn before the question, each passage."""

    fixed: int
    turns: Sequence[int]
    passages: Sequence[int]
