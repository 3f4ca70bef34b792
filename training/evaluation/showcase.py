"""Forty fixed prompts whose first replies stand in the model card, good and bad alike."""

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.models.tool_calls import CALL, Call, ToolCallError, parse_calls
from training.conversation import Message, Tool, assistant, calling, result, system, user
from training.evaluation.bench import Bench
from training.evaluation.model import Prompt
from training.evaluation.report import Reply

_FILE = Path(__file__).with_name("prompts.toml")
_SPEAKERS = {"system": system, "user": user, "assistant": assistant, "tool": result}


@dataclass(frozen=True, slots=True)
class FixedPrompt:
    """A prompt of prompts.toml."""

    topic: str
    prompt: Prompt

    def written(self) -> str:
        """The conversation as a person reads it."""
        messages, tools = self.prompt.messages, self.prompt.tools
        lines = [f"(tools: {', '.join(tool['function']['name'] for tool in tools)})"] if tools else []
        if len(messages) == 1:
            return "\n".join([*lines, messages[0].content])
        return "\n".join([*lines, *(f"{message.role}: {_said(message)}" for message in messages)])


def read_prompts() -> list[FixedPrompt]:
    """The prompts of prompts.toml, in its order."""
    file = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    tools = {name: _tool(name, **tool) for name, tool in file["tools"].items()}
    return [
        FixedPrompt(
            row["topic"],
            Prompt(tuple(map(_message, row["messages"])), tuple(tools[name] for name in row.get("tools", ()))),
        )
        for row in file["prompt"]
    ]


def replies(bench: Bench) -> tuple[Reply, ...]:
    """The first reply to every fixed prompt at the default sampling."""
    prompts = read_prompts()
    said = bench.ask("fixed prompts", [fixed.prompt for fixed in prompts])
    return tuple(
        Reply(fixed.topic, fixed.written(), written_reply(text, fixed.prompt.tools))
        for fixed, text in zip(prompts, said, strict=True)
    )


def written_reply(text: str, tools: Sequence[Tool]) -> str:
    """A reply with its calls as JSON. A call that fits no tool is left as the model wrote it."""
    try:
        calls = parse_calls(text, tools)
    except ToolCallError:
        return f"{text} (fits no tool)"
    return "\n".join(filter(None, [text.split(CALL)[0], *map(_called, calls)]))


def _said(message: Message) -> str:
    return "\n".join(filter(None, [message.content, *map(_called, message.calls)]))


def _called(call: Call) -> str:
    return f"calls {call.name} {json.dumps(call.arguments, ensure_ascii=False)}"


def _message(turn: dict[str, Any]) -> Message:
    """A turn is {speaker = "words"} or {call = {name, arguments}}."""
    ((speaker, said),) = turn.items()
    return calling(Call(**said)) if speaker == "call" else _SPEAKERS[speaker](said)


def _tool(name: str, description: str, parameters: dict[str, dict[str, Any]]) -> Tool:
    """An OpenAI function tool; a parameter that says `optional = true` is not required."""
    properties = {key: {k: v for k, v in schema.items() if k != "optional"} for key, schema in parameters.items()}
    required = [key for key, schema in parameters.items() if not schema.get("optional")]
    schema = {"type": "object", "properties": properties, "required": required}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}
