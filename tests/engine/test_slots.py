"""Slots against a device of dictionaries: whatever a caller does, nobody's pages are written on by another."""

from collections.abc import Sequence as Values
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.pages import PagePool, PoolExhausted
from serving.engine.request import SamplingParams
from serving.engine.sequence import Sequence
from serving.engine.slots import Slots
from tests.engine.host_device import VOCABULARY, HostDevice, next_token

PAGE, CHUNK, CONTEXT, COUNT = 4, 8, 40, 3


@dataclass(frozen=True)
class Text:
    """A text that was read."""

    tokens: tuple[int, ...]
    pages: tuple[int, ...]
    first: int


class Caller:
    """Drives slots as the engine API does."""

    def __init__(self, pages: int):
        self.pool = PagePool(pages, PAGE)
        self.slots = Slots(self.pool, COUNT, chunk_size=CHUNK, max_context=CONTEXT, eos_ids=())
        self.replies: dict[int, tuple[Sequence, list[int]]] = {}
        self._device = HostDevice(PAGE)

    def read(self, tokens: Values[int], before: Text | None = None) -> Text:
        text = (before.tokens if before else ()) + tuple(tokens)
        sequence = self.slots.sequence(None, text, SamplingParams(max_tokens=1))
        self.slots.take_pages(sequence, before.pages if before else (), len(text))
        results = [self._device.run(plan) for plan in self.slots.read_text(sequence)]
        ((first,),) = (sampled.tokens for result in results for sampled in result.sampled)
        return Text(text, self.slots.keep_whole_pages(sequence), first)

    def insert(self, text: Text, slot: int, max_tokens: int) -> None:
        sequence = self.slots.sequence(None, text.tokens, SamplingParams(max_tokens=max_tokens))
        self.slots.take_pages(sequence, text.pages, sequence.limit - 1)
        sequence.tokens.append(text.first)
        sequence.slot = slot
        self.slots.held[slot] = sequence
        self.replies[slot] = sequence, [text.first]

    def step(self, decode_steps: int) -> int:
        """How many steps the device ran."""
        plans = self.slots.step(decode_steps)
        for plan in plans:
            assert len(plan.chunks) <= CHUNK // PAGE
            for item, sampled in zip(plan.sampling, self._device.run(plan).sampled, strict=True):
                self.replies[item.slot][1].extend(sampled.tokens)
        return len(plans)

    def check(self) -> None:
        """Every reply is the model's own."""
        for sequence, reply in self.replies.values():
            expected = list(sequence.request.prompt)
            while len(expected) < len(sequence.request.prompt) + len(reply):
                expected.append(next_token(expected))
            assert [*sequence.request.prompt, *reply] == expected
            assert len(expected) <= sequence.limit


tokens = st.lists(st.integers(0, VOCABULARY - 1), min_size=1, max_size=14)


@given(st.data())
def test_replies_are_the_model_s_whatever_is_shared_freed_and_dropped(data):
    caller = Caller(pages=data.draw(st.integers(12, 40)))
    texts: list[Text] = []
    for _ in range(data.draw(st.integers(1, 25))):
        available = caller.slots.available_pages
        try:
            match data.draw(st.sampled_from(["read", "continue", "insert", "step", "free", "drop"])):
                case "read":
                    texts.append(caller.read(data.draw(tokens)))
                case "continue" if texts:
                    before = data.draw(st.sampled_from(texts))
                    texts.append(caller.read(data.draw(tokens)[: CONTEXT - 1 - len(before.tokens)] or [0], before))
                case "insert" if texts and None in caller.slots.held:
                    slot = caller.slots.held.index(None)
                    caller.insert(data.draw(st.sampled_from(texts)), slot, data.draw(st.integers(1, 30)))
                case "step":
                    caller.step(data.draw(st.integers(1, 4)))
                case "free":
                    slot = data.draw(st.integers(0, COUNT - 1))
                    caller.slots.free(slot)
                    caller.replies.pop(slot, None)
                case "drop" if texts:
                    caller.slots.drop(texts.pop(data.draw(st.integers(0, len(texts) - 1))).pages)
        except PoolExhausted:
            assert caller.slots.available_pages == available
        caller.check()
    while caller.step(4):
        caller.check()
    assert all(
        len(sequence.request.prompt) + len(reply) == sequence.limit for sequence, reply in caller.replies.values()
    )
    for slot in range(COUNT):
        caller.slots.free(slot)
    for text in texts:
        caller.slots.drop(text.pages)
    assert caller.slots.available_pages == caller.pool.count


def test_more_new_slots_than_a_step_has_blocks():
    caller = Caller(pages=40)
    text = caller.read([1, 2, 3, 4, 5])
    for slot in range(COUNT):
        caller.insert(text, slot, max_tokens=9)
    assert caller.step(4) == 2  # three new ones, two blocks
    assert caller.step(4) == 1
    assert [len(reply) for _, reply in caller.replies.values()] == [6, 6, 6]
    caller.check()


def test_a_full_pool_says_what_is_needed_and_takes_nothing():
    caller = Caller(pages=5)
    text = caller.read(range(9))
    with pytest.raises(PoolExhausted, match=r"request 1 needs 6 more pages of 4 tokens, 3 of 5 are available"):
        caller.insert(text, 0, max_tokens=24)
    assert caller.slots.available_pages == 3
