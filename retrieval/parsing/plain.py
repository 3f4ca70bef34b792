"""Plain text: paragraphs are parted by empty lines."""

import re

from retrieval.parsing.blocks import Block, ParsedDocument
from retrieval.parsing.decoding import decode

_GAP = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")


def parse(data: bytes) -> ParsedDocument:
    """A block a paragraph."""
    return ParsedDocument("", tuple(Block(paragraph) for paragraph in paragraphs(decode(data))))


def parse_table(data: bytes) -> ParsedDocument:
    """Comma- or tab-separated values: one block, to be cut between its lines only."""
    text = decode(data).strip()
    return ParsedDocument("", (Block(text, kind="table"),) if text else ())


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text, none empty."""
    return [paragraph.strip("\n").rstrip() for paragraph in _GAP.split(text) if paragraph.strip()]
