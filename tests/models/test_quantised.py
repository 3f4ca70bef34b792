"""Weights in eight bits: how near they are, which they are, and that layers compute with just these values."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from serving.models import checkpoint
from serving.models.config import DecoderConfig, UnsupportedModelError
from serving.models.decoder import Decoder
from serving.models.linear import linear
from serving.models.logit_error import logits
from serving.models.quantised import quantise
from serving.models.stored_weights import SCALE
from tests.oracles.test_golden import GOLDEN

TOKENS = np.arange(48, dtype=np.int32) * 7 % 64


def kernel(*shape: int) -> np.ndarray:
    """Channels of very different size."""
    random = np.random.default_rng(0)
    return (random.normal(size=shape) * 10.0 ** random.integers(-3, 3, size=shape[-1])).astype(np.float32)


@pytest.mark.parametrize("shape", [(64, 24), (3, 64, 24)])
def test_int8_is_within_half_a_step_of_each_channels_own_scale(shape):
    weights = kernel(*shape)
    values, scale = quantise(weights, "int8")
    assert (values.dtype, values.shape) == (jnp.int8, shape)
    assert (scale.dtype, scale.shape) == (jnp.float32, (*shape[:-2], 1, shape[-1]))
    np.testing.assert_allclose(scale, np.abs(weights).max(-2, keepdims=True) / 127.5, rtol=1e-6)
    error = np.abs(np.asarray(values, np.float32) * scale - weights)
    assert np.all(error <= scale * 0.5001)


def test_fp8_keeps_three_bits_of_every_value():
    weights = kernel(64, 24)
    values, scale = quantise(weights, "fp8")
    assert values.dtype == jnp.float8_e4m3fn
    np.testing.assert_allclose(np.abs(np.asarray(values, np.float32)).max(0), 448)
    found = np.asarray(values, np.float32) * scale
    normal = np.abs(weights) > 2**-6 * scale  # smaller ones have fewer bits
    np.testing.assert_array_less(np.abs(found - weights)[normal], np.abs(weights)[normal] * 2**-4 * 1.001)


def test_a_channel_of_zeros_stays_zero():
    values, scale = quantise(np.zeros((8, 3), np.float32), "int8")
    assert not np.any(np.asarray(values)) and np.all(np.isfinite(scale))


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_layer_multiplies_with_the_values_that_it_holds(dtype):
    layer = linear(64, 24, ("embed", "mlp"), bias=True, dtype=dtype, rngs=nnx.Rngs(0), quantised="int8")
    layer.bias[...] = jnp.arange(24, dtype=dtype)
    x = np.random.default_rng(1).normal(size=(5, 64)).astype(np.float32)
    held = np.asarray(layer.kernel[...], np.float32) * np.asarray(layer.kernel_scale[...])
    y = layer(x.astype(dtype))
    assert y.dtype == dtype
    np.testing.assert_allclose(np.asarray(y, np.float32), x @ held + np.arange(24), rtol=0.03, atol=0.05)
    assert layer.kernel.get_metadata("out_sharding") == ("embed", "mlp")
    assert layer.kernel_scale.get_metadata("out_sharding") == (None, "mlp")


@pytest.mark.parametrize(("family", "to"), [("multi_head", "fp8"), ("mixtral", "int8"), ("gpt_oss", "int8")])
def test_a_decoder_is_one_of_the_values_that_it_holds(family, to):
    config = DecoderConfig.from_folder(GOLDEN / family)
    quantised = checkpoint.load(GOLDEN / family, dataclasses.replace(config, quantised=to), jnp.float32)
    graph, state = nnx.split(nnx.eval_shape(lambda: Decoder(config, rngs=nnx.Rngs(0))))
    held = {path: variable.get_value() for path, variable in nnx.to_flat_state(nnx.state(quantised))}
    values = {}
    for path, variable in nnx.to_flat_state(state):
        scale = held.get((*path[:-1], SCALE), 1.0) if path[-1] == "kernel" else 1.0
        values[path] = variable.replace(held[path].astype(jnp.float32) * scale)
    original = nnx.merge(graph, nnx.from_flat_state(values))
    np.testing.assert_allclose(logits(quantised, TOKENS), logits(original, TOKENS), atol=1e-4)


def test_only_the_kernels_of_projections_are_quantised():
    config = dataclasses.replace(DecoderConfig.from_folder(GOLDEN / "gpt_oss"), quantised="int8")
    state = nnx.state(nnx.eval_shape(lambda: Decoder(config, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))))
    types = {path: variable.get_value().dtype for path, variable in nnx.to_flat_state(state)}
    eight = {path[2:-1] for path, dtype in types.items() if path[0] == "layers" and dtype == jnp.int8}
    assert eight == {
        *(("attention", name) for name in ("query", "key", "value", "out")),
        *(("mlp", name) for name in ("gate", "up", "down")),
    }
    assert types["head", "kernel"] == jnp.int8
    assert types["embed", "embedding"] == types["layers", 0, "mlp", "router", "kernel"] == jnp.bfloat16
    assert {dtype for path, dtype in types.items() if path[-1] == SCALE} == {jnp.dtype(jnp.float32)}


def test_what_is_written_is_read_and_nothing_else(tmp_path):
    config = dataclasses.replace(DecoderConfig.from_folder(GOLDEN / "mixtral"), quantised="int8")
    decoder = checkpoint.load(GOLDEN / "mixtral", config, jnp.bfloat16)
    checkpoint.save_orbax(decoder, str(tmp_path))
    found = checkpoint.load(tmp_path, config, jnp.bfloat16)
    for ours, theirs in zip(jax.tree.leaves(nnx.state(found)), jax.tree.leaves(nnx.state(decoder)), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(np.asarray(ours, np.float32), np.asarray(theirs, np.float32))
    with pytest.raises(checkpoint.CheckpointError, match=r"kernel is int8; accepted here is float8_e4m3fn"):
        checkpoint.load(tmp_path, dataclasses.replace(config, quantised="fp8"), jnp.bfloat16)
    with pytest.raises(checkpoint.CheckpointError, match=r"kernel is int8; accepted here is bfloat16"):
        checkpoint.load(tmp_path, dataclasses.replace(config, quantised=None), jnp.bfloat16)
    with pytest.raises(checkpoint.CheckpointError, match="int8 weights are written as Orbax checkpoints alone"):
        checkpoint.save(decoder, tmp_path)


def test_config_json_says_how_weights_are_quantised():
    json = {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "quantization_config": {"quant_method": "qwix", "weights": "fp8"},
    }
    assert DecoderConfig.from_json(json).quantised == "fp8"
    json["quantization_config"]["weights"] = "int4"
    with pytest.raises(UnsupportedModelError, match=r"quantization_config\.weights is 'int4'; accepted is int8 or fp8"):
        DecoderConfig.from_json(json)


def test_without_qwix_its_name_is_said_and_only_eight_bits_need_it(monkeypatch):
    monkeypatch.delitem(sys.modules, "serving.models.quantised")
    monkeypatch.setitem(sys.modules, "qwix", None)
    config = DecoderConfig.from_folder(GOLDEN / "mixtral")
    checkpoint.load(GOLDEN / "mixtral", config, jnp.float32)
    with pytest.raises(UnsupportedModelError, match="weights in eight bits need the package qwix: pip install qwix"):
        checkpoint.load(GOLDEN / "mixtral", dataclasses.replace(config, quantised="int8"), jnp.float32)
