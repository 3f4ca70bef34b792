"""One conversation, and how it becomes tokens: the training side of the model's chat template.

`chat_template.jinja` writes the same text at serving time; a test holds the two together, token for token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

BOS = "<|bos|>"
PAD = "<|pad|>"
END = "<|end|>"  # closes every message; the model's end-of-sequence token
ROLE_TOKENS = {"system": "<|system|>", "user": "<|user|>", "assistant": "<|assistant|>", "tool": "<|tool|>"}
# A later issue teaches tool calls; their tokens are in the vocabulary now, so that the token ids can stay.
TOOL_TOKENS = ("<|tools|>", "<|call|>")
SPECIAL_TOKENS = (BOS, PAD, END, *ROLE_TOKENS.values(), *TOOL_TOKENS)


@dataclass(frozen=True, slots=True)
class Message:
    """What one side said. `role` is system, user, assistant or tool."""

    role: str
    content: str


def user(content: str) -> Message:
    """A message of the person."""
    return Message("user", content)


def assistant(content: str) -> Message:
    """A message of the model."""
    return Message("assistant", content)


def system(content: str) -> Message:
    """The instruction that opens a conversation."""
    return Message("system", content)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ids with a flag for each: whether the model learns to predict it."""

    ids: list[int]
    learned: list[bool]


def encode_text(text: str, tokenizer: Tokenizer) -> Tokens:
    """Plain text between a BOS and an END token; everything after the BOS is learned."""
    ids = _content_ids(text, tokenizer)
    ids = [tokenizer.token_to_id(BOS), *ids, tokenizer.token_to_id(END)]
    return Tokens(ids, [False] + [True] * (len(ids) - 1))


def encode_conversation(messages: Sequence[Message], tokenizer: Tokenizer, *, learn_all: bool = False) -> Tokens:
    """A conversation in the template's form.

    Learned are the assistant's words and the END that closes them, or with `learn_all` everything after the BOS
    (pretraining reads both sides of a dialogue).
    """
    end = tokenizer.token_to_id(END)
    ids, learned = [tokenizer.token_to_id(BOS)], [False]
    for message in messages:
        content = _content_ids(message.content, tokenizer)
        ids += [tokenizer.token_to_id(ROLE_TOKENS[message.role]), *content, end]
        speaks = message.role == "assistant"
        learned += [learn_all] + [learn_all or speaks] * (len(content) + 1)
    return Tokens(ids, learned)


def encode_prompt(messages: Sequence[Message], tokenizer: Tokenizer) -> list[int]:
    """The tokens after which the assistant's next reply begins."""
    return [*encode_conversation(messages, tokenizer).ids, tokenizer.token_to_id(ROLE_TOKENS["assistant"])]


def _content_ids(text: str, tokenizer: Tokenizer) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids
