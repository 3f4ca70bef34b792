"""How far an attention backend is from the reference, at a model's own heads."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from serving.engine.attention.backend import AttentionBackend
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.attention.view import PageView
from serving.models.config import AttentionSpec, DecoderConfig

LIMITS = {"float32": 1e-5, "bfloat16": 2e-2}
"""Of the relative error: arithmetic in another order, and of operands with eight bits."""

PAGE, ROWS, BLOCKS = 16, 4, 4


def errors(backend: AttentionBackend, config: DecoderConfig, dtype: DTypeLike, longest: int) -> dict[str, list[float]]:
    """By kind of attention, the relative error of rows and of a chunk over cached pages, against float32."""
    rng = np.random.default_rng(0)
    pages = (ROWS + 1) * (longest // PAGE)
    view = _view(rng.permutation(pages).reshape(ROWS + 1, -1), longest, backend.table_pages(PAGE))
    none = np.zeros(0, np.int32)
    everything = np.arange(pages, dtype=np.int32)
    filling = PageView(none, none, none, everything, none, np.zeros_like(everything), everything)

    def random(*shape: int) -> jax.Array:
        return jnp.asarray(rng.normal(size=shape), dtype)

    k, v = (random(pages * PAGE, config.kv_heads, config.head_dim) for _ in range(2))
    q = random(ROWS + BLOCKS * PAGE, config.heads, config.head_dim)
    one = dataclasses.replace(config, layers=1, windows=(), ropes=())

    def mixed(backend: AttentionBackend, q: jax.Array, spec: AttentionSpec, sinks: jax.Array | None) -> np.ndarray:
        cache = backend.zeros(one, pages, PAGE, dtype).write(filling, k, v)
        run = jax.jit(lambda q, cache, view: backend.mix(q, cache, view, spec, sinks))
        return np.asarray(run(q, cache, view), np.float64)

    usual = AttentionSpec(config.head_dim**-0.5)
    kinds = {
        "plain": (usual, None),
        "window": (dataclasses.replace(usual, window=longest // 4), None),
        "soft cap": (dataclasses.replace(usual, soft_cap=1.0), None),
        "sinks": (usual, jnp.ones(config.heads, dtype)),
    }
    found = {}
    for kind, (spec, sinks) in kinds.items():
        is_ = mixed(backend, q, spec, sinks)
        with jax.default_matmul_precision("highest"):
            due = mixed(ReferenceAttention(), q.astype(jnp.float32), spec, sinks)
        parts = zip(np.split(is_, [ROWS]), np.split(due, [ROWS]), strict=True)
        found[kind] = [float(np.linalg.norm(one - other) / np.linalg.norm(other)) for one, other in parts]
    return found


def _view(numbers: np.ndarray, longest: int, multiple: int) -> PageView:
    """Rows from the first to the last position of their contexts, and the last blocks of another context."""
    lines = np.full((len(numbers), -(-numbers.shape[1] // multiple) * multiple), numbers.size, np.int32)
    lines[:, : numbers.shape[1]] = numbers
    positions = np.array([longest - 1, longest // 2, PAGE, 0], np.int32)
    starts = longest - PAGE * np.arange(BLOCKS, 0, -1, dtype=np.int32)
    return PageView(
        lines[:ROWS],
        positions,
        lines[np.arange(ROWS), positions // PAGE],
        np.zeros(BLOCKS, np.int32),
        np.repeat(lines[ROWS:], BLOCKS, axis=0),
        starts,
        lines[ROWS, starts // PAGE],
    )


def backends(platform: str) -> dict[str, AttentionBackend]:
    """Those that a platform runs, apart from the reference; a CPU interprets the GPU's kernel."""
    if platform == "tpu":
        from serving.engine.attention.tpu import TPUAttention

        return {"tpu": TPUAttention()}
    from serving.engine.attention.gpu import GPUAttention

    if platform == "gpu":
        return {"gpu": GPUAttention()}
    return {"gpu, interpreted": GPUAttention(interpret=True, fused="xla")}
