"""Parsers that hang or crash, and the documents after them."""

import os
import signal
import time

import pytest

from retrieval.errors import UnreadableDocument
from retrieval.parsing import process
from retrieval.parsing.blocks import Block, ParsedDocument
from retrieval.parsing.process import ParserProcess


def hostile(data: bytes, name: str, media_type: str) -> ParsedDocument:
    """In place of `formats.parse`; a child imports it from here."""
    if data == b"hang":
        time.sleep(600)
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    return ParsedDocument("", (Block(f"{data.decode()} {os.getpid()}"),))


async def test_a_document_is_parsed_in_another_process():
    with ParserProcess(60) as parser:
        assert await parser.parse(b"Hoist them.", "sails.txt", "") == ParsedDocument("", (Block("Hoist them."),))
        with pytest.raises(UnreadableDocument, match="photo.jpg: documents of type image/jpeg cannot be read"):
            await parser.parse(b"", "photo.jpg", "image/jpeg")


async def test_one_that_hangs_or_crashes_is_unreadable_and_the_next_is_read(monkeypatch):
    monkeypatch.setattr(process, "parse", hostile)
    with ParserProcess(3) as parser:
        with pytest.raises(UnreadableDocument, match="a.pdf: it took longer to read than 3 s"):
            await parser.parse(b"hang", "a.pdf", "")
        with pytest.raises(UnreadableDocument, match="b.pdf: whoever read it crashed"):
            await parser.parse(b"crash", "b.pdf", "")
        (block,) = (await parser.parse(b"good", "c.txt", "")).blocks
        assert block.text.startswith("good ") and block.text != f"good {os.getpid()}"
