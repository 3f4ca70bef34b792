"""Finding a model: each file that is missing or wrong is named, and nothing pickled is ever fetched."""

import fnmatch
import json
from pathlib import Path

import pytest

from serving.models import folder as folder_module
from serving.models.families import SUPPORTED_ARCHITECTURES
from serving.models.folder import HUB_FILES, HUB_SKIPPED, ModelFolderError, find_model
from serving.models.storage import INDEX_FILE, ORBAX_MANIFEST

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 64,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder in which nothing is missing."""
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"")
    return tmp_path


def refusal(folder_or_id: object) -> str:
    with pytest.raises(ModelFolderError) as error:
        find_model(str(folder_or_id))
    return str(error.value)


def test_a_whole_folder_is_found(model):
    assert find_model(str(model)) == model


def test_a_home_folder_is_found(model, monkeypatch):
    monkeypatch.setenv("HOME", str(model.parent))
    assert find_model(f"~/{model.name}") == model


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_a_missing_file_is_named(model, name):
    (model / name).unlink()
    assert refusal(model) == f"{model} is no model that can be served:\n  {name} is missing"


def test_everything_that_is_missing_is_named_at_once(tmp_path):
    message = refusal(tmp_path)
    assert all(f"{name} is missing" in message for name in ("config.json", "tokenizer.json", "*.safetensors"))


def test_the_older_tokenizer_file_is_pointed_out(model):
    (model / "tokenizer.json").rename(model / "tokenizer.model")
    assert "tokenizer.model alone is not read" in refusal(model)


def test_pickled_weights_are_not_taken_for_weights(model):
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    assert "*.safetensors is missing; pytorch_model.bin is not read" in refusal(model)


def test_shards_are_found_by_their_index_and_a_missing_one_is_named(model):
    shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    (model / INDEX_FILE).write_text(json.dumps({"weight_map": {"a": shards[0], "b": shards[1], "c": shards[1]}}))
    (model / "model.safetensors").rename(model / shards[0])
    assert refusal(model).endswith(f":\n  {shards[1]} is missing ({INDEX_FILE} names it)")
    (model / shards[1]).write_bytes(b"")
    assert find_model(str(model)) == model


def test_an_orbax_checkpoint_stands_for_weights(model):
    (model / "model.safetensors").unlink()
    (model / ORBAX_MANIFEST).parent.mkdir()
    assert "*.safetensors is missing" in refusal(model), "a checkpoint without its manifest is not whole"
    (model / ORBAX_MANIFEST).write_bytes(b"")
    assert find_model(str(model)) == model


@pytest.mark.parametrize("index", ["{", "[]", '{"weight_map": 3}', "{}"])
def test_a_damaged_index_is_named(model, index):
    (model / INDEX_FILE).write_text(index)
    assert f"{INDEX_FILE} is damaged" in refusal(model)


def test_another_architecture_is_named_with_those_that_are_supported(model):
    (model / "config.json").write_text(json.dumps({**CONFIG, "architectures": ["MambaForCausalLM"]}))
    message = refusal(model)
    assert "MambaForCausalLM" in message
    assert all(architecture in message for architecture in SUPPORTED_ARCHITECTURES)


@pytest.mark.parametrize(("config", "message"), [("{", "cannot be read as JSON"), ("3", "accepted is a JSON object")])
def test_a_damaged_config_is_named(model, config, message):
    (model / "config.json").write_text(config)
    assert f"{model / 'config.json'}: " in refusal(model)
    assert message in refusal(model)


@pytest.mark.parametrize("path", ["./models/llama", "/models/llama", "a/b/c"])
def test_what_can_only_be_a_folder_is_not_looked_for_on_the_hub(path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", pytest.fail)
    assert refusal(path) == f"there is no folder {Path(path)}"


def test_a_file_is_no_folder(model):
    assert refusal(model / "config.json") == f"there is no folder {model / 'config.json'}"


def test_what_is_neither_a_folder_nor_a_hub_id_is_refused():
    assert refusal("my model").startswith("there is no folder my model, and 'my model' is no hub id either")


def test_a_hub_that_cannot_be_reached_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    message = refusal("somebody/some-model")
    assert message.startswith("there is no folder somebody/some-model, and the hub cannot be reached")


def test_a_hub_id_is_fetched_and_checked(model, monkeypatch):
    asked = {}

    def snapshot_download(repo_id, **patterns):
        asked.update(patterns, repo_id=repo_id)
        return str(model)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    assert find_model("somebody/some-model") == model
    assert asked == {"repo_id": "somebody/some-model", "allow_patterns": HUB_FILES, "ignore_patterns": HUB_SKIPPED}
    (model / "config.json").unlink()
    assert "config.json is missing" in refusal("somebody/some-model")


@pytest.mark.parametrize(
    ("file", "fetched"),
    [
        ("config.json", True),
        ("tokenizer.json", True),
        ("chat_template.jinja", True),
        ("additional_chat_templates/tool_use.jinja", True),
        ("model-00001-of-00002.safetensors", True),
        (INDEX_FILE, True),
        ("pytorch_model.bin", False),
        ("pytorch_model.bin.index.json", False),
        ("original/consolidated.00.pth", False),
        ("original/params.json", False),
        ("onnx/model.safetensors", False),
        ("consolidated.safetensors", False),
        ("model.gguf", False),
        ("modeling_custom.py", False),
    ],
)
def test_only_what_is_read_is_fetched(file, fetched):
    matches = [any(fnmatch.fnmatch(file, pattern) for pattern in patterns) for patterns in (HUB_FILES, HUB_SKIPPED)]
    assert (matches[0] and not matches[1]) == fetched


def test_nothing_named_means_the_model_that_comes_along(model, monkeypatch):
    monkeypatch.setattr(folder_module, "EMBEDDED_MODEL", model)
    assert find_model("") == model
    monkeypatch.setattr(folder_module, "EMBEDDED_MODEL", model / "gone")
    assert "the model that comes along is not installed" in refusal("")
