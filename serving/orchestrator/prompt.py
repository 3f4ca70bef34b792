"""Prompts: from messages, text or token ids to the ids that the engine reads, and how much room they leave."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from serving.models.chat_template import ChatTemplateError
from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.served_model import ServedModel

LONG_TEXT = 20_000  # characters, some milliseconds of encoding; longer texts are encoded on a thread
NORMALISED_SHARE = 4  # times that a tokenizer's normalisation may shorten a text


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is to continue. `text` is None where the prompt came as ids."""

    tokens: tuple[int, ...]
    text: str | None = None


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """How messages become a prompt. Field names are those of vLLM's API."""

    add_generation_prompt: bool = True
    continue_final_message: bool = False
    add_special_tokens: bool = False  # the template writes them itself
    variables: Mapping[str, Any] | None = None  # what this very template knows beside the messages


async def chat_prompt(
    model: ServedModel, messages: Sequence[Mapping[str, Any]], chat: ChatFormat, *, context: int
) -> Prompt:
    """Render messages by the model's own chat template. Raises InvalidRequest."""
    if len(messages) > context:
        raise _hopeless(f"{len(messages)} messages", context, "messages")
    if model.template is None:
        raise InvalidRequest(f"{model.name} has no chat template; send its prompt to /v1/completions", "messages")
    try:
        text = model.template.render(
            messages,
            add_generation_prompt=chat.add_generation_prompt,
            continue_final_message=chat.continue_final_message,
            **(chat.variables or {}),
        )
    except ChatTemplateError as error:
        raise InvalidRequest(str(error), "messages") from None
    return await text_prompt(model, text, add_special_tokens=chat.add_special_tokens, context=context, field="messages")


async def text_prompt(
    model: ServedModel, text: str, *, add_special_tokens: bool = True, context: int, field: str
) -> Prompt:
    """Encode text; `field` is where it came from.

    Raises InvalidRequest when it holds no token, and before encoding it when no `context` tokens could hold it, which
    spares seconds of work on megabytes.
    """
    if len(text) > max(LONG_TEXT, NORMALISED_SHARE * model.longest_token * context):
        raise _hopeless(f"{len(text)} characters", context, field)
    ids = await encode(model, text, add_special_tokens=add_special_tokens)
    if not ids:
        raise InvalidRequest(f"{field} is empty; at least one token is needed", field)
    return Prompt(tuple(ids), text)


def _hopeless(size: str, context: int, field: str) -> InvalidRequest:
    message = f"This model's maximum context length is {context} tokens. However, you sent {size}. Shorten the {field}."
    return InvalidRequest(message, field, "context_length_exceeded")


async def encode(model: ServedModel, text: str, *, add_special_tokens: bool) -> list[int]:
    """The ids of a text. Other tasks run meanwhile when it is long."""
    if len(text) > LONG_TEXT:
        return await asyncio.to_thread(model.tokenizer.encode, text, add_special_tokens)
    return model.tokenizer.encode(text, add_special_tokens)


def token_prompt(ids: Sequence[int], vocab_size: int, *, field: str) -> Prompt:
    """Take ids as they are. Raises InvalidRequest when there are none, or one is not in the vocabulary."""
    if not ids:
        raise InvalidRequest(f"{field} is empty; at least one token is needed", field)
    check_token_ids(ids, vocab_size, field=field)
    return Prompt(tuple(ids))


def check_token_ids(ids: Sequence[int], vocab_size: int, *, field: str) -> None:
    """Raise InvalidRequest, naming the id, unless all are of the vocabulary."""
    if ids and not (min(ids) >= 0 and max(ids) < vocab_size):
        wrong = next(token for token in ids if not 0 <= token < vocab_size)
        raise InvalidRequest(f"{field} holds the token id {wrong}; accepted are 0 to {vocab_size - 1}", field)


def truncate(prompt: Prompt, keep: int | None, *, context: int, reply: int) -> Prompt:
    """The last `keep` tokens; None keeps all, -1 what `context` tokens hold beside a reply of `reply`.

    Text that was cut is gone, so the prompt's text then is that of its tokens.
    """
    if keep is None:
        return prompt
    keep = keep if keep > 0 else max(context - reply, 1)
    return prompt if len(prompt.tokens) <= keep else replace(prompt, tokens=prompt.tokens[-keep:], text=None)


def reply_budget(prompt: Prompt, asked: int | None, default: int | None, context: int, *, field: str) -> int:
    """How many tokens the reply may have: what was asked for, else what the context leaves, at most `default`.

    Raises InvalidRequest for less than one token, and (context_length_exceeded) when prompt and reply do not fit in
    `context` tokens together.
    """
    if asked is not None and asked < 1:
        raise InvalidRequest(f"max_tokens is {asked}; at least 1 is needed", "max_tokens")
    length = len(prompt.tokens)
    room = context - length
    wanted = asked or max(min(room, default or room), 1)
    if wanted > room:
        raise InvalidRequest(
            f"This model's maximum context length is {context} tokens. However, you requested {length + wanted} tokens "
            f"({length} in the {field}, {wanted} for the reply). Shorten the {field} or lower max_tokens.",
            field,
            "context_length_exceeded",
        )
    return wanted
