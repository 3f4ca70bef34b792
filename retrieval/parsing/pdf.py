"""PDF through pypdf: text page by page, with the outline's headings."""

import io
import re

from pypdf import PdfReader

from retrieval.errors import UnreadableDocument
from retrieval.parsing.blocks import Block, ParsedDocument
from retrieval.parsing.plain import paragraphs

_HYPHEN = re.compile(r"(?<=\w)[-\u00ad]\n(?=[a-z])")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


def parse(data: bytes) -> ParsedDocument:
    """A block a paragraph, with its page. Raises UnreadableDocument for locked and for scanned pages."""
    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableDocument("it is locked with a password")
    headings = _headings_by_page(reader)
    blocks = []
    for number, page in enumerate(reader.pages, start=1):
        text = _CONTROL.sub(" ", page.extract_text())
        for paragraph in paragraphs(text):
            line = " ".join(_HYPHEN.sub("", paragraph).split())
            if line:
                blocks.append(Block(line, headings.get(number, ()), number))
    if not blocks and len(reader.pages):
        raise UnreadableDocument(f"its {len(reader.pages)} pages hold no text, as scanned pages do")
    title = reader.metadata.title if reader.metadata else None
    return ParsedDocument(" ".join((title or "").split()), tuple(blocks))


def _headings_by_page(reader: PdfReader) -> dict[int, tuple[str, ...]]:
    """The path of the outline's entry that each page is under: the last that begins on it or before it."""
    begins: dict[int, tuple[str, ...]] = {}

    def read(entries: list, path: tuple[str, ...]) -> None:
        inner = path
        for entry in entries:
            if isinstance(entry, list):
                read(entry, inner)
                continue
            inner = (*path, " ".join(str(entry.title).split()))
            number = reader.get_destination_page_number(entry)
            if number is not None and number >= 0:
                begins.setdefault(number + 1, inner)

    read(reader.outline, ())
    current: tuple[str, ...] = ()
    return {page: (current := begins.get(page, current)) for page in range(1, len(reader.pages) + 1)}
