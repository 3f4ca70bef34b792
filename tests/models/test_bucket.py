"""Models in a bucket, from an emulator: the bytes that are asked for, the cache of small files, and errors."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.folder import ModelFolderError, find_model
from serving.models.storage import SINGLE_FILE, StorageError, open_storage
from serving.models.tensor_files import TensorFiles
from tests.bucket_server import BucketServer, upload
from tests.oracles.test_golden import GOLDEN


@pytest.fixture(scope="module")
def emulator() -> Iterator[BucketServer]:
    with BucketServer().running() as server:
        yield server


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def mixtral(emulator, tmp_path, request) -> str:
    """A model in three shards with an index, in a bucket."""
    folder, url = tmp_path / "mixtral", f"gs://models/{request.node.name}/mixtral"
    shutil.copytree(GOLDEN / "mixtral", folder)
    (folder / "tokenizer.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    upload(folder, url)
    emulator.requests.clear()
    return url


def refusal(url: str) -> str:
    with pytest.raises(ModelFolderError) as error:
        find_model(url)
    return str(error.value)


def test_a_model_is_loaded_from_a_bucket(mixtral):
    folder = find_model(mixtral)
    assert not list(folder.glob("*.safetensors"))
    config = DecoderConfig.from_folder(folder)
    found, expected = (nnx.state(checkpoint.load(of, config, jnp.float32)) for of in (folder, GOLDEN / "mixtral"))
    for (path, ours), (_, theirs) in zip(nnx.to_flat_state(found), nnx.to_flat_state(expected), strict=True):
        np.testing.assert_array_equal(ours.get_value(), theirs.get_value(), err_msg=str(path))


def test_its_fingerprint_is_that_of_its_weights(mixtral, cache):
    first = checkpoint.fingerprint(find_model(mixtral), "float32")
    shutil.rmtree(cache)
    assert checkpoint.fingerprint(find_model(mixtral), "float32") == first
    tensors = {"model.norm.weight": np.ones(32, np.float32)}
    save_file(tensors, cache / "other.safetensors")
    from serving.models.bucket import Bucket

    Bucket(mixtral).write("model-00003-of-00003.safetensors", (cache / "other.safetensors").read_bytes())
    assert checkpoint.fingerprint(find_model(mixtral), "float32") != first


def test_only_the_ranges_of_a_part_are_asked_for(emulator, tmp_path):
    values = np.arange(4_000_000, dtype=np.float32).reshape(4, 1_000_000)
    save_file({"first": np.ones(5, np.int8), "x": values}, tmp_path / SINGLE_FILE)
    upload(tmp_path, "gs://models/wide")
    from serving.models.bucket import Bucket

    files = TensorFiles(Bucket("gs://models/wide"))
    start = files.tensor("x").start
    emulator.requests.clear()
    half = files.read("x", (slice(0, 4), slice(500_000, 1_000_000)))
    np.testing.assert_array_equal(half, values[:, 500_000:])
    rows = [start + row * 4_000_000 + 2_000_000 for row in range(4)]
    assert sorted(emulator.ranges) == [(row, row + 1_999_999) for row in rows]

    emulator.requests.clear()
    rows = files.read("x", (slice(1, 4), slice(0, 1_000_000)))
    np.testing.assert_array_equal(rows, values[1:])
    asked = sorted(emulator.ranges)
    assert (asked[0][0], asked[-1][1]) == (start + 4_000_000, start + 15_999_999)
    assert sum(last - first + 1 for first, last in asked) == 12_000_000
    assert len(asked) == 2, "several requests under way for what is long"


def test_narrow_columns_are_asked_for_once_for_all_devices(emulator, tmp_path):
    values = np.arange(4096, dtype=np.float32).reshape(64, 64)
    save_file({"x": values}, tmp_path / SINGLE_FILE)
    upload(tmp_path, "gs://models/narrow")
    from serving.models.bucket import Bucket

    files = TensorFiles(Bucket("gs://models/narrow"))
    emulator.requests.clear()
    for device in range(8):
        part = files.read("x", (slice(0, 64), slice(8 * device, 8 * device + 8)))
        np.testing.assert_array_equal(part, values[:, 8 * device : 8 * device + 8])
    assert len(emulator.ranges) == 1


def test_small_files_are_brought_up_to_date(mixtral, cache):
    folder = find_model(mixtral)
    assert folder == cache / "tradewind" / "gs" / mixtral.removeprefix("gs://")
    names = {"config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja", "origin.url"}
    assert {path.name for path in folder.iterdir()} == names
    from serving.models.bucket import Bucket

    bucket = Bucket(mixtral)
    bucket.write("generation_config.json", b'{"eos_token_id": 5}')
    bucket._client.bucket("models").blob(f"{bucket.path}/chat_template.jinja").delete()
    assert find_model(mixtral) == folder
    assert json.loads((folder / "generation_config.json").read_text()) == {"eos_token_id": 5}
    assert {path.name for path in folder.iterdir()} == names - {"chat_template.jinja"}


def test_a_bucket_that_is_not_there_is_named(emulator):
    assert refusal("gs://no-such-bucket/model") == "gs://no-such-bucket: there is no such bucket"


def test_a_path_without_a_model_is_named(emulator):
    assert refusal("gs://models/nothing/here/") == "gs://models/nothing/here: there are no files of a model"


def test_a_shard_that_is_not_there_is_named(mixtral):
    from serving.models.bucket import Bucket

    bucket = Bucket(mixtral)
    bucket._client.bucket("models").blob(f"{bucket.path}/model-00002-of-00003.safetensors").delete()
    message = refusal(mixtral)
    assert message.startswith(f"{mixtral} is no model that can be served:")
    assert "model-00002-of-00003.safetensors is missing (model.safetensors.index.json names it)" in message


def test_a_shard_that_went_away_since_is_named(mixtral):
    storage = open_storage(find_model(mixtral))
    assert "model-00002-of-00003.safetensors" in storage.sizes
    storage._client.bucket("models").blob(f"{storage.path}/model-00002-of-00003.safetensors").delete()
    with pytest.raises(StorageError, match=rf"{mixtral}/model-00002-of-00003.safetensors: there is no such file"):
        storage.fill("model-00002-of-00003.safetensors", [(0, memoryview(bytearray(8)))])


def test_missing_credentials_are_explained(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    message = refusal("gs://models/chat")
    assert message.startswith("gs://models: no credentials for Google Cloud")
    assert "none.json" in message and "gcloud auth application-default login" in message


@pytest.mark.parametrize("url", ["gs://", "gs:///path", "gs://models//path", "gs://models/../other"])
def test_what_is_no_address_is_refused(url):
    assert refusal(url) == f"{url}: accepted is gs://BUCKET or gs://BUCKET/PATH"


def test_without_googles_client_the_extra_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "serving.models.bucket", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud.storage", None)
    assert refusal("gs://models/chat") == "gs:// needs Google's client: pip install 'tradewind[gcs]'"
