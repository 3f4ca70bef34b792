"""What a step tells attention: where its tokens are written, and what their queries see.

A step's flat token axis holds `rows` decode tokens, one a sequence, then `blocks` of one page of prompt tokens each.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int


class PageView(NamedTuple):
    """Where a step's tokens are written and what their queries see.

    Tables hold the page numbers of the sequence that a row or a block belongs to, padded with the scratch page.
    """

    row_table: Int[Array, "rows pages"]
    row_positions: Int[Array, " rows"]
    row_pages: Int[Array, " rows"]  # the page that a row's token is written to
    block_rows: Int[Array, " blocks"]  # the row whose prompt a block is a page of; -1 for one without work
    block_table: Int[Array, "blocks pages"]
    block_starts: Int[Array, " blocks"]  # position of each block's first token, the first of its page
    block_pages: Int[Array, " blocks"]  # the page that a block is

    def writing(self, live: Bool[Array, ""], scratch: int) -> "PageView":
        """This view where `live`; else one whose tokens are all written to the scratch page."""
        return self._replace(
            row_pages=jnp.where(live, self.row_pages, scratch),
            block_rows=jnp.where(live, self.block_rows, -1),
            block_pages=jnp.where(live, self.block_pages, scratch),
        )

    def shifted(self, base: int) -> "PageView":
        """This view for the layer whose first page is the cache's page `base`."""
        return self._replace(
            row_table=base + self.row_table,
            row_pages=base + self.row_pages,
            block_table=base + self.block_table,
            block_pages=base + self.block_pages,
        )


class Chunks(NamedTuple):
    """A step's prompt blocks as runs: neighbours of one row, whose pages follow each other.

    A block without work is a run by itself. Entries from `count` on mean nothing: they begin and end behind the last
    block.
    """

    first: Int[Array, " blocks"]
    end: Int[Array, " blocks"]  # the block after the last
    count: Int[Array, ""]
    working: Int[Array, ""]  # runs up to the last one with work

    @classmethod
    def of(cls, view: PageView) -> "Chunks":
        """The runs of a view."""
        rows, blocks = view.block_rows, len(view.block_rows)
        follows = jnp.append(False, (rows[1:] == rows[:-1]) & (rows[1:] >= 0))
        first = jnp.flatnonzero(~follows, size=blocks, fill_value=blocks)
        works = jnp.append(rows, -1)[first] >= 0
        return cls(
            first,
            end=jnp.append(first[1:], blocks),
            count=jnp.sum(~follows),
            working=jnp.max(jnp.where(works, jnp.arange(1, blocks + 1), 0)),
        )
