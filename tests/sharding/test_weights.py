"""Weights read straight onto a mesh: from safetensors, from Orbax, quantised on the way."""

import dataclasses
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax import nnx

from serving.models import checkpoint
from serving.models.checkpoint import whole
from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from sharding.layout import Layout
from sharding.mesh import MeshSpec
from sharding.rules import Rules
from tests.oracles.test_golden import GOLDEN


def planned(config: DecoderConfig, mesh: str) -> tuple[Layout, Decoder]:
    """A layout, and the abstract decoder that runs on it."""
    layout = Layout.plan(config, MeshSpec.parse(mesh), Rules(), jax.devices())
    run = nnx.eval_shape(
        lambda: Decoder(layout.stage_config, dtype=jnp.float32, rngs=nnx.Rngs(0), per_device=layout.per_device)
    )
    return layout, run


def arrays(decoder: Decoder) -> dict[tuple, jax.Array]:
    return {path: variable.get_value() for path, variable in nnx.to_flat_state(nnx.state(decoder))}


def assert_equal(found: dict[tuple, jax.Array], expected: dict[tuple, jax.Array]) -> None:
    """The same values in the same places."""
    assert found.keys() == expected.keys()
    for path, array in expected.items():
        assert found[path].dtype == array.dtype, path
        assert found[path].sharding.is_equivalent_to(array.sharding, array.ndim), path
        np.testing.assert_array_equal(np.asarray(found[path], np.float32), np.asarray(array, np.float32), str(path))


@pytest.mark.parametrize(
    ("family", "mesh"),
    [
        ("grouped_tied", "tensor=4"),  # each kv head twice
        ("phi3", "pipeline=2,tensor=2"),
        ("mixtral", "expert=2,tensor=4"),
        ("gpt_oss_mxfp4", "expert=4,tensor=2"),
    ],
)
def test_each_device_gets_its_part_of_what_is_stored(family, mesh):
    config = DecoderConfig.from_folder(GOLDEN / family)
    layout, run = planned(config, mesh)
    loaded = checkpoint.load(GOLDEN / family, config, jnp.float32, layout.place, run)
    alone = checkpoint.load(GOLDEN / family, config, jnp.float32)
    expected = layout.distribute(nnx.state(alone))
    assert loaded.config == layout.stage_config
    assert_equal(arrays(loaded), {path: v.get_value() for path, v in nnx.to_flat_state(expected)})


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """grouped_tied as an Orbax checkpoint, written from one device."""
    folder = tmp_path_factory.mktemp("converted")
    shutil.copy(GOLDEN / "grouped_tied" / "config.json", folder)
    config = DecoderConfig.from_folder(folder)
    checkpoint.save_orbax(checkpoint.load(GOLDEN / "grouped_tied", config, jnp.bfloat16), str(folder))
    return folder


def test_orbax_itself_restores_a_converted_model_under_any_mesh(converted):
    config = DecoderConfig.from_folder(converted)
    original = checkpoint.load(GOLDEN / "grouped_tied", config, jnp.bfloat16)
    layout = Layout.plan(config, MeshSpec.parse("tensor=2"), Rules(), jax.devices())
    abstract = jax.tree.map(
        lambda array, sharding: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=sharding),
        nnx.state(original),
        layout.shardings(nnx.state(original)),
    )
    with ocp.StandardCheckpointer() as checkpointer:
        restored = checkpointer.restore(converted / "orbax", checkpoint.orbax_tree(abstract))
    expected = jax.tree.leaves_with_path(checkpoint.orbax_tree(nnx.state(original)))
    for (path, array), found in zip(expected, jax.tree.leaves(restored), strict=True):
        assert found.sharding.mesh.shape["tensor"] == 2
        np.testing.assert_array_equal(np.asarray(found), np.asarray(array), str(path))


@pytest.mark.parametrize("mesh", ["tensor=4", "pipeline=2,tensor=2"])
def test_a_converted_model_is_loaded_as_the_original_is(converted, mesh):
    config = DecoderConfig.from_folder(converted)
    layout, run = planned(config, mesh)
    found = checkpoint.load(converted, config, jnp.float32, layout.place, run)
    expected = checkpoint.load(GOLDEN / "grouped_tied", config, jnp.float32, layout.place, run)
    assert_equal(arrays(found), arrays(expected))


@pytest.mark.parametrize(
    ("family", "mesh", "kernels"), [("grouped_tied", "tensor=4", 14), ("mixtral", "expert=2,tensor=4", 15)]
)
def test_weights_are_quantised_alike_on_every_mesh(family, mesh, kernels):
    config = dataclasses.replace(DecoderConfig.from_folder(GOLDEN / family), quantised="int8")
    layout, run = planned(config, mesh)
    found = arrays(checkpoint.load(GOLDEN / family, config, jnp.float32, layout.place, run))
    alone = checkpoint.load(GOLDEN / family, config, jnp.float32, whole)
    expected = {path: v.get_value() for path, v in nnx.to_flat_state(layout.distribute(nnx.state(alone)))}
    assert_equal(found, expected)
    assert sum(array.dtype == jnp.int8 for array in found.values()) == kernels
