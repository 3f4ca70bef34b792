"""What documents say to a question: passages found in time, or those that the conversation had before."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serving.fleet.replica import ReplicaUnavailable
from serving.fleet.retriever_replica import RetrieverReplica
from serving.orchestrator.conversation import Conversation, Message
from serving.orchestrator.last_known import LastKnown
from serving.retriever.request import Conflict, Hit, NotFound, Query
from serving.telemetry.grounding import GroundingMetrics

PASSAGES = 8  # that are asked for
RELEVANT = 0.5  # of the best passage's score; what has less distracts more than it helps
QUERY = 2000  # characters at the end of a question; more than an encoder reads
CONVERSATIONS = 1024  # questions whose passages are kept

Origin = Literal["found", "last_known", "none"]
Warned = Literal["late", "unavailable", "missing", "no_room"]


@dataclass(frozen=True, slots=True)
class Shelf:
    """The collection that a request looks things up in. `named` is whether the request itself said so."""

    tenant: str
    collection: str
    named: bool


@dataclass(frozen=True, slots=True)
class Context:
    """What there is for a question: passages, best first, where they are from, and what the reader must be told.

    The warnings: the retriever was `late` or `unavailable`; the server's own collection is `missing`, or of another
    encoder; the passages had `no_room` beside the conversation.
    """

    shelf: Shelf
    question: str = ""
    hits: tuple[Hit, ...] = ()
    origin: Origin = "none"
    warning: Warned | None = None


class Grounding:
    """Finds passages for conversations, within `deadline` seconds; measures that by `stopwatch`, in seconds."""

    def __init__(
        self,
        retriever: RetrieverReplica,
        metrics: GroundingMetrics,
        stopwatch: Callable[[], float],
        *,
        deadline: float,
    ) -> None:
        self._retriever = retriever
        self._metrics = metrics
        self._now = stopwatch
        self._deadline = deadline
        self._last_known = LastKnown(CONVERSATIONS)

    async def context(self, shelf: Shelf, messages: Sequence[Message]) -> Context:
        """What the shelf has for the last question; where it cannot say so in time, what the conversation had before.

        Raises NotFound and Conflict where the request named its collection.
        """
        conversation = Conversation.of(messages)
        if conversation is None or not conversation.question["content"].strip():
            return Context(shelf)
        began = self._now()
        context = await self._context(Context(shelf, conversation.question["content"]), conversation)
        self._metrics.looked_up(context.origin, context.warning, self._now() - began)
        return context

    async def _context(self, nothing: Context, conversation: Conversation) -> Context:
        shelf = nothing.shelf
        scope = shelf.tenant, shelf.collection
        try:
            async with asyncio.timeout(self._deadline):
                found = relevant(await self._retriever.search(*scope, Query(nothing.question[-QUERY:], PASSAGES)))
        except TimeoutError:
            warning: Warned = "late"
        except ReplicaUnavailable:
            warning = "unavailable"
        except (NotFound, Conflict):
            if shelf.named:
                raise
            return replace(nothing, warning="missing")
        else:
            self._last_known.put(scope, conversation, found)
            return replace(nothing, hits=found, origin="found" if found else "none")
        known = self._last_known.get(scope, conversation)
        return replace(nothing, hits=known, origin="last_known" if known else "none", warning=warning)


def relevant(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Those of ranked passages whose scores are not far below the best one's; all where that is not above 0."""
    best = hits[0].score if hits else 0.0
    return tuple(hit for hit in hits if best <= 0 or hit.score >= RELEVANT * best)
