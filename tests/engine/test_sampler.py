"""The sampler against plain numpy, and the independence of its draws from whatever else is in the batch."""

import jax
import numpy as np
import pytest

from serving.engine.sampler import MASKED, PROMPT_SEEN, SHORTLIST, SamplingRows, _cut, _search, draw, open_uniform

VOCABULARY = 200
RNG = np.random.default_rng(7)
DRAW = jax.jit(draw)


def sampling_rows(count: int, **values) -> SamplingRows:
    """Neutral parameters, with one value or one a row of those that are named."""
    neutral = {
        "temperature": np.float32(0),
        "top_k": np.int32(0),
        "top_p": np.float32(1),
        "min_p": np.float32(0),
        "repetition_penalty": np.float32(1),
        "presence_penalty": np.float32(0),
        "frequency_penalty": np.float32(0),
        "uses_counts": np.bool_(False),
        "uses_bias": np.bool_(False),
        "stop_from": np.int32(0),
        "wants_logprobs": np.bool_(False),
    }
    columns = {
        name: np.broadcast_to(np.asarray(values.get(name, default), default.dtype), (count,))
        for name, default in neutral.items()
    }
    seed = np.asarray(values.get("seed", np.zeros((count, 2))), np.uint32)
    stop_ids = np.asarray(values.get("stop_ids", np.full((count, 2), VOCABULARY)), np.int32)
    return SamplingRows(**columns, seed=seed, stop_ids=stop_ids)


def run(logits, rows: SamplingRows, positions=None, counts=None, bias=None):
    count = len(logits)
    positions = np.zeros(count, np.int32) if positions is None else np.asarray(positions, np.int32)
    counts = np.zeros((count, VOCABULARY), np.int32) if counts is None else counts
    bias = np.zeros((count, VOCABULARY), np.float32) if bias is None else bias
    return DRAW(np.asarray(logits, np.float32), positions, rows, np.arange(count, dtype=np.int32), counts, bias)


def softmax(x: np.ndarray) -> np.ndarray:
    weights = np.exp(x - x.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def kept_by_reference(scaled: np.ndarray, top_k: int, top_p: float, min_p: float) -> np.ndarray:
    """Which tokens stay, by sorting."""
    probabilities = softmax(scaled.astype(np.float64))
    keep = probabilities >= min_p * probabilities.max()
    order = np.argsort(-scaled, kind="stable")
    if top_k:
        keep[order[top_k:]] = False
    probabilities = np.where(keep, probabilities, 0)
    probabilities /= probabilities.sum()
    before = np.cumsum(probabilities[order]) - probabilities[order]
    if top_p < 1:
        keep[order[before >= top_p]] = False
    return keep


@pytest.mark.parametrize("vocabulary", [200, 3 * SHORTLIST], ids=["within the shortlist", "beyond it"])
@pytest.mark.parametrize("top_k", [0, 1, 7, SHORTLIST + 1, 10_000])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.3, 1e-6])
@pytest.mark.parametrize("min_p", [0.0, 0.05])
def test_cuts_keep_what_sorting_keeps(vocabulary, top_k, top_p, min_p):
    scaled = RNG.normal(size=(5, vocabulary)).astype(np.float32) * np.float32([[0.1], [1], [3], [10], [30]])
    kept = np.asarray(_cut(scaled, sampling_rows(5, top_k=top_k, top_p=top_p, min_p=min_p))) > MASKED
    expected = [kept_by_reference(row, top_k, top_p, min_p) for row in scaled]
    np.testing.assert_array_equal(kept, expected)


def test_the_shortlist_and_the_whole_search_agree():
    scaled = RNG.normal(size=(4, 4 * SHORTLIST)).astype(np.float32) * 4
    for top_k, top_p in ((20, 0.9), (SHORTLIST, 0.5), (0, 0.6)):
        k = np.full((4, 1), top_k or scaled.shape[1])
        best = scaled.max(axis=1, keepdims=True)
        found = _cut(scaled, sampling_rows(4, top_k=top_k, top_p=top_p))
        np.testing.assert_array_equal(found, _search(scaled, best, k, np.full((4, 1), top_p, np.float32)))


def test_a_row_s_cut_does_not_hang_on_its_company():
    """A flat row is searched whole; where rounding parts search and shortlist, its neighbours must not move."""
    peaked = RNG.normal(size=(64, 4 * SHORTLIST)).astype(np.float32) * 4
    flat = np.zeros((1, 4 * SHORTLIST), np.float32)
    alone = _cut(peaked, sampling_rows(64, top_p=0.9))
    beside = _cut(np.concatenate([peaked, flat]), sampling_rows(65, top_p=0.9))
    np.testing.assert_array_equal(alone, beside[:64])


def test_draws_follow_the_distribution():
    count = 20_000
    row = RNG.normal(size=VOCABULARY).astype(np.float32) * 2
    seeds = np.stack([np.zeros(count), np.arange(count)], axis=1)
    rows = sampling_rows(count, temperature=0.8, top_k=10, seed=seeds)
    # One small table: without penalties or bias no slot is read.
    tokens = DRAW(
        np.broadcast_to(row, (count, VOCABULARY)),
        np.zeros(count, np.int32),
        rows,
        np.zeros(count, np.int32),
        np.zeros((1, VOCABULARY), np.int32),
        np.zeros((1, VOCABULARY), np.float32),
    ).tokens
    expected = softmax(np.where(kept_by_reference(row / 0.8, 10, 1.0, 0.0), row / 0.8, -np.inf))
    drawn = np.bincount(np.asarray(tokens), minlength=VOCABULARY) / count
    np.testing.assert_allclose(drawn, expected, atol=4 * np.sqrt(0.25 / count))


def test_noise_is_finite_whatever_the_bits():
    """Infinite noise would draw masked tokens."""
    uniform = np.asarray(open_uniform(np.array([0, 511, 2**31, 2**32 - 512, 2**32 - 1], np.uint32)))
    assert 0 < uniform.min() < uniform.max() < 1
    assert np.isfinite(-np.log(-np.log(uniform))).all()


def test_a_row_draws_the_same_in_any_company():
    logits = RNG.normal(size=(4, VOCABULARY))
    seeds = np.array([[1, 2], [3, 4], [5, 6], [1, 2]])
    rows = sampling_rows(4, temperature=[1, 0, 0.7, 1], top_p=[1, 1, 0.9, 0.5], seed=seeds)
    together = np.asarray(run(logits, rows, positions=[3, 4, 5, 6]).tokens)
    for index in range(4):
        row = jax.tree.map(lambda column, index=index: column[index : index + 1], rows)
        alone = run(logits[index : index + 1], row, positions=[3 + index])
        assert together[index] == alone.tokens[0]


def test_seed_and_position_both_matter():
    logits = np.zeros((3, VOCABULARY))
    seeds = np.array([[0, 1], [0, 2], [0, 1]])
    tokens = np.asarray(run(logits, sampling_rows(3, temperature=1, seed=seeds), positions=[5, 5, 6]).tokens)
    assert len(set(tokens.tolist())) == 3


def test_penalties():
    logits = RNG.normal(size=(3, VOCABULARY)).astype(np.float32)
    counts = np.zeros((3, VOCABULARY), np.int32)
    counts[:, 10] = PROMPT_SEEN  # in the prompt alone
    counts[:, 20] = 3  # in the reply alone
    counts[:, 30] = PROMPT_SEEN + 2  # in both
    logits[:, [10, 20, 30]] = [[9, 8, 7]]
    logits[:, 40] = 6.5
    repetition = run(logits, sampling_rows(3, uses_counts=True, repetition_penalty=1.5), counts=counts)
    assert np.asarray(repetition.tokens).tolist() == [40] * 3  # 9/1.5 = 6, 5.33, 4.67, all under 6.5
    frequency = run(logits, sampling_rows(3, uses_counts=True, frequency_penalty=[0.2, 0.5, 5]), counts=counts)
    assert np.asarray(frequency.tokens).tolist() == [10] * 3  # the prompt does not count
    logits[:, 10] = 0
    frequency = run(logits, sampling_rows(3, uses_counts=True, frequency_penalty=[0.2, 0.48, 5]), counts=counts)
    assert np.asarray(frequency.tokens).tolist() == [20, 20, 40]  # 7.4 to 6.6; 6.56 to 6.5; all under 6.5
    presence = run(logits, sampling_rows(3, uses_counts=True, presence_penalty=[1, 1.6, 0]), counts=counts)
    assert np.asarray(presence.tokens).tolist() == [20, 40, 20]
    unused = run(logits, sampling_rows(3, uses_counts=[False, True, False], presence_penalty=5), counts=counts)
    assert np.asarray(unused.tokens).tolist() == [20, 40, 20]


def test_bias_is_added_only_where_it_is_used():
    logits = np.zeros((2, VOCABULARY))
    logits[:, 3] = 1
    bias = np.zeros((2, VOCABULARY), np.float32)
    bias[:, 7] = 2
    assert np.asarray(run(logits, sampling_rows(2, uses_bias=[True, False]), bias=bias).tokens).tolist() == [7, 3]


def test_stop_tokens_wait_for_their_position():
    logits = np.zeros((2, VOCABULARY))
    logits[:, 3] = 2
    logits[:, 9] = 1
    rows = sampling_rows(2, stop_from=5, stop_ids=np.array([[3, VOCABULARY]] * 2))
    assert np.asarray(run(logits, rows, positions=[4, 5]).tokens).tolist() == [9, 3]


def test_logprobs_are_of_the_model_s_own_distribution():
    logits = RNG.normal(size=(2, VOCABULARY)).astype(np.float32)
    bias = np.zeros((2, VOCABULARY), np.float32)
    bias[:, 7] = 100
    drawn = run(logits, sampling_rows(2, uses_bias=True, wants_logprobs=True, temperature=[0, 0.5]), bias=bias)
    expected = np.log(softmax(logits.astype(np.float64)))
    assert np.asarray(drawn.tokens).tolist() == [7, 7]
    np.testing.assert_allclose(drawn.logprob, expected[:, 7], atol=1e-5)
    order = np.argsort(-logits, axis=-1)[:, :20]
    np.testing.assert_array_equal(drawn.top_tokens, order)
    np.testing.assert_allclose(drawn.top_logprobs, np.take_along_axis(expected, order, -1), atol=1e-5)


def test_the_greedy_token_s_logprob_is_the_top_one_to_the_last_bit():
    logits = RNG.normal(size=(8, VOCABULARY)).astype(np.float32)
    drawn = run(logits, sampling_rows(8, wants_logprobs=True))
    np.testing.assert_array_equal(drawn.logprob, drawn.top_logprobs[:, 0])
