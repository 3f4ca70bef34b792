"""Find a model's folder on disk, in a bucket or on the Hugging Face hub, and say what is wrong before it is loaded."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from serving.models.config import DecoderConfig, UnsupportedModelError
from serving.models.storage import (
    BUCKET_SCHEME,
    CONFIG_FILE,
    INDEX_FILE,
    ORBAX_MANIFEST,
    SINGLE_FILE,
    Storage,
    StorageError,
    open_storage,
    read,
)

EMBEDDED_MODEL = Path(__file__).parent / "embedded"

# What is fetched from a hub: never pickled weights (*.bin, *.pth), which run code when they are read,
# and no second copy of the weights in another layout (consolidated.safetensors, onnx/, original/).
HUB_FILES = ["*.json", "*.jinja", "*.safetensors"]
HUB_SKIPPED = ["*/*.json", "*/*.safetensors", "consolidated*", "pytorch_model*"]


class ModelFolderError(Exception):
    """A model that cannot be found or read. The message names the file and says how to mend it."""


def find_model(folder_or_id: str) -> Path:
    """The folder of a model, given a local folder, gs://BUCKET/PATH or a hub id; empty means the embedded model.

    A folder holds config.json, tokenizer.json and weights: *.safetensors (one, or several with an index), or an Orbax
    checkpoint that `tradewind convert` wrote. Of a bucket the small files are fetched into a cache folder that stands
    for the model (XDG_CACHE_HOME moves it); the weights stay where they are until they are loaded. A hub id such as
    `owner/name` is fetched into the hub's own cache (HF_HOME moves it, HF_HUB_OFFLINE=1 keeps to what is there).
    Raises ModelFolderError.
    """
    if folder_or_id.startswith(BUCKET_SCHEME):
        folder = _fetch_from_bucket(folder_or_id)
    else:
        folder = local_or_fetched(folder_or_id) if folder_or_id else _embedded()
    check_model(folder)
    return folder


def local_or_fetched(folder_or_id: str, skipped: Sequence[str] = HUB_SKIPPED) -> Path:
    """A folder of this machine as it is; else that of a hub id, fetched but for the `skipped` files.

    Raises ModelFolderError.
    """
    folder = Path(folder_or_id).expanduser()
    return folder if folder.is_dir() else _fetch(folder_or_id, folder, skipped)


def check_model(folder: Path, read_config: Callable[[dict[str, Any]], object] = DecoderConfig.from_json) -> None:
    """Check that `folder` holds every file of a model whose config.json `read_config` supports.

    Raises ModelFolderError with all that is wrong.
    """
    try:
        storage = open_storage(folder)
        weight_problems = _weight_problems(storage)
    except StorageError as error:
        raise ModelFolderError(str(error)) from None
    problems = [*_config_problems(folder, read_config), *weight_problems, *_tokenizer_problems(folder)]
    if problems:
        location = storage.location("")
        raise ModelFolderError(
            "\n".join([f"{location} is no model that can be served:", *(f"  {p}" for p in problems)])
        )


def read_json(path: Path, *, required: bool = True) -> dict[str, Any]:
    """The JSON object in a file; {} where the file may be missing and is. Raises ModelFolderError, naming the file."""
    if not path.is_file() and not required:
        return {}
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise ModelFolderError(f"{path}: cannot be read as JSON: {error}") from None
    if not isinstance(values, dict):
        raise ModelFolderError(f"{path}: holds a {type(values).__name__}; accepted is a JSON object")
    return values


def _config_problems(folder: Path, read_config: Callable[[dict[str, Any]], object]) -> list[str]:
    if not (folder / CONFIG_FILE).is_file():
        return [f"{CONFIG_FILE} is missing"]
    try:
        read_config(read_json(folder / CONFIG_FILE))
    except (UnsupportedModelError, ModelFolderError) as error:
        return [str(error)]
    return []


def _weight_problems(storage: Storage) -> list[str]:
    names = storage.sizes.keys()
    if INDEX_FILE in names:
        try:
            shards = sorted(set(json.loads(read(storage, INDEX_FILE))["weight_map"].values()))
        except (ValueError, KeyError, AttributeError, TypeError):
            return [f"{INDEX_FILE} is damaged: it needs a weight_map of tensor names to files"]
        return [f"{shard} is missing ({INDEX_FILE} names it)" for shard in shards if shard not in names]
    if SINGLE_FILE in names or ORBAX_MANIFEST in names:
        return []
    pickled = sorted(name for name in names if "/" not in name and name.endswith((".bin", ".pth", ".pt")))
    if pickled:
        return [f"*.safetensors is missing; {pickled[0]} is not read, since pickled weights can run code"]
    return [f"*.safetensors is missing ({SINGLE_FILE}, or several with {INDEX_FILE})"]


def _tokenizer_problems(folder: Path) -> list[str]:
    if (folder / "tokenizer.json").is_file():
        return []
    if (folder / "tokenizer.model").is_file():
        return [
            "tokenizer.json is missing; tokenizer.model alone is not read. transformers writes the one from the other: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        ]
    return ["tokenizer.json is missing"]


def _embedded() -> Path:
    if not EMBEDDED_MODEL.is_dir():
        raise ModelFolderError(f"the model that comes along is not installed: there is no folder {EMBEDDED_MODEL}")
    return EMBEDDED_MODEL


def _fetch_from_bucket(url: str) -> Path:
    try:
        from serving.models.bucket import local_folder

        return local_folder(url)
    except StorageError as error:
        raise ModelFolderError(str(error)) from None


def _fetch(given: str, folder: Path, skipped: Sequence[str]) -> Path:
    if given.startswith((".", "/", "~")) or given.count("/") > 1:
        raise ModelFolderError(f"there is no folder {folder}")

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    neither = f"there is no folder {given}, and"
    try:
        return Path(snapshot_download(given, allow_patterns=HUB_FILES, ignore_patterns=list(skipped)))
    except HFValidationError:
        raise ModelFolderError(f"{neither} {given!r} is no hub id either (accepted: owner/name)") from None
    except GatedRepoError:
        raise ModelFolderError(
            f"{given} is gated on the hub: accept its terms there, then set HF_TOKEN to a token of yours"
        ) from None
    except RepositoryNotFoundError:
        raise ModelFolderError(f"{neither} the hub knows no {given} (a private one needs HF_TOKEN)") from None
    except LocalEntryNotFoundError:
        raise ModelFolderError(
            f"{neither} the hub cannot be reached to fetch {given}. "
            "Pass the folder of a model on this machine, or try again with a network"
        ) from None
    except HfHubHTTPError as error:
        raise ModelFolderError(f"{neither} the hub did not send {given}: {error}") from None
