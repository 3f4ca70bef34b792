"""One document of the corpus, and whether it is ever trained on."""

import hashlib
from dataclasses import dataclass
from typing import Any

from serving.models.tool_calls import Call, write_call, write_tools
from training.conversation import Message, Tool

HELD_OUT_PERCENT = 2


@dataclass(frozen=True, slots=True)
class Example:
    """One document: `text`, or `messages` where it is a conversation.

    `tools` are on offer throughout. `answers` are the accepted spans of a reading question, none where the passage does
    not say. `kind` is what evaluation groups by.
    """

    source: str
    held_out: bool
    text: str = ""
    messages: tuple[Message, ...] = ()
    tools: tuple[Tool, ...] = ()
    answers: tuple[str, ...] = ()
    answerable: bool = True
    kind: str = ""

    def pieces(self) -> list[str]:
        """Its texts between special tokens, which is what a tokenizer splits."""
        calls = [write_call(call) for message in self.messages for call in message.calls]
        texts = [self.text, write_tools(self.tools), *(message.content for message in self.messages), *calls]
        return [text for text in texts if text]

    def to_json(self) -> dict[str, Any]:
        """The line that `prepare` writes; what is at its default is left out."""
        row: dict[str, Any] = {"messages": list(map(_message_to_json, self.messages))} if self.messages else {}
        for name in ("text", "tools", "answers", "kind"):
            if value := getattr(self, name):
                row[name] = value
        return row if self.answerable else row | {"answerable": False}

    @classmethod
    def from_json(cls, source: str, held_out: bool, row: dict[str, Any]) -> "Example":
        """Reads a line back."""
        return cls(
            source,
            held_out,
            text=row.get("text", ""),
            messages=tuple(map(_message_from_json, row.get("messages", ()))),
            tools=tuple(row.get("tools", ())),
            answers=tuple(row.get("answers", ())),
            answerable=row.get("answerable", True),
            kind=row.get("kind", ""),
        )


def _message_to_json(message: Message) -> dict[str, Any]:
    row: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.calls:
        row["tool_calls"] = [{"name": call.name, "arguments": call.arguments} for call in message.calls]
    return row


def _message_from_json(row: dict[str, Any]) -> Message:
    calls = tuple(Call(call["name"], call["arguments"]) for call in row.get("tool_calls") or ())
    return Message(row["role"], row["content"], calls)


def is_held_out(key: str, percent: int = HELD_OUT_PERCENT) -> bool:
    """Whether the example with this key is kept for evaluation: so many in 100 keys, by their SHA-256."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100 < percent
