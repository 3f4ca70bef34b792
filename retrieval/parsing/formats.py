"""Which parser reads what: by media type, else by the name's ending, else by the first bytes."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from retrieval.errors import UnreadableDocument
from retrieval.parsing import code, html, markdown, pdf, plain
from retrieval.parsing.blocks import ParsedDocument


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of document: its media type, other names of it, endings of its files, and who reads it."""

    media_type: str
    parse: Callable[[bytes], ParsedDocument]
    endings: frozenset[str]
    aliases: frozenset[str] = frozenset()


FORMATS = (
    Format("text/plain", plain.parse, frozenset("txt text log rst org srt vtt".split())),
    Format(
        "text/markdown",
        markdown.parse,
        frozenset("md markdown mkd mdx qmd".split()),
        frozenset({"text/x-markdown"}),
    ),
    Format("text/html", html.parse, frozenset("html htm xhtml".split()), frozenset({"application/xhtml+xml"})),
    Format("application/pdf", pdf.parse, frozenset({"pdf"}), frozenset({"application/x-pdf"})),
    Format(
        "text/csv",
        plain.parse_table,
        frozenset({"csv", "tsv"}),
        frozenset({"text/tab-separated-values", "application/csv"}),
    ),
    Format(
        "text/x-source",
        code.parse,
        frozenset(
            "py pyi js mjs cjs jsx ts tsx java kt kts scala go rs c h cc cpp cxx hpp cs swift rb php pl lua r jl sh "
            "bash zsh ps1 sql proto tf hcl toml yaml yml json jsonl ini cfg conf xml css scss vue svelte dart ex exs "
            "erl hs ml clj el vim cmake gradle".split()
        ),
        frozenset(
            "application/json application/javascript text/javascript application/xml text/xml application/yaml "
            "application/x-yaml application/toml text/css application/sql text/x-python text/x-c text/x-c++ "
            "text/x-java text/x-go text/x-rust text/x-script.python application/x-sh".split()
        ),
    ),
)
_BY_NAME = {"dockerfile", "makefile", "jenkinsfile", "vagrantfile", "rakefile", "gemfile"}
_NOT_STORED = re.compile("[\x00\ud800-\udfff]")
_UNKNOWN = {"", "application/octet-stream", "binary/octet-stream"}


def format_of(name: str, media_type: str = "", data: bytes = b"") -> Format:
    """The format of a document. Raises UnreadableDocument, which lists what is read, for others."""
    named = media_type.partition(";")[0].strip().lower()
    for known in FORMATS:
        if named == known.media_type or named in known.aliases:
            return known
    path = PurePosixPath(name.lower())
    for known in FORMATS:
        if path.suffix[1:] in known.endings or (known.media_type == "text/x-source" and path.name in _BY_NAME):
            return known
    if named not in _UNKNOWN and not named.startswith("text/"):
        accepted = ", ".join(known.media_type for known in FORMATS)
        raise UnreadableDocument(f"documents of type {media_type} cannot be read; accepted are {accepted}")
    start = data[:1024].lstrip().lower()
    by_start = {b"%pdf-": "application/pdf", b"<!doctype html": "text/html", b"<html": "text/html"}
    found = next((kind for mark, kind in by_start.items() if start.startswith(mark)), "text/plain")
    return next(known for known in FORMATS if known.media_type == found)


def parse(data: bytes, name: str, media_type: str = "") -> ParsedDocument:
    """Reads a document. Raises UnreadableDocument, with the reason, when no text can be had of it."""
    try:
        document = format_of(name, media_type, data).parse(data)
    except UnreadableDocument as error:
        raise UnreadableDocument(f"{name}: {error}") from None
    except Exception as error:  # parsers raise anything at what hostile files hold, and one file must not stop the rest
        raise UnreadableDocument(f"{name}: the file is damaged ({type(error).__name__}: {error})") from error
    if not document.blocks:
        raise UnreadableDocument(f"{name}: it holds no text")
    return _storable(document)


def _storable(document: ParsedDocument) -> ParsedDocument:
    """Without NUL and halves of surrogate pairs, which no database takes; PDFs have them in titles and text."""

    def clean(text: str) -> str:
        return _NOT_STORED.sub("\ufffd", text)

    blocks = [
        replace(block, text=clean(block.text), headings=tuple(map(clean, block.headings))) for block in document.blocks
    ]
    return ParsedDocument(clean(document.title), tuple(blocks))
