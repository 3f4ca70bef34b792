"""A tiny tokenizer, recipe and packed rows, made on the spot: no corpus is needed."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from tokenizers import Tokenizer

from training.conversation import PAD, encode_conversation
from training.feed import Feed
from training.packing import pack
from training.recipe import ModelShape, Recipe
from training.synthetic import Generator
from training.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def conversations() -> list:
    return list(Generator(["Ada Lovelace"], ["I like tea."], seed=3).conversations(120))


@pytest.fixture(scope="session")
def tokenizer(conversations: list) -> Tokenizer:
    texts = [message.content for messages in conversations for message in messages]
    return train_tokenizer(texts, 400, progress=False)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    model = ModelShape(400, hidden_size=16, layers=2, heads=2, kv_heads=1, mlp_size=24, max_position=128)
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
        stages.append(
            [
                pack([tokens for tokens in encoded if shortest < len(tokens.ids) <= length], length, pad, np.random.default_rng(2))
                for shortest, length in ((0, 64), (64, 128))
            ]
        )
    return lambda steps=None: Feed(stages, recipe, steps)
