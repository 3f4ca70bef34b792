"""HTML: the text that a reader of the page is after, block by block."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from retrieval.errors import UnreadableDocument
from retrieval.parsing.blocks import Block, HeadingPath, Kind, ParsedDocument
from retrieval.parsing.decoding import decode

_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset=[\"' ]*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_HEAD = 4096  # bytes in which a page must say its encoding
_NOT_CONTENT = (
    "script, style, noscript, template, svg, iframe, object, button, select, nav, aside, footer, "
    "[hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=search]"
)
_TAG = re.compile(r"<(/?)([a-zA-Z][^\s/>]*)")
_NEVER_DEEP = set(  # empty elements, and those that end where the next one of them begins
    "area base br col embed hr img input link meta param source track wbr p li dt dd tr td th thead tbody tfoot option "
    "optgroup colgroup".split()
)
_DEPTH = 4000  # elements inside each other; the parser's time grows with the square of it
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_OWN_BLOCK: dict[str, Kind] = {"pre": "code", "table": "table", "ul": "prose", "ol": "prose", "dl": "prose"}
_PARTED = set(
    "address article blockquote body center dd details dialog div dt fieldset figcaption figure header hr li main p "
    "section summary td th tr tbody thead tfoot caption".split()
)


def parse(data: bytes) -> ParsedDocument:
    """A block for each paragraph, list, table and `pre`; scripts, menus and what is hidden are left out.

    Raises UnreadableDocument for elements nested beyond reason.
    """
    declared = _CHARSET.search(data[:_HEAD])
    source = decode(data, declared[1].decode() if declared else None)
    if (depth := _depth(source)) > _DEPTH:
        raise UnreadableDocument(f"its elements lie {depth:,} deep inside each other; accepted are {_DEPTH:,}")
    page = LexborHTMLParser(source)
    title = page.css_first("title")
    for node in page.css(_NOT_CONTENT):
        node.decompose()
    reader = _Reader()
    root = page.css_first("main, [role=main]") or page.body
    if root is not None:
        reader.read(root)
    return ParsedDocument(_line(title.text()) if title else "", tuple(reader.blocks))


class _Reader:
    """Walks the tree once, gathering running text until a block ends it."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._path = HeadingPath()
        self._running: list[str] = []

    def read(self, root: LexborNode) -> None:
        """Every block below `root`, in order. Without recursion: pages may nest deeper than Python's stack."""
        pending: list[LexborNode | None] = [root]  # None: a block ends here
        while pending:
            node = pending.pop()
            if node is None:
                self._end("prose")
            elif node.is_text_node:
                self._running.append(node.text_content or "")
            elif node.tag == "br":
                self._running.append(" ")
            elif node.tag in _HEADINGS:
                self._end("prose")
                self._path.enter(_HEADINGS[node.tag], _line(node.text()))
            elif node.tag in _OWN_BLOCK:
                self._end("prose")
                self._add(_own_text(node), _OWN_BLOCK[node.tag])
            else:
                if node.tag in _PARTED:
                    self._end("prose")
                    pending.append(None)
                pending.extend(reversed(list(node.iter(include_text=True))))
        self._end("prose")

    def _end(self, kind: Kind) -> None:
        self._add(_line("".join(self._running)), kind)
        self._running.clear()

    def _add(self, text: str, kind: Kind) -> None:
        if text:
            self.blocks.append(Block(text, self._path.path, kind=kind))


def _own_text(node: LexborNode) -> str:
    """Text of which the lines matter: code as it is, a row of a table or an item of a list on each line."""
    if node.tag == "pre":
        return node.text().strip("\n").rstrip()
    if node.tag == "table":
        rows = [[_line(cell.text(separator=" ")) for cell in row.css("td, th")] for row in node.css("tr")]
        return "\n".join(" | ".join(cells) for cells in rows if any(cells))
    items = [_line(item.text(separator=" ")) for item in node.css("li, dt, dd") if not _inside_item(item, node)]
    return "\n".join(f"- {item}" for item in items if item)


def _inside_item(item: LexborNode, outermost: LexborNode) -> bool:
    """Whether an item lies inside another item of the same list, whose text holds it already."""
    parent = item.parent
    while parent is not None and parent.mem_id != outermost.mem_id:
        if parent.tag in ("li", "dd"):
            return True
        parent = parent.parent
    return False


def _depth(source: str) -> int:
    """How deep elements lie in each other at most, as far as tags tell."""
    depth = deepest = 0
    for end, name in _TAG.findall(source):
        if name.lower() not in _NEVER_DEEP:
            depth = max(0, depth - 1) if end else depth + 1
            deepest = max(deepest, depth)
    return deepest


def _line(text: str) -> str:
    return " ".join(text.split())
