"""Weights of every family: written as they were read, read in blocks, and errors that name the tensor."""

import dataclasses
import json
import shutil
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import load_file, save_file

from serving.models import checkpoint
from serving.models.checkpoint import CheckpointError
from serving.models.config import DecoderConfig
from serving.models.storage import INDEX_FILE, ORBAX_MANIFEST, open_storage
from serving.models.stored_weights import SafetensorsWeights
from tests.oracles.test_golden import FAMILIES, GOLDEN


def parameters(folder: Path, config: DecoderConfig | None = None) -> dict[tuple, np.ndarray]:
    decoder = checkpoint.load(folder, config or DecoderConfig.from_folder(folder), jnp.float32)
    return {path: np.asarray(variable.get_value()) for path, variable in nnx.to_flat_state(nnx.state(decoder))}


def stored(folder: Path) -> dict[str, np.ndarray]:
    return {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}


@pytest.mark.parametrize("family", [family for family in FAMILIES if not family.endswith("mxfp4")])
def test_what_is_saved_is_what_was_read(family, tmp_path):
    folder = GOLDEN / family
    checkpoint.save(checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.bfloat16), tmp_path)
    before, after = stored(folder), stored(tmp_path)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        np.testing.assert_array_equal(after[name], tensor, err_msg=name)


@pytest.mark.parametrize("family", ["grouped_tied", "phi3", "mixtral", "gpt_oss", "gpt_oss_mxfp4"])
def test_a_block_is_read_as_it_lies_in_the_whole(family):
    folder = GOLDEN / family
    weights = SafetensorsWeights(open_storage(folder), DecoderConfig.from_folder(folder))
    for path, whole in parameters(folder).items():
        index = tuple(slice(size // 2, size) for size in whole.shape)
        block = weights.read(path, index)
        np.testing.assert_array_equal(block.astype(np.float32), whole[index], err_msg=str(path))


def test_quantised_experts_are_not_written(tmp_path):
    folder = GOLDEN / "gpt_oss_mxfp4"
    decoder = checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.float32)
    with pytest.raises(CheckpointError, match="MXFP4"):
        checkpoint.save(decoder, tmp_path)


def test_a_decoder_inside_a_larger_checkpoint_is_found(tmp_path):
    folder = GOLDEN / "gemma3"
    tensors = {name.replace("model.", "language_model.model.", 1): tensor for name, tensor in stored(folder).items()}
    save_file({**tensors, "vision_tower.norm.weight": np.ones(3, np.float32)}, tmp_path / "model.safetensors")
    found = parameters(tmp_path, DecoderConfig.from_folder(folder))
    for path, value in parameters(folder).items():
        np.testing.assert_array_equal(found[path], value)


def test_missing_tensors_are_named(tmp_path):
    config = DecoderConfig.from_folder(GOLDEN / "multi_head")
    tensors = stored(GOLDEN / "multi_head")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks model\.layers\.1\.mlp\.up_proj\.weight"):
        checkpoint.load(tmp_path, config, jnp.float32)


@pytest.mark.parametrize("family", ["multi_head", "phi3", "mixtral", "gpt_oss"])
def test_a_tensor_of_another_shape_is_named(family):
    folder = GOLDEN / family
    config = dataclasses.replace(DecoderConfig.from_folder(folder), hidden_size=40)
    with pytest.raises(
        CheckpointError, match=r"embed_tokens\.weight holds \(64, 32\) .* config.json asks for \(64, 40\)"
    ):
        checkpoint.load(folder, config, jnp.float32)


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"no such thing")
    with pytest.raises(CheckpointError, match=r"model\.safetensors: not a readable safetensors file"):
        checkpoint.load(tmp_path, DecoderConfig.from_folder(GOLDEN / "multi_head"), jnp.float32)


def test_an_index_that_names_the_wrong_file_is_an_error_for_people(tmp_path):
    tensors = stored(GOLDEN / "multi_head")
    save_file(tensors, tmp_path / "a.safetensors")
    save_file({"other": np.ones(1, np.float32)}, tmp_path / "b.safetensors")
    names = dict.fromkeys(tensors, "a.safetensors") | {"model.norm.weight": "b.safetensors"}
    (tmp_path / INDEX_FILE).write_text(json.dumps({"weight_map": names}))
    with pytest.raises(CheckpointError, match=r"b\.safetensors.*model\.norm\.weight"):
        checkpoint.load(tmp_path, DecoderConfig.from_folder(GOLDEN / "multi_head"), jnp.float32)


@pytest.fixture
def orbax(tmp_path) -> Path:
    """A model that Orbax wrote."""
    config = DecoderConfig.from_folder(GOLDEN / "multi_head")
    checkpoint.save_orbax(checkpoint.load(GOLDEN / "multi_head", config, jnp.bfloat16), str(tmp_path))
    return tmp_path


def test_what_an_orbax_checkpoint_lacks_is_named(orbax):
    config = dataclasses.replace(DecoderConfig.from_folder(GOLDEN / "multi_head"), layers=3)
    with pytest.raises(CheckpointError, match=r"orbax: the checkpoint lacks layers\.2\.attention.* and \d more"):
        checkpoint.load(orbax, config, jnp.float32)


def test_a_shape_that_orbax_did_not_write_is_named(orbax):
    config = dataclasses.replace(DecoderConfig.from_folder(GOLDEN / "multi_head"), vocab_size=65)
    with pytest.raises(CheckpointError, match=r"orbax: .*embed.* holds \(64, 32\) .* asks for \(65, 32\)"):
        parameters(orbax, config)


def test_a_damaged_orbax_checkpoint_is_named(orbax):
    (orbax / ORBAX_MANIFEST).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"orbax: the checkpoint cannot be read \(.*manifest"):
        parameters(orbax, DecoderConfig.from_folder(GOLDEN / "multi_head"))


def test_fingerprints_tell_weights_and_their_use_apart(orbax):
    shutil.copy(GOLDEN / "multi_head" / "config.json", orbax)
    first = checkpoint.fingerprint(orbax, "bfloat16 512")
    assert checkpoint.fingerprint(orbax, "bfloat16 512") == first != checkpoint.fingerprint(orbax, "float32 512")
    largest = max((orbax / "orbax").rglob("d/*"), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"?")
    assert checkpoint.fingerprint(orbax, "bfloat16 512") != first
