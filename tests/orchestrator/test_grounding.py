"""What is found in time, what stands in for it, and what the reader is told."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from serving.fleet.replica import ReplicaUnavailable
from serving.orchestrator.grounding import QUERY, Context, Grounding, Shelf
from serving.retriever.request import Conflict, Hit, NotFound, Query
from serving.telemetry.grounding import GroundingMetrics
from tests.orchestrator.found import hit

ADA = hit("Ada was a countess.")
FIRST = [{"role": "user", "content": "Who was Ada?"}]
SECOND = [*FIRST, {"role": "assistant", "content": "A countess."}, {"role": "user", "content": "Where?"}]
MINE = Shelf("mine", "docs", named=True)
SERVERS = Shelf("default", "docs", named=False)


class Retriever:
    """Has a retriever replica's face; finds ADA, raises `error`, or never answers when `frozen`."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.frozen = False
        self.found: Sequence[Hit] = [ADA]
        self.searches: list[tuple[str, str, Query]] = []
        self.cancelled = 0

    async def search(self, tenant: str, collection: str, query: Query) -> Sequence[Hit]:
        self.searches.append((tenant, collection, query))
        if self.error:
            raise self.error
        if self.frozen:
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self.cancelled += 1
        return self.found


class Bench:
    def __init__(self) -> None:
        self.retriever = Retriever()
        self.registry = CollectorRegistry()
        ticks = iter(range(100))
        metrics = GroundingMetrics(self.registry, "tiny")
        self.grounding = Grounding(self.retriever, metrics, lambda: next(ticks), deadline=0.01)

    async def look_up(self, messages: list[dict], shelf: Shelf = MINE) -> Context:
        return await self.grounding.context(shelf, messages)

    def count(self, origin: str, warning: str = "") -> float:
        labels = {"model_name": "tiny", "origin": origin, "warning": warning}
        return self.registry.get_sample_value("tradewind:grounding_questions_total", labels)


async def test_the_last_question_is_looked_up_in_the_tenants_collection():
    b = Bench()
    context = await b.look_up(SECOND)
    assert b.retriever.searches == [("mine", "docs", Query("Where?", 8))]
    assert context == Context(MINE, "Where?", (ADA,), "found")
    assert b.count("found") == 1
    assert b.registry.get_sample_value("tradewind:grounding_seconds_sum", {"model_name": "tiny"}) == 1


async def test_the_end_of_a_long_question_is_looked_up():
    b = Bench()
    await b.look_up([{"role": "user", "content": "x" * 5000 + "Why?"}])
    assert b.retriever.searches[0][2].text == "x" * (QUERY - 4) + "Why?"


@pytest.mark.parametrize(
    "messages", [[{"role": "system", "content": "Be kind."}], [{"role": "user", "content": " \n"}]]
)
async def test_where_nothing_is_asked_nothing_is_looked_up(messages):
    b = Bench()
    assert await b.look_up(messages) == Context(MINE)
    assert b.retriever.searches == []


@pytest.mark.parametrize(
    ("scores", "kept"), [((0.8, 0.4, 0.39, -0.1), 2), ((0.8, 0.8, 0.8), 3), ((0.0, -1.0), 2), ((-2.0, -9.0), 2)]
)
async def test_passages_far_below_the_best_are_left_out(scores, kept):
    b = Bench()
    b.retriever.found = [replace(ADA, score=score) for score in scores]
    assert (await b.look_up(FIRST)).hits == tuple(b.retriever.found[:kept])


async def test_nothing_found_is_no_warning():
    b = Bench()
    b.retriever.found = []
    assert await b.look_up(FIRST) == Context(MINE, "Who was Ada?", (), "none", None)


@pytest.mark.parametrize("fault", ["late", "unavailable"])
async def test_without_the_retriever_the_conversations_last_passages_are_used(fault):
    b = Bench()
    await b.look_up(FIRST)
    if fault == "late":
        b.retriever.frozen = True
    else:
        b.retriever.error = ReplicaUnavailable("the retriever is restarting", 3)
    assert await b.look_up(SECOND) == Context(MINE, "Where?", (ADA,), "last_known", fault)
    assert await b.look_up(FIRST) == Context(MINE, "Who was Ada?", (ADA,), "last_known", fault)
    stranger = [{"role": "user", "content": "Who was Ida?"}]
    assert await b.look_up(stranger) == Context(MINE, "Who was Ida?", (), "none", fault)
    assert b.count("last_known", fault) == 2 and b.count("none", fault) == 1
    assert b.retriever.cancelled == (3 if fault == "late" else 0)


async def test_another_tenants_collection_of_the_same_name_is_another():
    b = Bench()
    await b.look_up(FIRST)
    b.retriever.frozen = True
    assert (await b.look_up(SECOND, Shelf("yours", "docs", named=True))).hits == ()


@pytest.mark.parametrize("error", [NotFound("there is no collection 'docs'"), Conflict("another encoder")])
async def test_a_collection_that_the_request_named_must_be_there_and_the_servers_own_need_not(error):
    b = Bench()
    b.retriever.error = error
    with pytest.raises(type(error)):
        await b.look_up(FIRST)
    assert await b.look_up(FIRST, SERVERS) == Context(SERVERS, "Who was Ada?", (), "none", "missing")
