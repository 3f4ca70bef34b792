"""The model card: what the model is, how good it measured, and what it cannot do."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from serving.models.config import DecoderConfig
from training.evaluation.report import HEADINGS, Report

_TEMPLATE = Path(__file__).with_name("model_card.md")


def write_model_card(folder: Path, config: DecoderConfig, parameters: int, report: Report) -> None:
    """Writes FOLDER/README.md from model_card.md, the model's sizes, and what evaluation found."""
    text = _TEMPLATE.read_text(encoding="utf-8")
    slots = {
        "PARAMETERS": f"{parameters / 1e6:.1f} million",
        "LAYERS": str(config.layers),
        "WIDTH": str(config.hidden_size),
        "CONTEXT": f"{config.max_position:,}",
        "VOCABULARY": f"{config.vocab_size:,}",
        "TOKENS": f"{report.trained_tokens / 1e6:.1f} million",
        "SAMPLING": report.title(),
        "MEASURED": _table(HEADINGS, [row.cells() for row in report.rows]),
        "REPLIES": _table(("prompt", "reply"), [(reply.prompt, reply.reply) for reply in report.replies]),
    }
    for name, value in slots.items():
        text = text.replace("{{" + name + "}}", value)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; cells keep their line breaks, and what they hold is never read as markup."""
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    return "\n".join([*lines, *("| " + " | ".join(map(_cell, row)) + " |" for row in rows)])


def _cell(text: str) -> str:
    written = re.sub(r"([\\`*_|\[\]#])", r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"\n+", "<br>", written)
