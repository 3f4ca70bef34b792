"""Who gets computed next: a deterministic state machine over sequences and pages. Pure host code, no JAX.

    plan = scheduler.schedule(decode_steps)  # rows that decode, then prompt chunks in what is left of the step's budget
    ... the plan is dispatched, and the next one may be scheduled before its result is read ...
    deltas = scheduler.commit(plan, sampled)

A plan counts as done the moment it is made: the device runs steps in order, so whatever a later plan relies on (keys
and values, pages that changed hands) is there by the time that it runs. Only token values arrive late, with `commit`.
"""

from bisect import insort
from collections.abc import Callable
from collections.abc import Sequence as Values
from dataclasses import dataclass

from serving.engine.pages import PagePool, root_digest
from serving.engine.request import MAX_HELD_STOPS, Delta, FinishReason, GenerationRequest, Timings, TokenLogprobs
from serving.engine.sequence import Sequence


@dataclass(frozen=True, slots=True)
class DecodeRow:
    """`steps` further tokens for a sequence whose newest token, at `position`, waits on the device."""

    sequence: Sequence
    slot: int
    position: int
    steps: int


@dataclass(frozen=True, slots=True)
class PrefillChunk:
    """Tokens [start, end) of a sequence, known to the host. `start` is the first token of a page.

    The last chunk of a prompt samples the token that follows it.
    """

    sequence: Sequence
    slot: int
    start: int
    end: int
    samples: bool


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One device step. Every sequence of `admitted` starts to run (or to run again) with it."""

    rows: tuple[DecodeRow, ...]
    chunks: tuple[PrefillChunk, ...]
    admitted: tuple[Sequence, ...]

    @property
    def steps(self) -> int:
        """Decode steps that the dispatch runs."""
        return max((row.steps for row in self.rows), default=1)

    @property
    def sampling(self) -> tuple[DecodeRow | PrefillChunk, ...]:
        """The rows and chunks that sample, in the order of their results."""
        return self.rows + tuple(chunk for chunk in self.chunks if chunk.samples)


@dataclass(frozen=True, slots=True)
class Sampled:
    """What one row or chunk of a plan sampled: its tokens in order, with their logprobs when asked for."""

    tokens: Values[int]
    logprobs: Values[TokenLogprobs] = ()


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step produced: one `Sampled` for each item of `plan.sampling`, one tuple for each of `plan.chunks`.

    `prompt_logprobs` holds, for a chunk of a request that wants them, those of the tokens at start+1 .. end; of the
    last chunk the token at `end` is the sampled one and left out. Else it is empty.
    """

    sampled: Values[Sampled]
    prompt_logprobs: Values[Values[TokenLogprobs]]


@dataclass(slots=True)
class SchedulerCounters:
    """Counted since the engine started; prefix counts are in tokens."""

    prefix_queries: int = 0
    prefix_hits: int = 0
    preemptions: int = 0


class Scheduler:
    """Continuous batching with chunked prefill, prefix reuse and preemption by recomputing.

    Args:
        pool: the pages; only the scheduler touches it.
        rows: sequences that may run at once.
        step_tokens: prompt tokens in one step, a multiple of the page size.
        max_context: tokens that a sequence may grow to; at most what the pool holds.
        eos_ids: the model's end-of-sequence tokens.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        pool: PagePool,
        *,
        rows: int,
        step_tokens: int,
        max_context: int,
        eos_ids: Values[int],
        clock: Callable[[], float],
        prefix_cache: bool = True,
    ):
        if step_tokens % pool.page_size:
            raise ValueError(f"step_tokens ({step_tokens}) is not a multiple of the page size ({pool.page_size})")
        if max_context > pool.count * pool.page_size:
            raise ValueError(f"max_context ({max_context}) is more than {pool.count} pages of {pool.page_size} hold")
        self.counters = SchedulerCounters()
        self._pool = pool
        self._step_tokens = step_tokens
        self._max_context = max_context
        self._eos_ids = frozenset(eos_ids)
        self._clock = clock
        self._prefix_cache = prefix_cache
        self._arrivals = 0
        self._by_id: dict[str, Sequence] = {}
        self._waiting: list[Sequence] = []  # by rank
        self._running: list[Sequence] = []  # by rank
        self._free_slots = list(range(rows - 1, -1, -1))

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def running(self) -> int:
        return len(self._running)

    def submit(self, request: GenerationRequest) -> Delta | None:
        """Queues a request. Returns an error delta instead when it can never be served."""
        sampling = request.sampling
        stop_ids = frozenset(sampling.stop_token_ids) | (frozenset() if sampling.ignore_eos else self._eos_ids)
        problem = self._refusal(request, stop_ids)
        if problem:
            return Delta(request.id, finish_reason=FinishReason.ERROR, error=problem)
        sequence = Sequence(
            request=request,
            order=self._arrivals,
            arrived=self._clock(),
            limit=min(len(request.prompt) + sampling.max_tokens, self._max_context),
            stop_ids=stop_ids,
        )
        self._arrivals += 1
        self._by_id[request.id] = sequence
        insort(self._waiting, sequence, key=_rank)
        return None

    def cancel(self, request_id: str) -> Delta | None:
        """Ends a request at once and gives its pages back. Does nothing for one that ended already."""
        sequence = self._by_id.get(request_id)
        return self._finish(sequence, FinishReason.CANCELLED) if sequence else None

    def schedule(self, decode_steps: int = 1) -> StepPlan | None:
        """Plans the next step; None when nothing can be computed before a result is read or a request arrives.

        While nobody waits or prefills, and pages suffice, a dispatch runs `decode_steps` decode steps, else one.
        """
        rows = self._plan_rows(decode_steps)
        budget = self._step_tokens
        chunks: list[PrefillChunk] = []
        for sequence in self._running:
            if not sequence.decoding and budget:
                chunks.append(self._plan_chunk(sequence, budget))
                budget -= self._rounded(chunks[-1])
        admitted: list[Sequence] = []
        while budget and (sequence := self._admit()):
            admitted.append(sequence)
            chunks.append(self._plan_chunk(sequence, budget))
            budget -= self._rounded(chunks[-1])
        if not rows and not chunks:
            return None
        return StepPlan(tuple(rows), tuple(chunks), tuple(admitted))

    def commit(self, plan: StepPlan, result: StepResult) -> list[Delta]:
        """Takes in what a plan produced; results of sequences that ended are dropped."""
        for chunk, logprobs in zip(plan.chunks, result.prompt_logprobs, strict=True):
            collected = chunk.sequence.prompt_logprobs
            # Chunks computed again after a preemption bring what is there already: each value is wanted once.
            if collected is not None and chunk.start < len(collected):
                collected.extend(logprobs[len(collected) - chunk.start - 1 :])
        deltas = []
        for item, sampled in zip(plan.sampling, result.sampled, strict=True):
            if not item.sequence.finished:
                deltas.append(self._extend(item.sequence, sampled))
        return deltas

    def _refusal(self, request: GenerationRequest, stop_ids: frozenset[int]) -> str:
        """Why a request can never be served, or nothing."""
        if request.id in self._by_id:
            return f"request id {request.id!r} is in use"
        if not request.prompt:
            return "the prompt holds no token; at least one is needed"
        if request.sampling.max_tokens < 1:
            return f"max_tokens is {request.sampling.max_tokens}; at least 1 is needed"
        if request.sampling.min_tokens and len(stop_ids) > MAX_HELD_STOPS:
            return f"min_tokens can hold back {MAX_HELD_STOPS} stop tokens; there are {len(stop_ids)}"
        if len(request.prompt) >= self._max_context:
            return f"the prompt has {len(request.prompt)} tokens; with the reply, at most {self._max_context} fit"
        return ""

    def _plan_rows(self, decode_steps: int) -> list[DecodeRow]:
        """One row for every sequence that decodes, in rank order; preempts from the other end when pages run out."""
        steps = self._affordable_steps(decode_steps)
        rows: list[DecodeRow] = []
        for sequence in list(self._running):
            if sequence.slot is None or not sequence.decoding or sequence.length >= sequence.limit:
                continue  # preempted a moment ago, still prefilling, or only waiting to be read
            count = min(steps, sequence.limit - sequence.length)
            if not self._grow(sequence, sequence.length + count - 1):
                continue
            rows.append(DecodeRow(sequence, sequence.slot, sequence.length - 1, count))
            sequence.pending += count
            sequence.computed += count
        return rows

    def _affordable_steps(self, wanted: int) -> int:
        """The steps that are wanted when nobody waits or prefills and the pool has the pages for them; else one."""
        if self._waiting or any(not sequence.decoding for sequence in self._running):
            return 1
        needed = sum(
            self._pool.pages_for(min(sequence.length + wanted - 1, sequence.limit)) - len(sequence.pages)
            for sequence in self._running
        )
        return wanted if needed <= self._pool.available else 1

    def _grow(self, sequence: Sequence, tokens: int) -> bool:
        """Gives a sequence the pages to hold so many tokens, preempting the last in rank; False when that is itself."""
        needed = self._pool.pages_for(tokens) - len(sequence.pages)
        while needed > self._pool.available:
            victim = self._running[-1]
            self._preempt(victim)
            if victim is sequence:
                return False
        if needed > 0:
            sequence.pages += self._pool.allocate(needed, sequence.request.salt)
        return True

    def _preempt(self, sequence: Sequence) -> None:
        """Takes pages and slot away; the sequence waits and will be recomputed, largely from pages still findable."""
        self.counters.preemptions += 1
        self._leave(sequence)
        insort(self._waiting, sequence, key=_rank)

    def _leave(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        self._pool.release(sequence.pages)
        self._free_slots.append(sequence.slot)
        sequence.pages, sequence.slot, sequence.decoding = [], None, False
        sequence.computed = sequence.published = 0

    def _admit(self) -> Sequence | None:
        """Lets the first waiting sequence run when a slot is free and the pages for all it has to compute are there."""
        if not self._waiting or not self._free_slots:
            return None
        sequence = self._waiting[0]
        if sequence.pending:
            return None  # preempted, and tokens that it sampled have not been read
        tokens, salt = sequence.tokens, sequence.request.salt
        found: list[int] = []
        # The last token is computed in any case, for its logits; prompt logprobs need every position's.
        if self._prefix_cache and sequence.prompt_logprobs is None:
            found = self._pool.find(salt, tokens, (len(tokens) - 1) // self._pool.page_size)
        self._pool.hold(found)
        needed = self._pool.pages_for(len(tokens)) - len(found)
        # A page of growth for each of those who run, lest the newcomer be preempted at once.
        if needed + len(self._running) > self._pool.available and not (
            not self._running and needed <= self._pool.available
        ):
            self._pool.release(found)
            return None
        del self._waiting[0]
        sequence.pages = found + self._pool.allocate(needed, salt)
        sequence.slot = self._free_slots.pop()
        sequence.published = len(found)
        sequence.computed = len(found) * self._pool.page_size
        sequence.parent = self._pool.digest(found[-1]) if found else root_digest(salt)
        self.counters.prefix_queries += len(tokens)
        self.counters.prefix_hits += sequence.computed
        if sequence.scheduled is None:
            sequence.scheduled = self._clock()
            sequence.cached_tokens = sequence.computed
        insort(self._running, sequence, key=_rank)
        return sequence

    def _plan_chunk(self, sequence: Sequence, budget: int) -> PrefillChunk:
        """The next tokens of a prompt that fit the budget."""
        start = sequence.computed
        end = min(len(sequence.tokens), start + budget)
        samples = end == len(sequence.tokens)
        sequence.computed = end
        if samples:
            sequence.decoding = True
            sequence.pending = 1
        self._publish(sequence)
        return PrefillChunk(sequence, sequence.slot, start, end, samples)

    def _rounded(self, chunk: PrefillChunk) -> int:
        """The budget that a chunk takes: whole pages."""
        return self._pool.pages_for(chunk.end - chunk.start) * self._pool.page_size

    def _publish(self, sequence: Sequence) -> None:
        """Makes a sequence's full pages findable, as far as their tokens are known and their steps dispatched."""
        if not self._prefix_cache:
            return
        size = self._pool.page_size
        while (end := (sequence.published + 1) * size) <= min(sequence.computed, len(sequence.tokens)):
            page = sequence.pages[sequence.published]
            content = sequence.tokens[end - size : end]
            sequence.parent = self._pool.publish(page, sequence.request.salt, sequence.parent, content)
            sequence.published += 1

    def _extend(self, sequence: Sequence, sampled: Sampled) -> Delta:
        """Appends sampled tokens to a sequence up to its end, if that is among them."""
        sequence.pending -= len(sampled.tokens)
        before = len(sequence.tokens)
        reason, stop_token = None, None
        minimum = sequence.prompt_length + sequence.request.sampling.min_tokens
        for token in sampled.tokens:
            sequence.tokens.append(token)
            if token in sequence.stop_ids and len(sequence.tokens) > minimum:
                reason, stop_token = FinishReason.STOP, token
                break
            if len(sequence.tokens) >= sequence.limit:
                reason = FinishReason.LENGTH
                break
        added = len(sequence.tokens) - before
        first = sequence.first_token is None
        if first:
            sequence.first_token = self._clock()
        prompt_logprobs = tuple(sequence.prompt_logprobs or ()) if first else ()
        if first:
            sequence.prompt_logprobs = None
        if reason is None and sequence.slot is not None:
            self._publish(sequence)
        return self._delta(
            sequence,
            reason,
            tokens=tuple(sequence.tokens[before:]),
            logprobs=tuple(sampled.logprobs[:added]),
            prompt_logprobs=prompt_logprobs,
            cached_tokens=sequence.cached_tokens if first else 0,
            stop_token=stop_token,
        )

    def _delta(self, sequence: Sequence, reason: FinishReason | None, **added) -> Delta:
        """The news of a sequence; ends it when there is a reason."""
        if reason is None:
            return Delta(sequence.request.id, **added)
        ended = self._finish(sequence, reason)
        return Delta(sequence.request.id, finish_reason=reason, timings=ended.timings, **added)

    def _finish(self, sequence: Sequence, reason: FinishReason) -> Delta:
        """Removes a sequence from everywhere, publishing the pages of its reply for the conversation's next turn."""
        if sequence.slot is not None:
            self._publish(sequence)
            self._leave(sequence)
        else:
            self._waiting.remove(sequence)
        sequence.finished = True
        del self._by_id[sequence.request.id]
        now = self._clock()
        scheduled = sequence.scheduled if sequence.scheduled is not None else now
        first_token = sequence.first_token if sequence.first_token is not None else now
        timings = Timings(sequence.arrived, scheduled, first_token, now)
        return Delta(sequence.request.id, finish_reason=reason, timings=timings)


def _rank(sequence: Sequence) -> tuple[int, int]:
    return sequence.rank
