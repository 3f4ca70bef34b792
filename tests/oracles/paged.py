"""Logits through the engine's own pages: the prompt in blocks, then token by token."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from serving.engine.attention import PagedKV, PageView, ReferenceAttention, span_pages
from serving.models.decoder import Decoder

PAGE = 16


def paged_logits(decoder: Decoder, prompt: np.ndarray, reply: np.ndarray) -> np.ndarray:
    """float32 [len(prompt) + len(reply) - 1, vocab], where row i predicts token i + 1.

    Pages are handed out backwards, so that nothing works by luck of order. A decode row of another sequence, at
    position 0 of a page of its own, runs beside every step.
    """
    pages = -(-(len(prompt) + len(reply)) // PAGE)
    table = np.arange(pages, dtype=np.int32)[::-1].copy()
    other, scratch = pages, pages + 1
    cache = PagedKV.zeros(decoder.config, pages + 1, PAGE, jnp.float32)
    graph, weights = nnx.split(decoder)

    @functools.partial(jax.jit, donate_argnums=1)
    def forward(weights, cache, tokens, positions, view):
        decoder = nnx.merge(graph, weights)
        hidden, cache = decoder(tokens, positions, ReferenceAttention(view, pages + 1), cache)
        return decoder.logits(hidden), cache

    width = -(-pages // span_pages(PAGE)) * span_pages(PAGE)
    lines = np.full((3, width), scratch, np.int32)
    lines[0, 0], lines[1, :pages] = other, table
    blocks = -(-len(prompt) // PAGE)
    starts = np.arange(blocks, dtype=np.int32) * PAGE
    padded = np.zeros(blocks * PAGE, np.int32)
    padded[: len(prompt)] = prompt
    block_table = np.broadcast_to(lines[1], (blocks, width))
    view = PageView(lines[:1], np.zeros(1, np.int32), lines[:1, 0], block_table, starts, table[:blocks])
    tokens, positions = np.append(np.int32(5), padded), np.append(np.int32(0), np.arange(len(padded), dtype=np.int32))
    logits, cache = forward(weights, cache, tokens, positions, view)
    collected = [np.asarray(logits[1 : 1 + len(prompt)])]
    for index, token in enumerate(reply[:-1]):
        position = len(prompt) + index
        positions = np.array([0, position], np.int32)
        written = np.array([other, table[position // PAGE]], np.int32)
        nothing = np.zeros((0,), np.int32)
        view = PageView(lines[:2], positions, written, lines[:0], nothing, nothing)
        logits, cache = forward(weights, cache, np.array([7, token], np.int32), positions, view)
        collected.append(np.asarray(logits[1:]))
    return np.concatenate(collected)
