"""Replies that are limited to the spans of a passage."""

import re
from collections.abc import Sequence

from tokenizers import Tokenizer

from training.conversation import END

LONGEST_SPAN = 12
"""In tokens."""
_WORD = re.compile(r"[$£€]?\w+%?")


class Spans:
    """The token sequences that spell a run of whole words of a passage, at most LONGEST_SPAN tokens long."""

    def __init__(self, passage: str, tokenizer: Tokenizer):
        self._end = tokenizer.token_to_id(END)
        self._next: dict[tuple[int, ...], set[int]] = {}
        words = list(_WORD.finditer(passage))
        starts, ends = [word.start() for word in words], {word.end() for word in words}
        # A span in the reply begins without the space before it, so each one is tokenized from its own start.
        texts = [passage[start : start + 12 * LONGEST_SPAN] for start in starts]
        for start, encoding in zip(starts, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
            self._add(encoding.ids, _ends(start, encoding.offsets), ends)

    def _add(self, ids: Sequence[int], token_ends: Sequence[int], word_ends: set[int]) -> None:
        """Adds the spans that begin where `ids` begin; `token_ends` and `word_ends` are places in the passage."""
        complete = [place for place, end in enumerate(token_ends[:LONGEST_SPAN], 1) if end in word_ends]
        for place in range(max(complete, default=0)):
            self._next.setdefault(tuple(ids[:place]), set()).add(ids[place])
        for place in complete:
            self._next.setdefault(tuple(ids[:place]), set()).add(self._end)

    def allowed(self, reply: Sequence[int]) -> set[int]:
        """The tokens that continue the reply as a span, END where it may stop; END alone where nothing does."""
        return self._next.get(tuple(reply), {self._end})


def _ends(start: int, offsets: Sequence[tuple[int, int]]) -> list[int]:
    """The place in the passage where each token ends; -1 for one that holds only the first bytes of a character."""
    following = [first for first, _ in offsets[1:]] + [offsets[-1][1]]
    return [start + end if first >= end else -1 for (_, end), first in zip(offsets, following, strict=True)]
