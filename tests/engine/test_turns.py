"""Turns carry all that decides an engine's plans: whoever obeys the same turns makes the same ones."""

import itertools
import queue
import random
import threading
from types import SimpleNamespace

from serving.engine.engine import Engine
from serving.engine.loading import Loaded
from serving.engine.options import EngineOptions
from serving.engine.request import EngineDescription, GenerationRequest, SamplingParams
from serving.engine.scheduler import StepPlan
from serving.engine.turns import Cancel, CommandQueue, Turn
from tests.engine.host_device import VOCABULARY, HostDevice

PAGE_SIZE = 4
DESCRIPTION = EngineDescription("checksums", 64, VOCABULARY, 4, PAGE_SIZE, 20, "float32", "cpu", "f00d", ())


class HostRunner:
    """Runs plans on a device made of dictionaries, and keeps what they were."""

    programs = SimpleNamespace(warm=False, cancel=lambda: None)

    def __init__(self):
        self.plans: list[tuple] = []
        self._device = HostDevice(PAGE_SIZE)

    def dispatch(self, plan: StepPlan) -> SimpleNamespace:
        rows = [(row.sequence.request.id, row.slot, row.position, row.steps, *row.sequence.pages) for row in plan.rows]
        chunks = [(c.sequence.request.id, c.slot, c.start, c.end, c.samples, *c.sequence.pages) for c in plan.chunks]
        self.plans.append((rows, chunks))
        result = self._device.run(plan)
        return SimpleNamespace(plan=plan, read=lambda: result)


def engine_on(runner: HostRunner, clock) -> Engine:
    return Engine(Loaded(runner, DESCRIPTION, step_tokens=8), EngineOptions(max_rows=4, page_size=PAGE_SIZE), clock)


def without_timings(published: list) -> list[tuple]:
    return [(delta.id, delta.tokens, delta.finish_reason) for deltas in published for delta in deltas]


def test_a_follower_makes_the_leader_s_plans_whatever_the_clocks_say():
    """The leader's dispatches seem quick and slow by turns, requests come and go meanwhile, and pages run out."""
    random_seconds = random.Random(3)
    now = itertools.accumulate(random_seconds.choice([0.0001, 0.004, 0.02]) for _ in itertools.count())
    leader_runner, follower_runner = HostRunner(), HostRunner()
    leader = engine_on(leader_runner, lambda: next(now))
    turns: list[Turn] = []
    published, preemptions, news = [], [], threading.Semaphore(0)

    def publish(deltas, stats):
        published.append(deltas)
        preemptions.append(stats.preemptions)
        news.release()

    leader.start(publish, turns.append)
    for number in range(24):
        prompt = tuple((number // 3 + index) % VOCABULARY for index in range(5 + number % 11))
        leader.submit(GenerationRequest(f"r{number}", prompt, SamplingParams(max_tokens=30, ignore_eos=True)))
        assert news.acquire(timeout=30)
        if number % 5 == 4:
            leader.cancel(f"r{number - 1}")
    ended = 0
    while ended < 24:
        assert news.acquire(timeout=30)
        ended = sum(delta.finish_reason is not None for deltas in list(published) for delta in deltas)
    leader.stop()

    follower = engine_on(follower_runner, lambda: 0.0)
    followed, coming = [], queue.SimpleQueue()
    for turn in [*turns, None]:
        coming.put(turn)
    follower.follow(lambda deltas, stats: followed.append(deltas), coming.get)
    follower.stop()
    assert follower.failed is None
    assert follower_runner.plans == leader_runner.plans
    assert without_timings(followed) == without_timings(published)
    assert len({turn.decode_steps for turn in turns}) > 1
    assert preemptions[-1] > 0


def test_a_queue_gives_everything_at_once_and_ends_where_it_was_closed():
    commands = CommandQueue()
    assert commands.take(wait=False) == ()
    first, second = GenerationRequest("a", (1,), SamplingParams(max_tokens=1)), Cancel("a")
    commands.put(first)
    commands.put(second)
    assert commands.take(wait=True) == (first, second)
    commands.put(second)
    commands.close()
    assert commands.take(wait=False) is None
