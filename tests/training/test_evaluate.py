"""Measurements whose right value is known."""

import math

import jax
import jax.numpy as jnp
import pytest
from tokenizers import Tokenizer

from training.conversation import assistant, user
from training.corpus import Example
from training.evaluate import Model, bits_per_byte, loops
from training.step import initial_params


@pytest.mark.parametrize("count", [1, 5])  # less than a batch of rows, and rows that do not fill the last batch
def test_a_model_that_knows_nothing_needs_the_vocabularys_bits_a_token(
    recipe, tokenizer: Tokenizer, count: int
) -> None:
    config = recipe.model.decoder_config()
    uniform = Model(jax.tree.map(jnp.zeros_like, initial_params(config, 0)), config, tokenizer)
    reply = "It is nice to meet you, my friend. " * 3
    example = Example("chat", True, messages=(user("Hello there!"), assistant(reply)))
    tokens = len(tokenizer.encode(reply, add_special_tokens=False).ids) + 1
    expected = tokens * math.log2(config.vocab_size) / len(reply.encode())
    assert bits_per_byte(uniform, [example] * count, length=128) == pytest.approx(expected, rel=1e-5)


def test_loops_are_six_words_said_twice() -> None:
    assert loops("I am a small model on I am a small model on")
    assert not loops("I am a small model, and I am a small model.")
    assert not loops("")
