"""Bits per byte whose right value is known."""

import math

import jax
import jax.numpy as jnp
import pytest

from serving.models.tool_calls import Call
from training.conversation import Message, assistant, calling, user
from training.corpus import Example
from training.evaluation.bench import Bench, HeldOut
from training.evaluation.likelihood import reply_costs, rows
from training.evaluation.model import Model

REPLY = assistant("It is nice to meet you, my café friend. " * 2)


@pytest.fixture
def uniform(model: Model) -> Model:
    """A model that knows nothing: every token costs the same."""
    return Model(jax.tree.map(jnp.zeros_like, model.params), model.config, model.tokenizer)


def costs(model: Model, *replies: Message) -> list:
    examples = [Example("chat", True, messages=(user("Hello there!"), reply)) for reply in replies]
    return reply_costs(model, examples, lambda done: None)


def bits(model: Model, *texts: str) -> float:
    """Of the texts' tokens, one more each for the special token beside it."""
    ids = [model.tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    return sum(len(tokens) + 1 for tokens in ids) * math.log2(model.config.vocab_size)


@pytest.mark.parametrize("count", [1, 5])  # less than a batch of rows, and rows that do not fill the last batch
def test_a_model_that_knows_nothing_needs_the_vocabularys_bits_a_token(uniform: Model, count: int) -> None:
    found = costs(uniform, *[REPLY] * count)
    assert [cost.bytes for cost in found] == [len(REPLY.content.encode())] * count
    assert [cost.bits for cost in found] == pytest.approx([bits(uniform, REPLY.content)] * count, rel=1e-5)


def test_a_calls_words_are_bytes_like_any_other(uniform: Model) -> None:
    (cost,) = costs(uniform, calling(Call("get_weather", {"city": "Paris"})))
    written = "get_weather\ncity: Paris"
    assert cost.bytes == len(written)
    assert cost.bits == pytest.approx(bits(uniform, written, ""), rel=1e-5)


def test_of_a_long_conversation_the_part_that_fits_counts(uniform: Model) -> None:
    (cost,) = costs(uniform, assistant("so " * 500))
    assert cost.bits < uniform.config.max_position * math.log2(uniform.config.vocab_size)
    assert 0 < cost.bytes < 1500


def test_rows_pool_over_all_sources_and_over_those_of_the_corpus(bench: Bench, uniform: Model) -> None:
    bench = Bench(uniform, bench.data, bench.sampling, bench.examples, bench.progress)
    held_out = {
        source: [Example(source, True, messages=(user(f"{source}?"), assistant(reply)))]
        for source, reply in (("synthetic_talk", "a"), ("greetings", "Hello! " * 6))
    }
    everything, corpus, *by_source = rows(bench, HeldOut(held_out))
    each = math.log2(uniform.config.vocab_size)
    assert by_source[0].name == "- synthetic_talk"
    assert by_source[0].estimate.value == pytest.approx(2 * each, rel=1e-5)
    assert corpus.estimate.value == pytest.approx(by_source[1].estimate.value)
    pooled = (2 * each + corpus.estimate.value * 42) / 43
    assert everything.estimate.value == pytest.approx(pooled, rel=1e-5)
