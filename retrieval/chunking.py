"""Blocks to chunks: by structure first, and by tokens, with overlap, where a section is too long.

A chunk never crosses a heading. Within a section, blocks are gathered as far as they fit, sentence by sentence (or line
by line, where lines mean something), and a sentence that is too long is cut between tokens.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from retrieval.parsing.blocks import Block, Kind, ParsedDocument

Spans = Callable[[str], Sequence[tuple[int, int]]]
"""Of a text, the tokens in order, each as the characters [start, end) that it stands for, without special tokens."""

_ENDS: dict[Kind, re.Pattern[str]] = {
    "prose": re.compile(r"(?<=[.!?\u2026\u3002\uff01\uff1f])[\"'\u201d\u2019)\]]*\s+|\n+"),
    "code": re.compile(r"\n+"),
    "table": re.compile(r"\n+"),
}
_HEADINGS_SHARE = 4  # headings get one part in so many of a chunk


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document that is found and shown as one.

    `position` counts the document's chunks from 0; `page` is where it begins; `tokens` counts `embedded`.
    """

    text: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    position: int
    tokens: int

    @property
    def embedded(self) -> str:
        """What encoder and word index see: the chunk below its headings."""
        return embedded(self.title, self.headings, self.text)


def embedded(title: str, headings: Sequence[str], text: str) -> str:
    """A chunk's text below the title and headings that it stands under, without saying one twice."""
    path = list(dict.fromkeys(part for part in (title, *headings) if part))
    return "\n".join([" > ".join(path), text]) if path else text


@dataclass(frozen=True, slots=True)
class _Piece:
    """Text that is not cut any more, with the white space that parts it from the piece before."""

    gap: str
    text: str
    tokens: int
    begins_block: bool
    page: int | None


def chunks(document: ParsedDocument, spans: Spans, limit: int, overlap: int) -> list[Chunk]:
    """Cuts a document. No chunk's `embedded` has more than `limit` tokens; `overlap` is counted in tokens too."""
    if not 0 <= overlap <= limit // 2:
        raise ValueError(f"an overlap of {overlap} tokens; accepted are 0 to {limit // 2}, half a chunk's {limit}")
    made: list[Chunk] = []
    for path, section in groupby(document.blocks, key=lambda block: block.headings):
        title, headings = _fitting(document.title, path, spans, limit // _HEADINGS_SHARE)
        head = len(spans(embedded(title, headings, "")))
        pieces = [piece for block in section for piece in _pieces(block, spans, limit - head)]
        for run in _runs(pieces, limit - head, overlap):
            text = run[0].text + "".join(piece.gap + piece.text for piece in run[1:])
            tokens = len(spans(embedded(title, headings, text)))
            made.append(Chunk(text, title, headings, run[0].page, len(made), tokens))
    return made


def _fitting(title: str, path: tuple[str, ...], spans: Spans, limit: int) -> tuple[str, tuple[str, ...]]:
    """Title and headings, of which the outer ones are left out when there are too many tokens of them."""
    while len(spans(embedded(title, path, ""))) > limit:
        if title:
            title = ""
        elif len(path) > 1:
            path = path[1:]
        else:
            end = spans(path[0])[limit - 1][1] if limit else 0
            return "", (path[0][:end],) if end else ()
    return title, path


def _pieces(block: Block, spans: Spans, limit: int) -> Iterator[_Piece]:
    """A block as pieces of at most `limit` tokens."""
    gap, begin, begins_block = "\n\n", 0, True
    for end, after in _sentence_ends(block):
        for start, stop in _windows(block.text[begin:end], spans, limit):
            raw = block.text[begin + start : begin + stop]
            text = raw.rstrip()
            if text:
                yield _Piece(gap, text, len(spans(text)) + len(spans(gap)), begins_block, block.page)
                gap, begins_block = raw[len(text) :], False
        gap, begin = block.text[end:after], after


def _windows(sentence: str, spans: Spans, limit: int) -> Iterator[tuple[int, int]]:
    """A sentence as ranges of characters with at most `limit` tokens each. A part of a word may have more tokens alone
    than it had in the word, so each range is counted again."""
    tokens = spans(sentence)
    first = 0
    while first < len(tokens) or first == 0:
        count = limit
        while True:
            start = tokens[first][0] if first else 0
            stop = tokens[first + count][0] if first + count < len(tokens) else len(sentence)
            if count == 1 or len(spans(sentence[start:stop])) <= limit:
                break
            count = max(1, count * 3 // 4)
        yield start, stop
        first += count


def _sentence_ends(block: Block) -> Iterator[tuple[int, int]]:
    """Where each sentence or line ends, and where the next begins."""
    for match in _ENDS[block.kind].finditer(block.text):
        end = match.start() + len(match[0].rstrip()) if block.kind == "prose" else match.start()
        yield end, match.end()
    yield len(block.text), len(block.text)


def _runs(pieces: Sequence[_Piece], limit: int, overlap: int) -> Iterator[Sequence[_Piece]]:
    """Pieces gathered into chunks of at most `limit` tokens.

    A full chunk ends where its last block began, if that leaves it at least half full, and otherwise where it is full.
    """
    start = 0
    while start < len(pieces):
        stop, tokens = start, 0
        while stop < len(pieces) and (tokens + pieces[stop].tokens <= limit or stop == start):
            tokens += pieces[stop].tokens
            stop += 1
        if stop < len(pieces):
            stop = _block_end(pieces, start, stop, limit // 2)
        yield pieces[start:stop]
        if stop == len(pieces):
            return
        start = _overlapping(pieces, start, stop, limit, overlap)


def _block_end(pieces: Sequence[_Piece], start: int, stop: int, least: int) -> int:
    """The last place at or before `stop` where a block begins, with `least` tokens before it; else `stop`."""
    tokens = sum(piece.tokens for piece in pieces[start:stop])
    for index in range(stop, start, -1):
        if tokens < least:
            break
        if pieces[index].begins_block:
            return index
        tokens -= pieces[index - 1].tokens
    return stop


def _overlapping(pieces: Sequence[_Piece], start: int, stop: int, limit: int, overlap: int) -> int:
    """Where the next chunk begins so that it repeats at most `overlap` tokens and has room for one new piece."""
    room = min(overlap, limit - pieces[stop].tokens)
    begin = stop
    while begin - 1 > start and pieces[begin - 1].tokens <= room:
        begin -= 1
        room -= pieces[begin].tokens
    return begin
