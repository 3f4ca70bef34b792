"""Files of a model in a folder: which they are, what goes along with weights, and files that changed meanwhile."""

from pathlib import Path

import pytest

from serving.models.storage import LocalFolder, StorageError, is_companion, open_storage, read


@pytest.mark.parametrize(
    ("name", "goes_along"),
    [
        ("config.json", True),
        ("tokenizer.json", True),
        ("chat_template.jinja", True),
        ("additional_chat_templates/tool_use.jinja", True),
        ("LICENSE", True),
        ("model.safetensors.index.json", False),
        ("model.safetensors", False),
        ("orbax/array_metadatas/process_0.json", False),
        ("original/params.json", False),
        ("modeling_custom.py", False),
    ],
)
def test_what_goes_along_with_weights(name, goes_along):
    assert is_companion(name) == goes_along


def test_a_folders_files(tmp_path):
    storage = LocalFolder(tmp_path / "model")
    for name in ("config.json", "orbax/d/1", "additional_chat_templates/a.jinja", "venv/lib/big.bin"):
        storage.write(name, name.encode())
    assert storage.sizes == {name: len(name) for name in storage.sizes}
    assert set(storage.sizes) == {"config.json", "orbax/d/1", "additional_chat_templates/a.jinja"}
    assert read(storage, "config.json", 2, 6) == b"nfig"
    assert storage.kvstore("orbax") == {"driver": "file", "path": f"{tmp_path}/model/orbax/"}


def test_a_file_that_became_shorter_is_named(tmp_path):
    storage = open_storage(tmp_path)
    storage.write("a.safetensors", bytes(100))
    assert storage.sizes == {"a.safetensors": 100}
    (tmp_path / "a.safetensors").write_bytes(bytes(60))
    with pytest.raises(StorageError, match=r"a\.safetensors ends at byte 60, too early"):
        read(storage, "a.safetensors", 50)


@pytest.mark.parametrize("place", [0, 3_000_000, -1])
def test_a_digest_sees_each_end_and_much_between(tmp_path: Path, place):
    content = bytearray(5_000_000)
    storage = LocalFolder(tmp_path)
    storage.write("a", bytes(content))
    before = storage.digest("a")
    assert storage.digest("a") == before
    content[place] = 1
    storage.write("a", bytes(content))
    assert storage.digest("a") != before
