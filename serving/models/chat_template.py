"""Messages to the prompt that a model was trained on, by the model's own Jinja template."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import TemplateSyntaxError

from serving.models.folder import ModelFolderError, read_json
from serving.models.special_tokens import special_tokens
from serving.models.template_sandbox import TemplateSandbox

END_MARK = "\ue000end of the last message\ue000"  # private-use characters: no text of people holds this


class ChatTemplateError(Exception):
    """Messages that the template refuses, or a template that fails on them. The message is for people."""


class ChatTemplate:
    """A model's chat template, or its templates by name: `default`, and `tool_use` for requests with tools."""

    def __init__(
        self,
        sources: Mapping[str, str],
        special_tokens: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        """Compile `sources`, one of them named `default`. `now` is the clock of `strftime_now`.

        Raises ChatTemplateError for a template that is no Jinja.
        """
        if "default" not in sources:
            raise ChatTemplateError(f"no chat template is named default, only {', '.join(sources)}")
        self.source: str = sources["default"]
        self._special_tokens = dict(special_tokens or {})
        self._sandbox = TemplateSandbox(now)
        try:
            self._templates = {name: self._sandbox.compile_template(source) for name, source in sources.items()}
        except TemplateSyntaxError as error:
            raise ChatTemplateError(
                f"the chat template is not valid Jinja: line {error.lineno}: {error.message}"
            ) from None

    @classmethod
    def from_folder(cls, folder: Path, now: Callable[[], datetime] = datetime.now) -> "ChatTemplate | None":
        """Read chat_template.jinja (and additional_chat_templates/*.jinja), else tokenizer_config.json's chat_template.

        None for a folder without one: a base model, which completes text but does not chat. Raises ModelFolderError.
        """
        sources = _read_sources(folder)
        try:
            return cls(sources, special_tokens(folder), now) if sources else None
        except ChatTemplateError as error:
            raise ModelFolderError(f"{folder}: {error}") from None

    def render(
        self,
        messages: Sequence[Mapping[str, Any]],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        add_generation_prompt: bool = True,
        continue_final_message: bool = False,
        **variables: Any,
    ) -> str:
        """The prompt for `messages`; `variables` are what this very template knows beside them.

        `continue_final_message` leaves the last message open, so that the model goes on with it; it excludes
        `add_generation_prompt`. Raises ChatTemplateError.
        """
        if continue_final_message:
            if add_generation_prompt:
                raise ChatTemplateError("continue_final_message and add_generation_prompt exclude each other")
            messages = _mark_end(messages)
        context = {
            "documents": None,
            **self._special_tokens,
            **variables,
            "messages": messages,
            "tools": tools,
            "add_generation_prompt": add_generation_prompt,
        }
        name = "tool_use" if tools and "tool_use" in self._templates else "default"
        try:
            prompt = self._sandbox.render(self._templates[name], context)
        except Exception as error:  # a template is foreign code: its expressions raise what they like
            raise ChatTemplateError(f"the model's chat template refused the messages: {error}") from None
        return _cut_at_mark(prompt) if continue_final_message else prompt


def _mark_end(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    if not messages:
        raise ChatTemplateError("continue_final_message needs a message to continue")
    *earlier, last = messages
    match last.get("content"):
        case str(content):
            marked = content + END_MARK
        case [*parts, {"type": "text", "text": str(text)} as part]:
            marked = [*parts, {**part, "text": text + END_MARK}]
        case _:
            raise ChatTemplateError("continue_final_message needs a last message whose content ends in text")
    return [*earlier, {**last, "content": marked}]


def _cut_at_mark(prompt: str) -> str:
    prompt, mark, _ = prompt.rpartition(END_MARK)
    if not mark:
        raise ChatTemplateError("the model's chat template leaves out the last message, so it cannot be continued")
    return prompt


def _read_sources(folder: Path) -> dict[str, str]:
    """Templates by name."""
    files = {path.stem: path for path in sorted((folder / "additional_chat_templates").glob("*.jinja"))}
    if (folder / "chat_template.jinja").is_file():
        files["default"] = folder / "chat_template.jinja"
    if files:
        return {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    match read_json(folder / "tokenizer_config.json", required=False).get("chat_template"):
        case None:
            return {}
        case str(source):
            return {"default": source}
        case [*templates] if all(isinstance(t, dict) and {"name", "template"} <= t.keys() for t in templates):
            return {template["name"]: template["template"] for template in templates}
    raise ModelFolderError(
        f"{folder / 'tokenizer_config.json'}: chat_template is neither a string nor a list of named templates"
    )
