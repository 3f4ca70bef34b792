"""How many bits the model needs for a byte of the replies that it did not see."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int
from tokenizers import Tokenizer

from training.conversation import PAD, SPECIAL_TOKENS, Tokens, encode_conversation
from training.corpus import Example
from training.evaluation.bench import Bench, HeldOut
from training.evaluation.estimate import ratio
from training.evaluation.model import Model
from training.evaluation.report import Bar, Row
from training.packing import Rows, pack
from training.step import token_losses
from training.synthetic import TALK, passages, tools

SYNTHETIC = (passages.SOURCE, tools.SOURCE, TALK)
_LONGEST = 1024
_ROWS = 4
_PART = 3
"""Of each source a third of the other rows' examples: sources are many, and an example measures hundreds of tokens."""


_losses = jax.jit(token_losses, static_argnames="config")


class Cost(NamedTuple):
    """What the replies of one conversation cost, end marks included, and how long they are."""

    bits: float
    bytes: int


def reply_costs(model: Model, examples: Sequence[Example], advance: Callable[[int], None]) -> list[Cost]:
    """The cost of every conversation's replies, in no particular order.

    Of a long conversation the part that fits the context (at most 1,024 tokens) counts. `advance` hears how many more
    conversations are done.
    """
    length = min(_LONGEST, model.config.max_position)
    packed = pack(
        [_encoded(example, model.tokenizer, length) for example in examples],
        length,
        model.tokenizer.token_to_id(PAD),
        np.random.default_rng(0),
    )
    token_bytes = _bytes_by_token(model.tokenizer)
    costs: list[Cost] = []
    for start in range(0, len(packed), _ROWS):
        chosen = np.arange(start, start + _ROWS).clip(max=len(packed) - 1)  # the last rows again, to keep one shape
        tokens = jnp.asarray(packed.tokens[chosen], jnp.int32)
        nats = np.asarray(_losses(model.params, model.config, tokens, packed.segments[chosen]))
        found = [
            cost
            for row, nats_of_row in zip(chosen[: len(packed) - start], nats, strict=False)
            for cost in _costs_of_row(packed, row, nats_of_row, token_bytes)
        ]
        advance(len(found))
        costs += found
    return [cost for cost in costs if cost.bytes]


def rows(bench: Bench, held_out: HeldOut) -> list[Row]:
    """Bits per byte over all chat replies, over those of the corpus, and by source."""
    costs: dict[str, list[Cost]] = {}
    for source, examples in held_out.by_source.items():
        chosen = bench.pick(examples, -(-bench.examples // _PART))
        if chosen:
            task = bench.progress.add_task(f"bits per byte, {source}", total=len(chosen))
            costs[source] = reply_costs(bench.model, chosen, partial(bench.progress.advance, task))
    everything = [cost for found in costs.values() for cost in found]
    of_the_corpus = [cost for source, found in costs.items() if source not in SYNTHETIC for cost in found]
    return [
        _row("bits per byte, chat replies", everything, Bar(1.38, 1.25)),
        _row("- without our synthetic ones", of_the_corpus),
        *(_row(f"- {source}", found) for source, found in costs.items()),
    ]


def _row(name: str, costs: Sequence[Cost], bar: Bar | None = None) -> Row:
    estimate = ratio([cost.bits for cost in costs], [cost.bytes for cost in costs])
    return Row(name, estimate, bar, unit="bits", lower_is_better=True)


def _encoded(example: Example, tokenizer: Tokenizer, length: int) -> Tokens:
    tokens = encode_conversation(example.messages, tokenizer, tools=example.tools)
    return Tokens(tokens.ids[:length], tokens.weights[:length])


def _costs_of_row(rows: Rows, row: int, nats: np.ndarray, token_bytes: np.ndarray) -> list[Cost]:
    learned, segments = rows.weights[row] > 0, rows.segments[row]
    bits = np.bincount(segments, nats * learned / math.log(2))
    size = np.bincount(segments, token_bytes[rows.tokens[row]] * learned)
    return [Cost(float(bits[segment]), int(size[segment])) for segment in range(1, segments.max() + 1)]


def _bytes_by_token(tokenizer: Tokenizer) -> Int[np.ndarray, " vocab"]:
    """Every token's length. A byte-level vocabulary writes each byte as one character; special tokens have none."""
    words = map(tokenizer.id_to_token, range(tokenizer.get_vocab_size()))
    return np.array([0 if word in SPECIAL_TOKENS else len(word) for word in words])
