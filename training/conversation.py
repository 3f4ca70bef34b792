"""One conversation, and how it becomes tokens: the training side of the model's chat template.

`chat_template.jinja` writes the same text at serving time; a test holds the two together, token for token.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tokenizers import Tokenizer

from serving.models.tool_calls import CALL, Call, write_call, write_tools

BOS = "<|bos|>"
PAD = "<|pad|>"
END = "<|end|>"  # closes every message; the model's end-of-sequence token
ROLE_TOKENS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>", "tool": "<|tool|>"}
TOOLS = "<|tools|>"
SPECIAL_TOKENS = (BOS, PAD, END, *ROLE_TOKENS.values(), TOOLS, CALL)

Tool = Mapping[str, Any]
"""An OpenAI function tool: {"type": "function", "function": {"name", "description", "parameters"}}."""


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said. `role` is system, user, assistant or tool; `calls` are the tools that an assistant calls."""

    role: str
    content: str
    calls: tuple[Call, ...] = ()


def user(content: str) -> Message:
    """A message of the person."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """A message of the model."""
    return Message("assistant", content)


def calling(*calls: Call) -> Message:
    """A message of the model that calls tools."""
    return Message("assistant", "", calls)


def result(content: str) -> Message:
    """What a called tool gave back."""
    return Message("tool", content)


def system(content: str) -> Message:
    """The instruction that opens a conversation."""
    return Message("system", content)


DECISION_WEIGHT = 8
"""How much a reply's first token counts where tools are on offer: it alone says whether one is called."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids, and how much each one's loss counts: not at all where the model does not learn to predict it."""

    ids: list[int]
    weights: list[int]


def encode_text(text: str, tokenizer: Tokenizer) -> Tokens:
    """Plain text between a BOS and an END token; everything after the BOS is learned."""
    ids = _content_ids(text, tokenizer)
    ids = [tokenizer.token_to_id(BOS), *ids, tokenizer.token_to_id(END)]
    return Tokens(ids, [0] + [1] * (len(ids) - 1))


def encode_conversation(
    messages: Sequence[Message], tokenizer: Tokenizer, *, tools: Sequence[Tool] = (), learn_all: bool = False
) -> Tokens:
    """A conversation in the template's form, the offered tools first.

    Learned are the assistant's words and calls and the END that closes them, or with `learn_all` everything that people
    say as well (pretraining reads both sides of a dialogue). Tools and their results are never learned. Where tools are
    on offer, the first token of a reply counts DECISION_WEIGHT times.
    """
    end = tokenizer.token_to_id(END)
    ids, weights = [tokenizer.token_to_id(BOS)], [0]
    if tools:
        ids += [tokenizer.token_to_id(TOOLS), *_content_ids(write_tools(tools), tokenizer), end]
        weights += [0] * (len(ids) - 1)
    for message in messages:
        content = _content_ids(message.content, tokenizer)
        for call in message.calls:
            content += [tokenizer.token_to_id(CALL), *_content_ids(write_call(call), tokenizer)]
        ids += [tokenizer.token_to_id(ROLE_TOKENS[message.role]), *content, end]
        said = learn_all and message.role != "tool"
        replied = message.role == "assistant"
        first = len(weights) + 1
        weights += [int(said)] + [int(said or replied)] * (len(content) + 1)
        if tools and replied:
            weights[first] = DECISION_WEIGHT
    return Tokens(ids, weights)


def encode_prompt(messages: Sequence[Message], tokenizer: Tokenizer, tools: Sequence[Tool] = ()) -> list[int]:
    """The tokens after which the assistant's next reply begins."""
    conversation = encode_conversation(messages, tokenizer, tools=tools)
    return [*conversation.ids, tokenizer.token_to_id(ROLE_TOKENS["assistant"])]


def _content_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids
