"""Measures a model folder on examples that were never trained on."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from tokenizers import Tokenizer

from serving.models.config import DecoderConfig
from training import prepared
from training.conversation import END, PAD, Message, encode_conversation, encode_prompt, user
from training.corpus import Example
from training.generate import Sampling, generate
from training.packing import pack
from training.step import Params, token_losses

CHAT_SOURCES = ("synthetic", "persona_chat", "self_dialogue", "topical_chat", "instructions", "reading")
LOOP_WORDS = 6
"""A reply loops when it says the same so many words in a row twice."""
ROWS = 4
PROMPTS_AT_ONCE = 16

FIXED_PROMPTS = (
    "Hello!",
    "Who are you?",
    "What can you do?",
    "What is the capital of France?",
    "Tell me a short story about a cat.",
    "I am sad today.",
    "Name three fruits.",
    "What is 3 + 4?",
    "Who was Immanuel Kant?",
    "Anna lives in Oslo. She is a doctor and has a dog.\n\nWhat is Anna's job?",
    "The bakery opens at seven o'clock and is closed on Monday.\n\nWho owns the bakery?",
    "Thank you, goodbye!",
)


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder with its tokenizer."""

    params: Params
    config: DecoderConfig
    tokenizer: Tokenizer


def bits_per_byte(model: Model, examples: Sequence[Example], length: int = 1024) -> float:
    """Bits that the model needs for a byte of the assistant's replies, the end mark included.

    Conversations longer than `length` tokens are left out.
    """
    encoded = [(encode_conversation(example.messages, model.tokenizer), example) for example in examples]
    fitting = [(tokens, example) for tokens, example in encoded if len(tokens.ids) <= length]
    size = sum(len(m.content.encode()) for _, example in fitting for m in example.messages if m.role == "assistant")
    pad = model.tokenizer.token_to_id(PAD)
    rows = pack([tokens for tokens, _ in fitting], length, pad, np.random.default_rng(0))
    losses = jax.jit(partial(token_losses, config=model.config))
    nats = 0.0
    for start in range(0, len(rows), ROWS):
        chosen = np.arange(start, start + ROWS).clip(max=len(rows) - 1)
        fresh = (np.arange(start, start + ROWS) < len(rows))[:, None]  # the last rows again, to keep one shape
        batch = losses(model.params, tokens=jnp.asarray(rows.tokens[chosen], jnp.int32), segments=rows.segments[chosen])
        nats += float(jnp.sum(batch * (rows.learned[chosen] & fresh)))
    return nats / math.log(2) / size


def reply(model: Model, conversations: Sequence[Sequence[Message]], sampling: Sampling, *, seed: int = 0) -> list[str]:
    """The model's next message in each conversation, PROMPTS_AT_ONCE at a time."""
    end = model.tokenizer.token_to_id(END)
    texts: list[str] = []
    for start in range(0, len(conversations), PROMPTS_AT_ONCE):
        chosen = conversations[start : start + PROMPTS_AT_ONCE]
        prompts = [encode_prompt(messages, model.tokenizer) for messages in chosen]
        ids = generate(model.params, model.config, prompts, sampling, end, seed=seed + start)
        texts += [model.tokenizer.decode(tokens) for tokens in ids]
    return texts


def loops(text: str) -> bool:
    """Whether LOOP_WORDS words in a row occur twice."""
    words = text.split()
    runs = [tuple(words[index : index + LOOP_WORDS]) for index in range(len(words) - LOOP_WORDS + 1)]
    return len(set(runs)) < len(runs)


def loop_rate(model: Model, examples: Sequence[Example], sampling: Sampling) -> float:
    """The part of the replies to the examples' opening messages that loop."""
    openings = []
    for example in examples:
        first = next(index for index, message in enumerate(example.messages) if message.role == "assistant")
        openings.append(example.messages[:first])
    return float(np.mean([loops(text) for text in reply(model, openings, sampling)]))


@dataclass(frozen=True, slots=True)
class Report:
    """What evaluation found. `replies` pairs each fixed prompt with the model's answer."""

    bits_per_byte: dict[str, float]
    chat_bits_per_byte: float
    loop_rate: float
    loop_rate_greedy: float
    replies: list[tuple[str, str]]


def evaluate(model: Model, data: Path, sampling: Sampling, *, examples_each: int = 120) -> Report:
    """Runs every measurement on the held-out examples under DATA."""
    held_out = {source: list(prepared.read(data, source, held_out=True))[:examples_each] for source in CHAT_SOURCES}
    everything = [example for examples in held_out.values() for example in examples]
    talk = [example for source in ("synthetic", "instructions") for example in held_out[source][:48]]
    talk = [example for example in talk if len(example.messages[0].content) < 400]
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=sampling.max_new_tokens)
    answers = reply(model, [[user(prompt)] for prompt in FIXED_PROMPTS], sampling)
    return Report(
        bits_per_byte={source: bits_per_byte(model, examples) for source, examples in held_out.items()},
        chat_bits_per_byte=bits_per_byte(model, everything),
        loop_rate=loop_rate(model, talk, sampling),
        loop_rate_greedy=loop_rate(model, talk, greedy),
        replies=list(zip(FIXED_PROMPTS, answers, strict=True)),
    )
