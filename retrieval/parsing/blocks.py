"""What every parser makes: a document's text in order, cut where its author cut it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["prose", "code", "table"]


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, a list, a table or a piece of code.

    `headings` are those that it stands under, outermost first; `page` counts from 1, where there are pages. Lines of
    code and of tables mean something; in prose a line may end anywhere.
    """

    text: str
    headings: tuple[str, ...] = ()
    page: int | None = None
    kind: Kind = "prose"


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """A document's title, empty where it says none, and its blocks, none of which is empty."""

    title: str
    blocks: tuple[Block, ...]


class HeadingPath:
    """The headings that the reader of a document is under, kept up as new ones come."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str]] = []

    def enter(self, level: int, text: str) -> None:
        """A heading of that level: it ends the sections of its own and of deeper levels."""
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        if text:
            self._open.append((level, text))

    @property
    def path(self) -> tuple[str, ...]:
        """Outermost first."""
        return tuple(text for _, text in self._open)
