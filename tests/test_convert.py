"""`tradewind convert`: what it writes, what it prints, from and to buckets, and what it refuses."""

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from rich.console import Console
from tokenizers import Tokenizer, decoders, models

from serving.convert import convert
from serving.engine.request import GenerationRequest, SamplingParams
from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.folder import ModelFolderError, find_model
from serving.models.logit_error import logits
from serving.models.storage import SINGLE_FILE
from tests.bucket_server import BucketServer, upload
from tests.engine.offline import offline
from tests.oracles.test_golden import GOLDEN

TEXT = "a cab bade a bad dab"


@pytest.fixture
def model(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A golden model, with a tokenizer of a few letters and templates."""
    folder = tmp_path / "model"
    shutil.copytree(GOLDEN / request.param, folder)
    (folder / "reference.npz").rename(tmp_path / "reference.npz")
    backend = Tokenizer(models.BPE({letter: place for place, letter in enumerate("abcde ?")}, [], unk_token="?"))
    backend.decoder = decoders.ByteLevel()
    backend.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("{{ tools }}")
    (folder / "LICENSE").write_text("as is")
    (folder / "notes.txt").write_text("not of the model")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> Path:
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path / "text.txt"


def converted(source: object, out: object, **options: object) -> str:
    """What is printed."""
    printed = io.StringIO()
    choices = {"dtype": "auto", "quantise": None, "text": None} | options
    convert(str(source), str(out), **choices, console=Console(file=printed, width=300))
    return printed.getvalue()


def leaves(folder: Path, dtype: str) -> list[jax.Array]:
    decoder = checkpoint.load(folder, DecoderConfig.from_folder(folder), dtype)
    return jax.tree.leaves(nnx.state(decoder))


@pytest.mark.parametrize("model", ["grouped_tied"], indirect=True)
def test_a_folder_becomes_one_with_an_orbax_checkpoint(model, tmp_path):
    out = tmp_path / "some" / "out"
    printed = converted(model, out)
    assert {path.name for path in out.iterdir()} == {
        *("orbax", "config.json", "generation_config.json", "tokenizer.json"),
        *("chat_template.jinja", "additional_chat_templates", "LICENSE"),
    }
    for name in ("tokenizer.json", "chat_template.jinja", "additional_chat_templates/tools.jinja"):
        assert (out / name).read_bytes() == (model / name).read_bytes()
    assert json.loads((out / "config.json").read_text()) == json.loads((model / "config.json").read_text())
    assert find_model(str(out)) == out
    found, expected = leaves(out, "bfloat16"), leaves(model, "bfloat16")
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    count = sum(leaf.size for leaf in expected)
    assert printed.splitlines() == [
        f"{count:,} parameters, {2 * count:,} bytes with weights of bfloat16",
        f"written to {out / 'orbax'}",
    ]


@pytest.mark.parametrize("model", ["mixtral"], indirect=True)
def test_quantising_prints_what_it_saves_and_what_it_costs(model, text, tmp_path):
    out = tmp_path / "out"
    lines = converted(model, out, quantise="int8", text=text).splitlines()
    found = leaves(out, "bfloat16")
    config = DecoderConfig.from_folder(out)
    assert config.quantised == "int8"
    before, after = (sum(leaf.nbytes for leaf in of) for of in (leaves(model, "bfloat16"), found))
    # Of every kernel's two bytes a value one stays, and each of its channels gets a scale of four bytes.
    kernels = [leaf for leaf in found if leaf.dtype == jnp.int8]
    scales = sum(leaf.nbytes for leaf in found if leaf.dtype == jnp.float32)
    assert after == before - sum(leaf.size for leaf in kernels) + scales
    assert f"{after:,} bytes with int8 weights: {before - after:,} or {1 - after / before:.0%} saved" in lines
    error = next(line for line in lines if line.startswith("logits"))
    assert f"logits over {len(TEXT)} tokens: root mean square error " in error
    share = float(error.partition("(")[2].partition("%")[0])
    assert 0 < share < 5


@pytest.mark.parametrize("model", ["gpt_oss_mxfp4"], indirect=True)
def test_widened_experts_no_longer_say_that_they_are_mxfp4(model, tmp_path):
    converted(model, tmp_path / "out", dtype="float32")
    assert "quantization_config" not in json.loads((tmp_path / "out" / "config.json").read_text())
    for ours, theirs in zip(leaves(tmp_path / "out", "float32"), leaves(model, "float32"), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def emulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BucketServer]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with BucketServer().running() as server:
        yield server


@pytest.mark.parametrize("model", ["grouped_tied"], indirect=True)
def test_the_engine_runs_what_was_quantised_from_bucket_to_bucket(model, emulator, text, tmp_path):
    upload(model, "gs://models/original")
    converted("gs://models/original", "gs://models/small/one", dtype="float32", quantise="int8", text=text)
    folder = find_model("gs://models/small/one")
    assert not (folder / "orbax").exists(), "weights stay in the bucket"
    prompt = np.load(tmp_path / "reference.npz")["prompt"]
    request = GenerationRequest("r", tuple(prompt.tolist()), SamplingParams(max_tokens=8, temperature=0))
    with offline(folder, max_rows=1, max_context=256, step_tokens=32) as engine:
        (reply,) = engine.generate([request])
    decoder = checkpoint.load(folder, DecoderConfig.from_folder(folder), jnp.float32)
    scores = logits(decoder, np.array([*prompt, *reply.tokens], np.int32))
    assert reply.tokens == scores[len(prompt) - 1 : -1].argmax(-1).tolist()


def refusal(source: object, out: object, **options: object) -> str:
    with pytest.raises(ModelFolderError) as error:
        converted(source, out, **options)
    return str(error.value)


@pytest.mark.parametrize("model", ["multi_head"], indirect=True)
def test_what_cannot_be_converted_is_refused_before_anything_is_written(model, text, tmp_path):
    full, out = tmp_path / "full", tmp_path / "out"
    full.mkdir()
    (full / "README.md").write_text("mine")
    assert refusal(model, full) == f"{full} holds files already; accepted is an empty folder"
    assert refusal(tmp_path / "none" / "model", out).startswith("there is no folder")
    (tmp_path / "empty.txt").write_text("")
    assert "there is no text to compare on" in refusal(model, out, quantise="int8", text=tmp_path / "empty.txt")
    (model / SINGLE_FILE).write_bytes(b"damaged")
    (model / "model.safetensors.index.json").unlink(missing_ok=True)
    assert f"{model / SINGLE_FILE}: not a readable safetensors file" in refusal(model, out)
    assert not out.exists()


@pytest.mark.parametrize("model", ["multi_head"], indirect=True)
def test_quantised_weights_are_not_quantised_again(model, text, tmp_path):
    converted(model, tmp_path / "out", quantise="fp8", text=text)
    message = refusal(tmp_path / "out", tmp_path / "again", quantise="int8", text=text)
    assert message == f"{tmp_path / 'out'}: the weights are fp8 already; quantise the original"
