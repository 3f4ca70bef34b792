"""Source code by its line structure: what begins at the left margin after an empty line begins a block."""

import re

from retrieval.parsing.blocks import Block, ParsedDocument
from retrieval.parsing.decoding import decode

_DEFINES = re.compile(
    r"^(?:(?:export|default|public|private|protected|static|abstract|final|async|pub(?:\([a-z]+\))?|unsafe|extern|open|"
    r"data|sealed|inline|virtual)\s+)*"
    r"(?:class|def|func|function|fn|struct|enum|trait|impl|interface|module|namespace|object|type|record|protocol|"
    r"extension|macro_rules!|CREATE\s+(?:OR\s+REPLACE\s+)?(?:TABLE|VIEW|FUNCTION|INDEX))\b.*",
    re.IGNORECASE,
)
_HEADING = 120  # characters of a signature that becomes a heading


def parse(data: bytes) -> ParsedDocument:
    """A block for each definition at the outermost level, headed by its first line, and for what lies between."""
    blocks: list[Block] = []
    lines: list[str] = []

    def end() -> None:
        text = "\n".join(lines).strip("\n").rstrip()
        lines.clear()
        if text:
            signature = next((line for line in text.split("\n") if _DEFINES.match(line)), "")
            heading = (signature.rstrip(" {:")[:_HEADING],) if signature else ()
            blocks.append(Block(text, heading, kind="code"))

    for line in decode(data).split("\n"):
        begins = line[:1].strip() and line[0] not in ")}]" and lines and not lines[-1].strip()
        if begins:
            end()
        lines.append(line.rstrip())
    end()
    return ParsedDocument("", tuple(blocks))
