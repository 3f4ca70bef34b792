"""The two ways of asking in OpenAI's protocol: chat completions and text completions."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol

Said = tuple[Literal["system", "user", "assistant"], str]
EndpointName = Literal["chat", "completions"]


class Endpoint(Protocol):
    """Where to ask, how, and where the answer's text is."""

    path: str

    def ask(self, history: Sequence[Said]) -> dict[str, Any]:
        """The request's field that carries a conversation so far."""

    def text(self, choice: dict[str, Any]) -> str:
        """The text of a choice of a stream's chunk; empty where there is none."""


class Chat:
    """/v1/chat/completions: the server's own template makes a prompt of the messages."""

    path = "/v1/chat/completions"

    def ask(self, history: Sequence[Said]) -> dict[str, Any]:
        """All that was said, as messages."""
        return {"messages": [{"role": role, "content": text} for role, text in history]}

    def text(self, choice: dict[str, Any]) -> str:
        """Of what is said or thought; a call of a tool counts by its arguments."""
        delta = choice.get("delta") or {}
        calls = "".join(call.get("function", {}).get("arguments") or "" for call in delta.get("tool_calls") or ())
        return (delta.get("content") or "") + (delta.get("reasoning") or delta.get("reasoning_content") or calls)


class Completions:
    """/v1/completions: the prompt is continued as it stands."""

    path = "/v1/completions"

    def ask(self, history: Sequence[Said]) -> dict[str, Any]:
        """All that was said, as one text; replies are joined as they came."""
        return {"prompt": "".join(text if role == "assistant" else f" {text}" for role, text in history)}

    def text(self, choice: dict[str, Any]) -> str:
        """The continuation."""
        return choice.get("text") or ""


ENDPOINTS: dict[EndpointName, Endpoint] = {"chat": Chat(), "completions": Completions()}
