"""The scheduler and the page pool under any order of arrivals, steps, late results, cancellations and preemptions."""

from collections import Counter, deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from serving.engine.pages import PagePool
from serving.engine.request import FinishReason, GenerationRequest, SamplingParams
from serving.engine.scheduler import Scheduler, StepPlan, StepResult
from tests.engine.host_device import VOCABULARY, HostDevice, next_token

PAGE = 4
EOS = 3


def expected_tokens(request: GenerationRequest, max_context: int) -> list[int]:
    """What a request gets when it is alone in the world."""
    context = list(request.prompt)
    limit = min(len(context) + request.sampling.max_tokens, max_context)
    stops = set(request.sampling.stop_token_ids) | (set() if request.sampling.ignore_eos else {EOS})
    while len(context) < limit:
        context.append(next_token(context))
        replied = len(context) - len(request.prompt)
        if context[-1] in stops and replied > request.sampling.min_tokens:
            break
    return context[len(request.prompt) :]


class World:
    """A scheduler, a host device and the requests between them; at most two steps are in flight, as in the engine."""

    def __init__(self, pages: int, rows: int, step_pages: int, decode_steps: int, prefix_cache: bool = True):
        self.pool = PagePool(pages, PAGE)
        self.max_context = pages * PAGE
        self.now = 0.0
        self.decode_steps = decode_steps
        self.scheduler = Scheduler(
            self.pool,
            rows=rows,
            step_tokens=step_pages * PAGE,
            max_context=self.max_context,
            eos_ids=[EOS],
            clock=lambda: self.now,
            prefix_cache=prefix_cache,
        )
        self.device = HostDevice(PAGE)
        self.in_flight: deque[tuple[StepPlan, StepResult]] = deque()
        self.requests: dict[str, GenerationRequest] = {}
        self.tokens: dict[str, list[int]] = {}
        self.prompt_logprobs: dict[str, tuple] = {}
        self.finished: dict[str, FinishReason] = {}
        self.cached: dict[str, int] = {}
        self.order: list[str] = []  # of first tokens

    def submit(self, prompt, salt="", priority=0, **sampling) -> str:
        name = f"r{len(self.requests)}"
        request = GenerationRequest(name, tuple(prompt), SamplingParams(**sampling), salt, priority)
        self.requests[name] = request
        self.tokens[name] = []
        refused = self.scheduler.submit(request)
        if refused:
            self.finished[name] = refused.finish_reason
        return name

    def cancel(self, name: str) -> None:
        delta = self.scheduler.cancel(name)
        if delta:
            self.finished[name] = delta.finish_reason

    def dispatch(self) -> bool:
        self.now += 1
        plan = self.scheduler.schedule(self.decode_steps)
        if plan is not None:
            self.in_flight.append((plan, self.device.run(plan)))
        return plan is not None

    def read(self) -> None:
        plan, result = self.in_flight.popleft()
        for delta in self.scheduler.commit(plan, result):
            assert delta.id not in self.finished, "a finished request got more tokens"
            if delta.tokens and not self.tokens[delta.id]:
                self.order.append(delta.id)
                self.prompt_logprobs[delta.id] = delta.prompt_logprobs
                self.cached[delta.id] = delta.cached_tokens
            self.tokens[delta.id] += delta.tokens
            if delta.finish_reason:
                self.finished[delta.id] = delta.finish_reason
                assert delta.timings.arrived <= delta.timings.scheduled <= delta.timings.first_token

    def turn(self) -> None:
        """One turn of the engine's loop."""
        dispatched = self.dispatch()
        if self.in_flight and (not dispatched or len(self.in_flight) > 1):
            self.read()

    def run(self, turns: int = 10_000) -> None:
        """Turns until all is done; a request that starves keeps this from ending."""
        for _ in range(turns):
            if not self.in_flight and not self.scheduler.running and not self.scheduler.waiting:
                return
            self.turn()
        raise AssertionError(f"not done after {turns} turns: {set(self.requests) - set(self.finished)}")

    def check_pages(self) -> None:
        """No page is leaked, held twice by mistake or shared between tenants."""
        running = self.scheduler._running
        holders = Counter(page for sequence in running for page in sequence.pages)
        records = self.pool._pages
        assert {page: record.holders for page, record in enumerate(records) if record.holders} == holders
        free, idle = set(self.pool._free), set(self.pool._idle)
        assert len(self.pool._free) == len(free)
        assert not free & idle and not (free | idle) & set(holders)
        assert len(free) + len(idle) + len(holders) == self.pool.count
        for page in holders:
            tenants = {sequence.request.salt for sequence in running if page in sequence.pages}
            assert len(tenants) == 1
        for salt, pages in self.pool._idle_of.items():
            assert pages and all(records[page].salt == salt for page in pages)
        assert sum(map(len, self.pool._idle_of.values())) == len(idle)
        for digest, page in self.pool._by_digest.items():
            assert records[page].digest == digest and (page in idle or page in holders)
        slots = [sequence.slot for sequence in running]
        assert len(set(slots)) == len(slots) and not set(slots) & set(self.scheduler._free_slots)

    def check_results(self) -> None:
        """Everything that ended by itself got exactly what it gets alone."""
        for name, reason in self.finished.items():
            request = self.requests[name]
            expected = expected_tokens(request, self.max_context)
            if reason in (FinishReason.STOP, FinishReason.LENGTH):
                assert self.tokens[name] == expected
            else:
                assert self.tokens[name] == expected[: len(self.tokens[name])]
            wanted = request.sampling.prompt_logprobs
            if wanted is not None and self.tokens[name]:
                got = self.prompt_logprobs[name]
                assert got[0] is None and [entry.token for entry in got[1:]] == list(request.prompt[1:])
                assert [-entry.logprob for entry in got[1:]] == [
                    next_token(request.prompt[:end]) for end in range(1, len(request.prompt))
                ]


class SchedulerMachine(RuleBasedStateMachine):
    """Hypothesis drives a World through whatever it can think of."""

    names = Bundle("names")

    @initialize(
        pages=st.integers(2, 24), rows=st.integers(1, 6), step_pages=st.integers(1, 5), decode_steps=st.integers(1, 5)
    )
    def begin(self, pages, rows, step_pages, decode_steps):
        self.world = World(pages, rows, step_pages, decode_steps)

    @rule(
        target=names,
        stem=st.integers(0, 2),
        length=st.integers(0, 40),
        tail=st.lists(st.integers(0, VOCABULARY - 1), max_size=5),
        salt=st.sampled_from(["", "a", "b"]),
        priority=st.integers(0, 1),
        max_tokens=st.integers(1, 30),
        min_tokens=st.integers(0, 4),
        stops=st.lists(st.integers(0, VOCABULARY - 1), max_size=1),
        ignore_eos=st.booleans(),
        prompt_logprobs=st.sampled_from([None, None, None, 1]),
    )
    def submit(self, stem, length, tail, salt, priority, stops, **sampling):
        prompt = [(stem + index) % VOCABULARY for index in range(length)] + tail
        return self.world.submit(prompt, salt, priority, stop_token_ids=tuple(stops), **sampling)

    @rule(name=names)
    def next_turn_of_a_chat(self, name):
        """The conversation so far and a little more: what the prefix cache is for."""
        request = self.world.requests[name]
        prompt = [*request.prompt, *self.world.tokens[name], 1, 2]
        self.world.submit(prompt, request.salt, max_tokens=6)

    @rule(name=consumes(names))
    def cancel(self, name):
        held = self.world.pool.held
        self.world.cancel(name)
        assert self.world.pool.held <= held

    @rule()
    def dispatch(self):
        if len(self.world.in_flight) < 2:
            self.world.dispatch()

    @rule()
    def read(self):
        if self.world.in_flight:
            self.world.read()

    @rule(turns=st.integers(1, 8))
    def turn(self, turns):
        for _ in range(turns):
            self.world.turn()

    @invariant()
    def pages_are_accounted_for(self):
        if hasattr(self, "world"):
            self.world.check_pages()

    def teardown(self):
        if not hasattr(self, "world"):
            return
        self.world.run()
        assert set(self.world.finished) == set(self.world.requests)
        self.world.check_pages()
        assert self.world.pool.held == 0
        self.world.check_results()


SchedulerMachine.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestSchedulerMachine = SchedulerMachine.TestCase


def test_decodes_go_on_while_a_long_prompt_is_computed():
    world = World(pages=64, rows=4, step_pages=2, decode_steps=1)
    talking = world.submit([1, 2, 5], max_tokens=100, ignore_eos=True)
    world.turn(), world.turn()
    long = world.submit(range(40), max_tokens=1, ignore_eos=True)
    before = len(world.tokens[talking])
    turns = 0
    while long not in world.finished:
        world.turn()
        turns += 1
    assert turns >= 40 // (2 * PAGE)
    assert len(world.tokens[talking]) - before >= turns - 1  # a token in every turn but the first, which fills the pipe


def test_a_step_holds_no_more_prompt_tokens_than_its_budget():
    world = World(pages=64, rows=4, step_pages=3, decode_steps=1)
    for _ in range(4):
        world.submit(range(10), max_tokens=1)
    plan = world.scheduler.schedule()
    assert [(chunk.start, chunk.end) for chunk in plan.chunks] == [(0, 10)]  # ten tokens take three pages
    world.scheduler.cancel("r1")


def test_equal_prompts_that_arrive_together_are_computed_once():
    world = World(pages=64, rows=4, step_pages=20, decode_steps=1)
    for _ in range(3):
        world.submit([*range(10), 1], max_tokens=2, ignore_eos=True)
    plan = world.scheduler.schedule()
    assert [(chunk.start, chunk.end) for chunk in plan.chunks] == [(0, 11), (8, 11), (8, 11)]
    first, second, third = (chunk.sequence for chunk in plan.chunks)
    assert first.pages[:2] == second.pages[:2] == third.pages[:2]
    assert len({first.pages[2], second.pages[2], third.pages[2]}) == 3


def test_the_next_turn_of_a_chat_finds_prompt_and_reply():
    world = World(pages=64, rows=4, step_pages=20, decode_steps=3)
    name = world.submit(range(8), max_tokens=9, ignore_eos=True)
    world.run()
    follow = world.submit([*range(8), *world.tokens[name], 1], max_tokens=1)
    world.run()
    # 8 + 9 tokens; the last one drawn never became an input, so pages up to token 16 are known.
    assert world.cached == {name: 0, follow: 16}


def test_tenants_do_not_find_each_other_s_pages():
    world = World(pages=64, rows=4, step_pages=20, decode_steps=1)
    world.submit(range(10), salt="a", max_tokens=1)
    world.run()
    other = world.submit(range(10), salt="b", max_tokens=1)
    same = world.submit(range(10), salt="a", max_tokens=1)
    world.run()
    assert (world.cached[other], world.cached[same]) == (0, 8)


def test_priority_goes_first_and_equal_ones_as_they_came():
    world = World(pages=64, rows=1, step_pages=4, decode_steps=1)
    for priority in (1, 1, 0, 2):
        world.submit([1, 2, 5], priority=priority, max_tokens=1)
    world.run()
    assert world.order == ["r2", "r0", "r1", "r3"]


def test_the_youngest_is_preempted_and_resumes_exactly():
    world = World(pages=8, rows=4, step_pages=8, decode_steps=1)
    names = [world.submit([index, 1, 2], max_tokens=20, ignore_eos=True) for index in range(3)]
    world.run()
    assert world.scheduler.counters.preemptions > 0
    assert world.order == names
    world.check_results()
    assert all(len(world.tokens[name]) == 20 for name in names)


def test_several_steps_a_dispatch_only_while_nobody_waits():
    world = World(pages=64, rows=1, step_pages=8, decode_steps=4)
    world.submit([1, 2], max_tokens=50, ignore_eos=True)
    world.turn()
    assert world.scheduler.schedule(4).steps == 4
    world.submit([1, 2], max_tokens=1)
    assert world.scheduler.schedule(4).steps == 1


@pytest.mark.parametrize(
    ("prompt", "sampling", "said"),
    [
        ([], {"max_tokens": 1}, "no token"),
        ([1], {"max_tokens": 0}, "max_tokens is 0"),
        (range(32), {"max_tokens": 1}, "32 tokens; with the reply, at most 32"),
        ([1], {"max_tokens": 1, "min_tokens": 1, "stop_token_ids": tuple(range(20))}, "16 stop tokens; there are 20"),
    ],
)
def test_what_can_never_be_served_is_refused_with_the_numbers(prompt, sampling, said):
    world = World(pages=8, rows=1, step_pages=8, decode_steps=1)
    delta = world.scheduler.submit(GenerationRequest("x", tuple(prompt), SamplingParams(**sampling)))
    assert delta.finish_reason is FinishReason.ERROR and said in delta.error


def test_an_id_in_use_is_refused():
    world = World(pages=8, rows=1, step_pages=8, decode_steps=1)
    world.submit([1], max_tokens=1)
    delta = world.scheduler.submit(world.requests["r0"])
    assert "in use" in delta.error


def test_a_reply_ends_where_the_context_does():
    world = World(pages=2, rows=1, step_pages=2, decode_steps=3)
    name = world.submit([1, 2], max_tokens=100, ignore_eos=True)
    world.run()
    assert world.finished[name] is FinishReason.LENGTH
    assert len(world.tokens[name]) == 2 * PAGE - 2
