"""Search by words: BM25 through bm25s, whose indexes never change, so a collection has several.

bm25s keeps one column of finished scores for each term, each the term's weight (its inverse document frequency) times
what it means to each text. A weight holds for one index only, so it is exchanged for the whole collection's when
searching: a text scores alike in whichever index it stands. (Text lengths count relative to the index's own mean.)
"""

import json
import logging
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import Stemmer
from jaxtyping import Bool, Float32, Int32, Int64


@contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """Packages that cannot be imported within, whether they are installed or not."""
    loaded = {name: sys.modules[name] for name in packages if name in sys.modules}
    sys.modules.update(dict.fromkeys(packages))
    try:
        yield
    finally:
        for name in packages:
            del sys.modules[name]
        sys.modules.update(loaded)


with _hidden("jax", "scipy", "numba"):  # bm25s would start JAX, which has no business here, and use none of the others
    import bm25s

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it asks for every step to be logged
K1, B = 1.5, 0.75
_NO_SPACES = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"  # scripts without spaces between words
_TERM = rf"[{_NO_SPACES}]|[^\W_{_NO_SPACES}]+"


def terms(texts: Sequence[str]) -> bm25s.tokenization.Tokenized:
    """The stems of texts' words, without English stop words; `snake_case` is two words, and so are two CJK letters.

    Whoever changes this must raise `retrieval.index.files.FORMAT`: saved indexes have the terms of their time.
    """
    stemmer = Stemmer.Stemmer("english")  # one for each call, since they are not made for threads
    return bm25s.tokenize(
        list(texts), token_pattern=_TERM, stopwords="english_plus", stemmer=stemmer, show_progress=False
    )


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The BM25 index of some texts, numbered from 0. `tokens` keeps each text's terms for the next index."""

    vocabulary: dict[str, int]
    tokens: Int32[np.ndarray, " tokens"]
    token_starts: Int64[np.ndarray, " texts+1"]
    scores: Float32[np.ndarray, " postings"]
    texts: Int32[np.ndarray, " postings"]
    starts: Int64[np.ndarray, " vocabulary+1"]

    @classmethod
    def of(cls, texts: Sequence[str]) -> "Postings":
        """Indexes texts, one at least."""
        tokenized = terms(texts)
        lengths = [len(ids) for ids in tokenized.ids]
        tokens = np.array([token for ids in tokenized.ids for token in ids], np.int32)
        return cls._of_tokens(tokenized.vocab, tokens, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    @classmethod
    def merged(cls, parts: Iterable[tuple["Postings", Bool[np.ndarray, " texts"]]]) -> "Postings":
        """One index of those texts of others that are to be kept, in their order; one at least."""
        vocabulary: dict[str, int] = {}
        tokens, lengths = [], []
        for part, kept in parts:
            renamed = np.array([vocabulary.setdefault(term, len(vocabulary)) for term in part.vocabulary], np.int32)
            of_text = np.diff(part.token_starts)
            tokens.append(renamed[part.tokens[np.repeat(kept, of_text)]])
            lengths.append(of_text[kept])
        used, together = np.unique(np.concatenate(tokens), return_inverse=True)
        names = list(vocabulary)
        starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64)
        return cls._of_tokens({names[old]: new for new, old in enumerate(used)}, together.astype(np.int32), starts)

    @classmethod
    def _of_tokens(
        cls,
        vocabulary: dict[str, int],
        tokens: Int32[np.ndarray, " tokens"],
        token_starts: Int64[np.ndarray, " texts+1"],
    ) -> "Postings":
        columns = {"data": np.empty(0), "indices": np.empty(0), "indptr": np.zeros(len(vocabulary) + 1)}
        if len(tokens):  # bm25s divides by the mean length
            index = bm25s.BM25(k1=K1, b=B, method="lucene", auto_compile=False)
            of_texts = [part.tolist() for part in np.split(tokens, token_starts[1:-1])]
            index.index((of_texts, dict(vocabulary)), create_empty_token=False, show_progress=False)
            columns = index.scores
        return cls(
            vocabulary,
            tokens,
            token_starts,
            columns["data"].astype(np.float32),
            columns["indices"].astype(np.int32),
            columns["indptr"].astype(np.int64),
        )

    def __len__(self) -> int:
        return len(self.token_starts) - 1

    @property
    def bytes(self) -> int:
        """Of memory, roughly."""
        arrays = (self.tokens, self.token_starts, self.scores, self.texts, self.starts)
        return sum(array.nbytes for array in arrays) + 100 * len(self.vocabulary)

    def frequency(self, term: str) -> int:
        """How many texts hold the term."""
        token = self.vocabulary.get(term)
        return 0 if token is None else int(self.starts[token + 1] - self.starts[token])

    def search(self, weights: Mapping[str, float]) -> Float32[np.ndarray, " texts"]:
        """Every text's score for terms of these weights; 0 where none of them stands."""
        scores = np.zeros(len(self), np.float32)
        for term, weight in weights.items():
            if frequency := self.frequency(term):
                token = self.vocabulary[term]
                column = slice(self.starts[token], self.starts[token + 1])
                scores[self.texts[column]] += self.scores[column] * (weight / rarity(frequency, len(self)))
        return scores

    def at(self, texts: Int64[np.ndarray, " some"], weights: Mapping[str, float]) -> Float32[np.ndarray, " some"]:
        """What `search` says of some texts, by looking up these only."""
        scores = np.zeros(len(texts), np.float32)
        for term, weight in weights.items():
            if frequency := self.frequency(term):
                token = self.vocabulary[term]
                column = slice(self.starts[token], self.starts[token + 1])
                holders = self.texts[column]  # in rising order
                places = np.minimum(np.searchsorted(holders, texts), frequency - 1)
                own = self.scores[column][places] * (weight / rarity(frequency, len(self)))
                scores += np.where(holders[places] == texts, own, 0)
        return scores

    def save(self, folder: Path) -> None:
        """Writes arrays and vocabulary."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        (folder / "vocabulary.json").write_text(json.dumps(list(self.vocabulary), ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Postings":
        """Reads what `save` wrote; arrays stay on disk until they are looked at."""
        words = json.loads((folder / "vocabulary.json").read_text("utf-8"))
        arrays = {name: mapped(folder / f"{name}.npy") for name in _ARRAYS}
        return cls({word: token for token, word in enumerate(words)}, **arrays)


def mapped(file: Path) -> np.ndarray:
    """An array that stays in its file until it is looked at, and leaves memory again when others need it."""
    return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))


_ARRAYS = ("tokens", "token_starts", "scores", "texts", "starts")


def rarity(frequency: int, count: int) -> float:
    """The inverse document frequency of a term that `frequency` of `count` texts hold (Lucene's, as in bm25s)."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def query_weights(query: str, indexes: Sequence[Postings]) -> dict[str, float]:
    """The terms of a query, each with its weight in all indexes together, as often as the query says it."""
    tokenized = terms([query])
    names = list(tokenized.vocab)
    count = sum(len(index) for index in indexes)
    said = Counter(names[token] for token in tokenized.ids[0])
    frequencies = {term: sum(index.frequency(term) for index in indexes) for term in said}
    return {term: said[term] * rarity(frequency, count) for term, frequency in frequencies.items() if frequency}
