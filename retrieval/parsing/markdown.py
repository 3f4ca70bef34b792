"""Markdown (CommonMark with tables): blocks keep their source, headings become the path."""

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from retrieval.parsing.blocks import Block, HeadingPath, Kind, ParsedDocument
from retrieval.parsing.decoding import decode

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title:[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_KINDS: dict[str, Kind] = {"fence": "code", "code_block": "code", "table_open": "table"}


def parse(data: bytes) -> ParsedDocument:
    """A block for each paragraph, list, quotation, table and piece of code. The title is the front matter's or the
    first heading of level 1."""
    text = decode(data)
    title = ""
    if front_matter := _FRONT_MATTER.match(text):
        if named := _TITLE.search(front_matter[1]):
            title = named[1].strip("\"'")
        text = text[front_matter.end() :]
    lines = text.split("\n")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    path = HeadingPath()
    blocks = []
    for index, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            heading = _words(tokens[index + 1])
            path.enter(int(token.tag[1:]), heading)
            title = title or (heading if token.tag == "h1" else "")
            continue
        source = "\n".join(lines[slice(*token.map)]).strip("\n").rstrip()
        if source and not source.startswith("<!--"):
            blocks.append(Block(source, path.path, kind=_KINDS.get(token.type, "prose")))
    return ParsedDocument(title, tuple(blocks))


def _words(inline: Token) -> str:
    """The text of a heading without its markup."""
    return " ".join("".join(child.content or " " for child in inline.children or []).split())
