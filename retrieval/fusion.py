"""Rankings made one, and passages that say the same left out."""

import re
from collections.abc import Iterable, Sequence

RANK_CONSTANT = 2  # on SQuAD better than the paper's 60, which makes rank 1 worth little more than rank 9
_SHINGLE = 4  # words
_WORD = re.compile(r"\w+")


def reciprocal_rank(rankings: Sequence[Sequence[int]], constant: float = RANK_CONSTANT) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: ids by the sum of 1 / (constant + rank), best first, equal ones by id.

    Cormack, Clarke and Buettcher, SIGIR 2009.
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, chunk_id in enumerate(ranking, start=1):
            scores[chunk_id] = scores.get(chunk_id, 0.0) + 1 / (constant + rank)
    return sorted(scores.items(), key=lambda scored: (-scored[1], scored[0]))


class NearDuplicates:
    """Tells whether a passage says little that those before it did not."""

    def __init__(self, share: float = 0.8) -> None:
        """`share` is how many of all word sequences of two passages (Jaccard) make them the same."""
        self._share = share
        self._seen: list[frozenset[int]] = []

    def add(self, text: str) -> bool:
        """Whether the text is new; if so, later ones are held against it."""
        shingles = frozenset(_shingles(_WORD.findall(text.casefold())))
        for other in self._seen:
            together = len(shingles & other)
            if together >= self._share * (len(shingles) + len(other) - together):
                return False
        self._seen.append(shingles)
        return True


def _shingles(words: Sequence[str]) -> Iterable[int]:
    """Hashes of each run of words, or of the whole when it is shorter."""
    for start in range(max(1, len(words) - _SHINGLE + 1)):
        yield hash(tuple(words[start : start + _SHINGLE]))
