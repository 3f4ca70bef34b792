"""A tiny tokenizer, recipe and packed rows, made on the spot: no corpus is needed."""

import random
from collections.abc import Callable, Iterator

import jax
import numpy as np
import pytest
from tokenizers import Tokenizer

from training.conversation import PAD, encode_conversation
from training.feed import Feed
from training.packing import by_length, cut, pack
from training.recipe import ModelShape, Recipe
from training.synthetic import Generator
from training.tokenizer import train_tokenizer


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several tests train the same tiny model; its programs are compiled once for all of them."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (str(tmp_path_factory.mktemp("compiled")), 0.0), strict=True):
        jax.config.update(name, value)
    yield
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def conversations() -> list:
    return list(Generator(["Ada Lovelace"], ["I like tea."], seed=3).conversations(120))


@pytest.fixture(scope="session")
def tokenizer(conversations: list) -> Tokenizer:
    texts = [message.content for messages in conversations for message in messages]
    return train_tokenizer(texts, 400, progress=False)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    model = ModelShape(400, hidden_size=16, layers=1, heads=2, kv_heads=1, mlp_size=24, max_position=128)
    return Recipe(
        model,
        tokens=4096,
        pretrain_share=0.5,
        row_lengths=(64, 128),
        batch_tokens=256,
        micro_batch_tokens=128,
        muon_learning_rate=0.02,
        adam_learning_rate=0.01,
        warmup_share=0.1,
        decay_share=0.4,
        seed=5,
    )


@pytest.fixture(scope="session")
def make_feed(conversations: list, tokenizer: Tokenizer, recipe: Recipe) -> Callable[..., Feed]:
    """make_feed(steps) over both stages and both row lengths."""
    pad = tokenizer.token_to_id(PAD)
    stages = []
    for learn_all in (True, False):
        encoded = [encode_conversation(messages, tokenizer, learn_all=learn_all) for messages in conversations]
        random.Random(1).shuffle(encoded)
        sequences = by_length(cut(encoded, 128), recipe.row_lengths)
        stages.append([pack(fitting, length, pad, np.random.default_rng(2)) for length, fitting in sequences.items()])
    return lambda steps=None: Feed(stages, recipe, steps)
