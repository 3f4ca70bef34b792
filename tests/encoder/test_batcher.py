"""Which texts share a batch: as many as fit end to end; and nobody's library comes before another's question."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.encoder.batcher import OVERHEAD, Batcher, BatchShape, batch_shapes

SHAPES = batch_shapes(max_tokens=256, batch_tokens=1024)


def shape(tokens: int, longest: int) -> BatchShape:
    return next(shape for shape in SHAPES if (shape.tokens, shape.longest) == (tokens, longest))


def test_shapes_double_and_the_first_serves_any_text():
    assert SHAPES[0] == BatchShape(tokens=256, texts=1, longest=256)
    assert sorted({s.longest for s in SHAPES}) == [16, 32, 64, 128, 256]
    tokens = {longest: [s.tokens for s in SHAPES[1:] if s.longest == longest] for longest in (16, 128)}
    assert tokens == {16: [12, 16, 32, 64, 128, 256, 512, 1024], 128: [96, 128, 256, 512, 1024]}
    assert [s.texts for s in SHAPES if s.longest == 128] == [1, 1, 3, 6, 12]
    assert len(set(SHAPES)) == len(SHAPES) == 30


@pytest.mark.parametrize(
    ("max_tokens", "batch_tokens", "longest", "tokens"),
    [(8, 32, {8}, {6, 8, 16, 32}), (16, 16, {16}, {12, 16}), (40, 8, {16, 32, 40}, {12, 16, 24, 30, 32, 40})],
)
def test_the_longest_text_has_shapes_of_its_own_however_small_a_batch_may_be(max_tokens, batch_tokens, longest, tokens):
    shapes = batch_shapes(max_tokens, batch_tokens)
    assert ({s.longest for s in shapes}, {s.tokens for s in shapes}) == (longest, tokens)


def test_shorter_texts_fill_what_the_longest_leaves():
    batcher = Batcher()
    batcher.add(1, [100, 5, 30, 120])
    batcher.add(2, [30, 24])
    first, second = batcher.next(SHAPES), batcher.next(SHAPES)
    assert (first.shape, first.members) == (shape(256, 128), ((1, 3), (1, 0), (1, 2)))  # 120 + 100 + 30; three rows
    assert (second.shape, second.members) == (shape(64, 32), ((2, 0), (2, 1), (1, 1)))  # 30 + 24 + 5
    assert batcher.next(SHAPES) is None


def test_a_batch_is_not_made_larger_than_its_texts_are_worth():
    batcher = Batcher()
    batcher.add(1, [20] * 28)  # 560 tokens: all of them would leave half of 1024 empty
    sizes = [len(batcher.next(SHAPES).members) for _ in range(2)]
    assert sizes == [24, 3] and batcher.waiting == 1  # rows for 24, then 60 of 64 tokens
    assert batcher.next(SHAPES).shape == shape(24, 32)


def test_a_question_waits_for_one_batch_of_a_library_not_for_the_library():
    batcher = Batcher()
    batcher.add(1, [250] * 50)
    assert len(batcher.next(SHAPES).members) == 4
    batcher.add(2, [10])
    batcher.add(3, [250])
    order = [batcher.next(SHAPES).members for _ in range(3)]
    assert [request for request, _ in order[0]] == [1, 1, 1, 1, 2]  # the question found room
    assert [request for request, _ in order[1]] == [3, 1, 1, 1]
    batcher.add(4, [10])
    batcher.add(5, [250] * 2)
    assert [request for request, _ in batcher.next(SHAPES).members] == [1, 1, 1, 1, 4]
    assert [request for request, _ in batcher.next(SHAPES).members] == [5, 5, 1, 1]


def test_while_programs_are_still_compiled_those_that_are_there_serve():
    batcher = Batcher()
    batcher.add(1, [10, 10])
    first = batcher.next(SHAPES[:1])
    assert (first.shape, len(first.members)) == (SHAPES[0], 1)
    assert batcher.next(SHAPES).shape == shape(12, 16)


def test_what_is_dropped_is_never_served():
    batcher = Batcher()
    batcher.add(1, [10] * 3)
    batcher.add(2, [10])
    batcher.drop(1)
    batcher.drop(7)
    assert batcher.waiting == 1
    assert batcher.next(SHAPES).members == ((2, 0),)


LENGTHS = st.lists(st.integers(1, 256), min_size=1, max_size=80)


@given(st.lists(st.tuples(LENGTHS, st.integers(0, 3)), min_size=1, max_size=8))
def test_every_text_is_served_once_in_a_shape_that_fits_it(arrivals):
    batcher = Batcher()
    lengths, served = {}, Counter()

    def serve() -> None:
        ahead = batcher.waiting
        if (batch := batcher.next(SHAPES)) is None:
            assert ahead == 0
            return
        sizes = [lengths[request][place] for request, place in batch.members]
        assert batch.shape in SHAPES
        assert sizes[0] <= batch.shape.longest < 2 * max(sizes[0], 16)
        assert max(sizes) <= batch.shape.longest
        assert len(sizes) <= batch.shape.texts
        assert sum(sizes) <= batch.shape.tokens
        # Alone, the longest text would have cost no less for each token.
        alone = min(s.tokens for s in SHAPES if s.longest == batch.shape.longest and s.tokens >= sizes[0])
        assert sum(sizes) / (batch.shape.tokens + OVERHEAD) >= sizes[0] / (alone + OVERHEAD)
        assert batcher.waiting == ahead - len(batch.members)
        served.update(batch.members)

    for request, (texts, batches) in enumerate(arrivals):
        lengths[request] = texts
        batcher.add(request, texts)
        for _ in range(batches):
            serve()
    while batcher.waiting:
        serve()
    assert served == Counter((request, place) for request, texts in lengths.items() for place in range(len(texts)))


@given(st.lists(LENGTHS, min_size=2, max_size=6))
def test_every_request_is_served_within_one_round(requests):
    batcher = Batcher()
    for request, texts in enumerate(requests):
        batcher.add(request, texts)
    seen = set()
    for _ in requests:
        if (batch := batcher.next(SHAPES)) is not None:
            seen |= {request for request, _ in batch.members}
    assert seen == set(range(len(requests)))
