"""Logits through the engine's own pages: the prompt in blocks, then token by token."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from serving.engine.attention.backend import AttentionBackend, attending
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.attention.view import PageView
from serving.models.decoder import Decoder
from serving.models.per_device import on_one_device

PAGE = 16
REFERENCE = ReferenceAttention()


def paged_logits(
    decoder: Decoder, prompt: np.ndarray, reply: np.ndarray, attention: AttentionBackend = REFERENCE
) -> np.ndarray:
    """float32 [len(prompt) + len(reply) - 1, vocab], where row i predicts token i + 1.

    Pages are handed out backwards, so that nothing works by luck of order. A decode row of another sequence, at
    position 0 of a page of its own, runs beside every step.
    """
    pages = -(-(len(prompt) + len(reply)) // PAGE)
    table = np.arange(pages, dtype=np.int32)[::-1].copy()
    other, scratch = pages, pages + 1
    cache = attention.zeros(decoder.config, pages + 1, PAGE, jnp.float32)
    graph, weights = nnx.split(decoder)

    @functools.partial(jax.jit, donate_argnums=1)
    def forward(weights, cache, tokens, positions, view):
        decoder = nnx.merge(graph, weights)
        hidden, cache = decoder(tokens, positions, attending(attention, view, pages + 1, on_one_device), cache)
        return decoder.logits(hidden), cache

    multiple = attention.table_pages(PAGE)
    width = -(-pages // multiple) * multiple
    lines = np.full((3, width), scratch, np.int32)
    lines[0, 0], lines[1, :pages] = other, table
    blocks = -(-len(prompt) // PAGE)
    starts = np.arange(blocks, dtype=np.int32) * PAGE
    padded = np.zeros(blocks * PAGE, np.int32)
    padded[: len(prompt)] = prompt
    block_table = np.broadcast_to(lines[1], (blocks, width))
    block_rows = np.zeros(blocks, np.int32)
    view = PageView(lines[:1], np.zeros(1, np.int32), lines[:1, 0], block_rows, block_table, starts, table[:blocks])
    tokens, positions = np.append(np.int32(5), padded), np.append(np.int32(0), np.arange(len(padded), dtype=np.int32))
    logits, cache = forward(weights, cache, tokens, positions, view)
    collected = [np.asarray(logits[1 : 1 + len(prompt)])]
    for index, token in enumerate(reply[:-1]):
        position = len(prompt) + index
        positions = np.array([0, position], np.int32)
        written = np.array([other, table[position // PAGE]], np.int32)
        nothing = np.zeros((0,), np.int32)
        view = PageView(lines[:2], positions, written, nothing, lines[:0], nothing, nothing)
        logits, cache = forward(weights, cache, np.array([7, token], np.int32), positions, view)
        collected.append(np.asarray(logits[1:]))
    return np.concatenate(collected)
