"""A decoder on eight devices: the same scores as on one, each device holding its part."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import PartitionSpec

from serving.models.config import DecoderConfig, ExpertsConfig
from serving.models.decoder import Decoder
from sharding.collectives import collectives, totals
from sharding.layout import Layout, device_bytes, logical_axes
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules

CONFIG = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=2, heads=8, kv_heads=2, head_dim=4, mlp_size=64, max_position=64
)
TOKENS = np.arange(24, dtype=np.int32) * 7 % 96
HEADS, KV_HEADS = PartitionSpec(None, "heads", None), PartitionSpec(None, "kv_heads", None)
ATTENTION = (HEADS, KV_HEADS, KV_HEADS, PartitionSpec("heads"))


def causal(q: jax.Array, k: jax.Array, v: jax.Array, sinks: jax.Array) -> jax.Array:
    """Every query over all keys up to its own and its head's sink, [tokens, heads, head_dim]."""
    k, v = (jnp.repeat(x, q.shape[1] // k.shape[1], axis=1) for x in (k, v))
    scores = jnp.einsum("qhd,khd->hqk", q, k) * q.shape[-1] ** -0.5
    weights = jnp.exp(scores) * jnp.tril(jnp.ones(scores.shape[1:]))
    total = jnp.sum(weights, axis=-1, keepdims=True) + jnp.exp(sinks)[:, None, None]
    return jnp.einsum("hqk,khd->qhd", weights / total, v)


@dataclass(frozen=True)
class Laid:
    """A decoder on a layout's devices."""

    layout: Layout
    graph: nnx.GraphDef
    state: nnx.State

    @classmethod
    def out(cls, decoder: Decoder, mesh: str, rules: Rules) -> "Laid":
        layout = Layout.plan(decoder.config, MeshSpec.parse(mesh), rules, jax.devices())
        held = nnx.eval_shape(lambda: Decoder(layout.config, rngs=nnx.Rngs(0)))
        return cls(layout, nnx.graphdef(held), layout.distribute(nnx.state(decoder)))

    def compile(self) -> Callable:
        attention = self.layout.per_device(causal, ATTENTION, HEADS)
        return _scores(self.graph, attention, self.layout.replicated).lower(self.state, TOKENS).compile()


def _scores(graph: nnx.GraphDef, attention: Callable, sharding: jax.sharding.Sharding | None = None) -> Callable:
    """scores(state, tokens) -> [tokens, vocab], jitted."""

    @functools.partial(jax.jit, out_shardings=sharding)
    def scores(state: nnx.State, tokens: jax.Array) -> jax.Array:
        decoder = nnx.merge(graph, state)

        def attend(q, k, v, cache, layer, spec, sinks):
            return attention(q, k, v, jnp.full(q.shape[1], -jnp.inf) if sinks is None else sinks), cache

        hidden, _ = decoder(tokens, jnp.arange(len(tokens)), attend, None)
        return decoder.logits(hidden)

    return scores


@pytest.fixture(scope="module")
def decoder() -> Decoder:
    return Decoder(CONFIG, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def alone(decoder) -> np.ndarray:
    """Scores of one device."""
    graph, state = nnx.split(decoder)
    return np.asarray(_scores(graph, causal)(state, TOKENS))


@pytest.mark.parametrize(
    ("mesh", "lines"),
    [
        ("tensor=2", {}),
        ("tensor=8", {}),  # each kv head four times
        ("expert=2,tensor=4", {"mlp": ["expert", "tensor"]}),
        ("sequence=2,tensor=4", {"embed": "sequence"}),
        ("tensor=8", {"heads": [], "kv_heads": [], "vocab": []}),
    ],
)
def test_scores_are_those_of_one_device(decoder, alone, mesh, lines):
    laid = Laid.out(decoder, mesh, Rules().replace(lines))
    scores = np.asarray(laid.compile()(laid.state, TOKENS))
    np.testing.assert_allclose(scores, alone, atol=1e-5)
    np.testing.assert_array_equal(scores.argmax(-1), alone.argmax(-1))


@pytest.mark.parametrize(
    ("mesh", "changes"),
    [
        ("tensor=8", {"query_key_norm": "all_heads", "tied_embeddings": True}),
        ("tensor=8", {"attention_bias": True, "attention_out_bias": True, "mlp_bias": True, "attention_sinks": True}),
        (
            "expert=4,tensor=2",
            {"experts": ExpertsConfig(count=8, per_token=3, mlp_size=16, normalised=True, biased=True)},
        ),
        ("tensor=8", {"quantised": "fp8"}),
        ("expert=4,tensor=2", {"quantised": "int8", "experts": ExpertsConfig(8, 3, 16, normalised=True, biased=True)}),
    ],
)
def test_every_kind_of_parameter_finds_its_place(mesh, changes):
    decoder = with_random_vectors(Decoder(dataclasses.replace(CONFIG, **changes), rngs=nnx.Rngs(1)))
    laid = Laid.out(decoder, mesh, Rules())
    scores = np.asarray(laid.compile()(laid.state, TOKENS))
    np.testing.assert_allclose(scores, _exact(decoder), atol=1e-5)


def _exact(decoder: Decoder) -> np.ndarray:
    """Scores of one device in float64, so that what differs is the rounding of the sharded program alone."""
    _, state = nnx.split(decoder)
    with jax.enable_x64(True):
        doubled = jax.tree.map(lambda x: x.astype(jnp.float64) if x.dtype == jnp.float32 else x, state)
        wide, _ = nnx.split(Decoder(decoder.config, dtype=jnp.float64, rngs=nnx.Rngs(1)))
        return np.asarray(_scores(wide, causal)(doubled, TOKENS))


def with_random_vectors(decoder: Decoder) -> Decoder:
    """Biases, scales and sinks begin all alike, which would hide one that lies on the wrong device."""
    random = np.random.default_rng(0)
    graph, state = nnx.split(decoder)
    vectors = jax.tree.map(lambda x: x + random.normal(size=x.shape).astype(x.dtype) if x.ndim == 1 else x, state)
    return nnx.merge(graph, vectors)


def test_a_vocabulary_that_cannot_be_cut_is_whole_on_every_device():
    odd = Decoder(dataclasses.replace(CONFIG, vocab_size=97), rngs=nnx.Rngs(0))
    graph, state = nnx.split(odd)
    laid = Laid.out(odd, "tensor=8", Rules())
    assert laid.state["embed"]["embedding"].get_value().is_fully_replicated
    np.testing.assert_allclose(laid.compile()(laid.state, TOKENS), _scores(graph, causal)(state, TOKENS), atol=1e-5)


def test_each_device_holds_its_part(decoder):
    laid = Laid.out(decoder, "tensor=8", Rules())
    layer = 32 * 4 + 2 * 32 * 4 + 4 * 32 + 3 * 32 * 8 + 2 * 32  # one query head, one kv head, 8 of 64 channels, norms
    expected = 4 * (2 * layer + 2 * 12 * 32 + 32)  # embedding and head with 12 of 96 tokens, the last norm
    assert device_bytes(laid.state, laid.layout.shardings(laid.state)) == expected
    for shard in jax.tree.leaves(laid.state)[0].addressable_shards:
        assert shard.data.size <= 12 * 32


def test_shardings_follow_the_axes_that_parameters_carry(decoder):
    layout = Layout.plan(CONFIG, MeshSpec(pipeline=2, tensor=2), Rules(), jax.devices())
    shardings = layout.shardings(nnx.state(decoder))
    first = shardings["layers"][0]
    assert first["attention"]["query"]["kernel"].get_value().spec == PartitionSpec(None, "tensor")
    assert first["attention"]["out"]["kernel"].get_value().spec == PartitionSpec("tensor", None)
    assert shardings["embed"]["embedding"].get_value().spec == PartitionSpec("tensor", None)
    pages = layout.sharding((("layers", "pages"), None, "kv_heads", None))
    assert pages.spec == PartitionSpec("pipeline", None, "tensor", None)
    assert layout.replicated.is_fully_replicated


def test_every_parameter_carries_its_axes(decoder):
    for path, variable in nnx.to_flat_state(nnx.state(decoder)):
        assert len(logical_axes(variable)) == variable.get_value().ndim, path


def test_a_layer_sums_twice(decoder):
    found = collectives(Laid.out(decoder, "tensor=8", Rules()).compile().as_text())
    hidden = 4 * len(TOKENS) * 32
    # The embedding's rows, then attention and MLP of both layers.
    assert totals(found)["all-reduce"][:2] == (5, 5 * hidden)
    assert totals(found)["all-gather"][:2] == (1, 4 * len(TOKENS) * 96), "the scores"
    assert set(totals(found)) == {"all-reduce", "all-gather"}


def test_a_parameter_that_a_rule_cuts_unevenly_is_named(decoder):
    layout = Layout.plan(CONFIG, MeshSpec(tensor=2), Rules(), jax.devices())
    with pytest.raises(ShardingError) as refusal:
        layout.place("layers.0.mlp.up.kernel", (32, 63), np.float32, ("embed", "mlp"), np.zeros((32, 63)).__getitem__)
    assert "layers.0.mlp.up.kernel is [32, 63] with the axes embed, mlp" in str(refusal.value)
    assert "2 devices along tensor do not divide 63" in str(refusal.value)


def test_by_default_all_devices_are_tensor_parallel():
    layout = Layout.plan(CONFIG, None, Rules(), jax.devices())
    assert layout.mesh.shape["tensor"] == 8
    assert (layout.config.kv_heads, layout.kv_repeats) == (8, 4)
    assert "each of them 4 times" in layout.notes[0]
    narrow = Layout.plan(dataclasses.replace(CONFIG, heads=6), None, Rules(), jax.devices())
    assert narrow.mesh.shape["tensor"] == 2
    assert narrow.notes[0].startswith("2 of 8 devices are used; mesh tensor=8: num_attention_heads is 6")
