"""What a device holds, counted from shapes: against layouts on real devices, and by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from serving.engine.lowering import abstract_decoder
from serving.models.config import DecoderConfig, ExpertsConfig
from serving.models.shapes import published_shape
from serving.plan.parameters import parameters
from sharding.footprint import Footprint
from sharding.layout import Layout, device_bytes
from sharding.mesh import MeshSpec, ShardingError
from sharding.rules import Rules

CONFIG = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=2, heads=8, kv_heads=2, head_dim=4, mlp_size=64, max_position=64
)
EXPERTS = ExpertsConfig(count=8, per_token=2, mlp_size=16, normalised=True, biased=True)


def footprint(config: DecoderConfig, mesh: str = "tensor=1") -> Footprint:
    return Footprint.of(config, parameters(config), MeshSpec.parse(mesh), Rules())


@pytest.mark.parametrize(
    ("mesh", "changes"),
    [
        ("tensor=1", {}),
        ("tensor=8", {}),  # each kv head four times
        ("tensor=4", {"tied_embeddings": True, "query_key_norm": "all_heads"}),
        ("tensor=4", {"vocab_size": 97}),  # which nothing divides
        ("tensor=4", {"quantised": "int8"}),
        ("pipeline=2,tensor=4", {}),
        ("expert=4,tensor=2", {"experts": EXPERTS, "attention_bias": True, "attention_sinks": True}),
    ],
)
def test_a_device_holds_what_its_layout_gives_it(mesh, changes):
    config = dataclasses.replace(CONFIG, **changes)
    layout = Layout.plan(config, MeshSpec.parse(mesh), Rules(), jax.devices())
    arrays = jax.tree.leaves(nnx.state(abstract_decoder(layout, jnp.bfloat16)))
    assert footprint(config, mesh).weight_bytes == device_bytes(arrays, [array.sharding for array in arrays])


def test_a_stage_holds_its_layers_and_what_stands_around_them():
    whole, stage = footprint(CONFIG, "tensor=2"), footprint(CONFIG, "pipeline=2,tensor=2")
    around = 2 * (2 * 48 * 32 + 32)  # embedding, head and the last norm, in two bytes
    assert stage.weight_bytes - around == (whole.weight_bytes - around) // 2
    assert (whole.stages, stage.stages) == (1, 2)
    assert stage.kv_bytes == whole.kv_bytes // 2


def test_of_two_tables_only_the_one_that_scores_is_read():
    untied = footprint(CONFIG)
    assert untied.weight_bytes - untied.dense_bytes == 2 * 96 * 32, "the embedding is looked up"
    tied = footprint(dataclasses.replace(CONFIG, tied_embeddings=True))
    assert tied.dense_bytes == tied.weight_bytes == untied.dense_bytes
    assert tied.score_elements == untied.score_elements == 96 * 32


def test_what_a_token_is_multiplied_by():
    layer = 32 * 32 + 2 * 32 * 8 + 32 * 32 + 3 * 32 * 64  # query, key and value, out, MLP
    assert footprint(CONFIG).token_elements == 2 * layer
    assert footprint(CONFIG, "tensor=2").token_elements == layer


def test_narrow_kernels_have_scales():
    wide, narrow = footprint(CONFIG), footprint(dataclasses.replace(CONFIG, quantised="fp8"))
    channels = 2 * (32 + 8 + 8 + 32 + 64 + 64 + 32) + 96
    kernels = wide.token_elements + wide.score_elements
    assert wide.weight_bytes - narrow.weight_bytes == kernels - 4 * channels


def test_of_experts_a_step_reads_those_that_its_tokens_choose():
    config = dataclasses.replace(CONFIG, experts=EXPERTS)
    model = footprint(config)
    one_layer = 8 * (3 * 32 * 16 + 16 + 16 + 32)  # kernels and biases
    assert model.expert_bytes == 2 * 2 * one_layer
    assert model.read_bytes(1) == model.dense_bytes + model.expert_bytes / 4, "two of eight"
    assert model.read_bytes(2) == model.dense_bytes + model.expert_bytes * (1 - 0.75**2)
    router, attention = 32 * 8, 32 * 32 + 2 * 32 * 8 + 32 * 32
    assert model.token_elements == 2 * (attention + router + 3 * 32 * 16 * 2)


def test_keys_are_met_within_windows():
    plain = footprint(CONFIG)
    assert plain.keys_read(0, 6) == 2 * 6
    assert plain.keys_met(0, 6) == 2 * (1 + 2 + 3 + 4 + 5 + 6)
    assert plain.keys_met(4, 6) == 2 * (5 + 6)
    windowed = footprint(dataclasses.replace(CONFIG, windows=(3, None)))
    assert windowed.keys_met(0, 6) == (1 + 2 + 3 + 3 + 3 + 3) + 21
    assert windowed.keys_met(4, 6) == (3 + 3) + 11
    assert windowed.keys_read(4, 6) == 4 + 6, "the first of both tokens sees one more behind"
    assert windowed.keys_met(9, 10) == 3 + 10
    assert windowed.keys_met(5, 5) == 0


def test_sums_follow_products_that_are_cut_where_they_contract():
    """The embedding's rows, then attention and MLP of both layers, and the scores: as the compiler does it, see
    test_layout."""
    found = footprint(CONFIG, "tensor=8").collectives(24, 24)
    assert [(one.kind, one.bytes, one.devices, one.times) for one in found] == [
        ("all-reduce", 2 * 24 * 32, 8, 1),
        ("all-reduce", 2 * 24 * 32, 8, 4),
        ("all-gather", 2 * 24 * 96, 8, 1),
    ]
    assert footprint(CONFIG).collectives(24, 24) == []


def test_what_experts_bring_is_summed_in_float32():
    found = footprint(dataclasses.replace(CONFIG, experts=EXPERTS), "expert=4,tensor=2").collectives(24, 24)
    assert [(one.kind, one.bytes, one.devices, one.times) for one in found] == [
        ("all-reduce", 2 * 24 * 32, 2, 1),
        ("all-reduce", 2 * 24 * 32, 2, 2),
        ("all-reduce", 4 * 24 * 32, 8, 2),
        ("all-gather", 2 * 24 * 96, 2, 1),
    ]


def test_stages_hand_on_micro_batches():
    found = footprint(CONFIG, "pipeline=2").collectives(24, 24, micro_batches=3)
    assert [(one.kind, one.bytes, one.devices, one.times) for one in found] == [
        ("collective-permute", 2 * 8 * 32, 2, 4),
        ("collective-permute", 2 * 24 * 32, 2, 1),
        ("all-reduce", 2 * 24 * 32, 2, 1),
    ]


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(ShardingError, match="num_attention_heads is 8, which tensor=3 does not divide"):
        footprint(CONFIG, "tensor=3")


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("llama3.2-1b", 1.24),
        ("llama3-8b", 8.03),
        ("llama3-70b", 70.6),
        ("llama3-405b", 406),
        ("qwen3-8b", 8.19),
        ("qwen3-32b", 32.8),
        ("qwen3-30b-a3b", 30.5),
        ("qwen3-235b-a22b", 235),
        ("mixtral-8x7b", 46.7),
        ("gemma3-27b", 27.0),
        ("gpt-oss-20b", 20.9),
        ("gpt-oss-120b", 117),
        ("40gb", 20),
    ],
)
def test_published_shapes_have_the_published_number_of_parameters(name, billions):
    assert footprint(published_shape(name)).weight_bytes / 2 / 1e9 == pytest.approx(billions, rel=0.01)
