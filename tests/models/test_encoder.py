"""Text vectors of every family against those of sentence-transformers (fixtures of tests/oracles/encoders.py)."""

import functools
import json
import shutil

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from serving.models import encoder_checkpoint
from serving.models.encoder import activated, distance_buckets, embed
from serving.models.encoder_config import EncoderConfig
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.models.tensor_files import CheckpointError
from tests.golden_encoders import GOLDEN, TEXTS, VECTORS, encoder_folder


@functools.cache
def program(folder):
    """From tokens and lengths to vectors, and the tokenizer."""
    config = EncoderConfig.from_folder(folder)
    recipe = EmbeddingRecipe.from_folder(folder, config)
    run = jax.jit(functools.partial(embed, encoder_checkpoint.load(folder, config), recipe), static_argnums=2)
    return run, EncoderTokenizer.from_folder(folder, recipe)


def vectors(folder, texts: list[str], *, behind: int = 0, longest: int = 0) -> np.ndarray:
    """All texts as one batch, with so much of something else behind them, in rows of at least `longest`."""
    run, tokenizer = program(folder)
    encoded = [text.ids for text in tokenizer.encode(texts)]
    tokens = np.array([*(token for ids in encoded for token in ids), *[7] * behind], np.int32)
    lengths = np.array([*map(len, encoded), *[1] * (behind > 0)], np.int32)
    return np.asarray(run(tokens, lengths, max(longest, *lengths)))[: len(texts)]


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_are_those_of_sentence_transformers(name):
    ours, theirs = vectors(encoder_folder(name), TEXTS), VECTORS[name]
    np.testing.assert_allclose(ours, theirs, atol=1e-4 * np.abs(theirs).max(), rtol=0)
    normalised = name != "roberta"  # which was stored without a Normalize
    assert np.allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6) == normalised


@pytest.mark.parametrize("name", ["bert", "roberta", "mpnet", "distilbert"])
def test_padding_and_company_change_nothing(name):
    folder = encoder_folder(name)
    together = vectors(folder, TEXTS[:3])
    np.testing.assert_allclose(vectors(folder, TEXTS[:3], behind=9, longest=50), together, atol=1e-6)
    np.testing.assert_allclose(vectors(folder, TEXTS[:1]), together[:1], atol=1e-6)


def test_the_exact_gelu_is_the_error_function_s():
    x = np.array([-3.0, -0.5, 0.0, 1.0, 4.0], np.float32)
    exact = [-0.00404969, -0.15426877, 0.0, 0.84134475, 3.99987331]  # x times the normal distribution's integral
    np.testing.assert_allclose(activated(x, "gelu"), exact, atol=1e-6)
    assert np.abs(np.asarray(activated(x, "gelu_tanh")) - exact).max() > 1e-4
    assert activated(x, "relu").tolist() == [0, 0, 0, 1, 4]


def test_distances_share_buckets_the_more_the_farther_they_are():
    buckets = distance_buckets(300, 32)
    assert buckets[10, 10:18].tolist() == [0, 17, 18, 19, 20, 21, 22, 23]  # keys that come later
    assert buckets[10, 3:10].tolist() == [7, 6, 5, 4, 3, 2, 1]
    assert buckets[0, 127] == buckets[0, 299] == 31 and buckets[299, 0] == 15
    assert (np.diff(buckets[0, 1:]) >= 0).all()


def copied(name, folder, **tensors):
    """A golden encoder, some of whose tensors are called or are otherwise; None leaves one out."""
    shutil.copytree(GOLDEN / name, folder, dirs_exist_ok=True)
    stored = load_file(folder / "model.safetensors") | tensors
    save_file({key: value for key, value in stored.items() if value is not None}, folder / "model.safetensors")
    return folder


def test_a_checkpoint_of_a_larger_model_and_of_tensorflow_s_time_is_read(tmp_path):
    shutil.copytree(GOLDEN / "bert", tmp_path, dirs_exist_ok=True)
    older = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}

    def renamed(name: str) -> str:
        for now, before in older.items():
            name = name.replace(now, before)
        return f"bert.{name}"

    stored = {renamed(name): tensor for name, tensor in load_file(tmp_path / "model.safetensors").items()}
    assert sum("gamma" in name for name in stored) == 5
    save_file(stored | {"classifier.weight": np.ones((2, 32), np.float32)}, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(vectors(tmp_path, TEXTS[:1]), vectors(GOLDEN / "bert", TEXTS[:1]))


def test_a_missing_tensor_and_one_of_another_shape_are_named(tmp_path):
    name = "encoder.layer.1.attention.self.key.weight"
    with pytest.raises(CheckpointError, match=f"lacks {name}"):
        vectors(copied("bert", tmp_path / "missing", **{name: None}), TEXTS[:1])
    narrow = copied(
        "bert", tmp_path / "narrow", **{"encoder.layer.0.output.dense.weight": np.ones((32, 40), np.float32)}
    )
    with pytest.raises(
        CheckpointError, match=r"layer\.0\.output\.dense\.weight holds \(40, 32\) \(\[in, out\]\); .* for \(48, 32\)"
    ):
        vectors(narrow, TEXTS[:1])


def test_the_tokenizer_s_own_padding_is_switched_off_and_its_limit_is_the_recipe_s(tmp_path):
    shutil.copytree(GOLDEN / "bert", tmp_path, dirs_exist_ok=True)
    settings = json.loads((tmp_path / "tokenizer.json").read_text())
    settings["padding"] = {
        **{"strategy": {"Fixed": 50}, "direction": "Right", "pad_to_multiple_of": None},
        **{"pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
    }
    settings["truncation"] = {"max_length": 5, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(settings))
    tokenizer = EncoderTokenizer.from_folder(tmp_path, EmbeddingRecipe("mean", True, max_tokens=9))
    short, long = tokenizer.encode(["a b", "one two three four"])
    assert (len(short.ids), short.length) == (4, 4)
    assert (len(long.ids), long.length) == (9, 15)  # [CLS] one t ##w ##o t ##h ##r ##e ##e f ##o ##u ##r [SEP]
    assert long.ids[-1] == short.ids[-1]  # [SEP] stays
