"""One search, from a query's text to the passages that answer it."""

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, get_args

from retrieval.checks import check_text
from retrieval.collection import Collection
from retrieval.encoder import Encoder
from retrieval.errors import Conflict, InvalidRequest
from retrieval.filters import predicate
from retrieval.fusion import NearDuplicates
from retrieval.index.snapshot import Found
from retrieval.ranking import Mode, rank
from retrieval.rerank import Rerank
from retrieval.store import chunks
from retrieval.store.chunks import Passage
from retrieval.store.database import Database

QUERY = 16_384  # characters
TOP_K = 100
RERANKED = 32  # passages that a reranker reads, or more where more are asked for


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. `filter` is as `retrieval.filters` describes it."""

    text: str
    top_k: int = 10
    mode: Mode = "hybrid"
    filter: Any = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. The score is a cosine, a BM25, or both in one (`retrieval.rerank`); or the reranker's."""

    passage: Passage
    score: float


class Search:
    """Searches collections."""

    def __init__(
        self, database: Database, encoder: Encoder, workers: Executor, candidates: int, rerank: Rerank | None = None
    ) -> None:
        """`candidates` is how many chunks each kind of search brings; `rerank` orders the best of them anew."""
        self._database = database
        self._encoder = encoder
        self._workers = workers
        self._candidates = candidates
        self._rerank = rerank

    async def hits(self, collection: Collection, query: Query) -> list[Hit]:
        """The best passages, best first, without those that repeat others. Raises InvalidRequest, Conflict."""
        check(query)
        wanted = None if query.filter is None else predicate(query.filter)
        vector = None
        if query.mode != "bm25":
            check_encoder(collection.record.encoder, self._encoder)
            vector = await self._encoder.query_vector(query.text)
        snapshot = collection.snapshot if wanted is None else await collection.matching(wanted)
        count = max(self._candidates, query.top_k)
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._workers, rank, snapshot, query.mode, query.text, vector, count)
        return await self._passages(collection, query, found)

    async def _passages(self, collection: Collection, query: Query, found: Found) -> list[Hit]:
        """The passages of ranked chunks, as far as `top_k` asks for."""
        at_once = max(RERANKED, query.top_k) if self._rerank else 2 * query.top_k
        seen, hits = NearDuplicates(), []
        for start in range(0, len(found.ids), at_once):
            some = slice(start, start + at_once)
            async with self._database.read() as connection:
                passages = await chunks.passages(connection, collection.record, found.ids[some].tolist())
            ranked = zip(found.ids[some].tolist(), found.scores[some].tolist(), strict=True)
            # What SQL does not have any more was deleted while the search ran.
            there = [Hit(passages[chunk], score) for chunk, score in ranked if chunk in passages]
            for hit in await self._reranked(query.text, there):
                if seen.add(hit.passage.text):
                    hits.append(hit)
                if len(hits) == query.top_k:
                    return hits
        return hits

    async def _reranked(self, query: str, hits: list[Hit]) -> list[Hit]:
        if self._rerank is None or not hits:
            return hits
        scores = await self._rerank(query, [hit.passage.text for hit in hits])
        scored = [Hit(hit.passage, float(score)) for hit, score in zip(hits, scores, strict=True)]
        return sorted(scored, key=lambda hit: -hit.score)


def check(query: Query) -> None:
    """Raises InvalidRequest for what cannot be looked for."""
    if not check_text(query.text, "query", QUERY).strip():
        raise InvalidRequest("query is empty; accepted is text to look for")
    if isinstance(query.top_k, bool) or not isinstance(query.top_k, int) or not 1 <= query.top_k <= TOP_K:
        raise InvalidRequest(f"top_k is {query.top_k!r}; accepted are whole numbers from 1 to {TOP_K}")
    if query.mode not in get_args(Mode):
        raise InvalidRequest(f"mode is {query.mode!r}; accepted are {', '.join(get_args(Mode))}")


def check_encoder(wanted: str, there: Encoder) -> None:
    """Raises Conflict when a collection's vectors are of another encoder than the one that runs."""
    if wanted != there.name:
        raise Conflict(
            f"the collection was made with the encoder {wanted}, and {there.name} is running; "
            "ingest its documents into a new collection, or start the server with that encoder"
        )
