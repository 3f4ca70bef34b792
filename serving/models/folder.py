"""Find a model's folder on disk or on the Hugging Face hub, and say what is wrong with it before anything is loaded."""

import json
from pathlib import Path
from typing import Any

from serving.models.config import DecoderConfig, UnsupportedModelError

EMBEDDED_MODEL = Path(__file__).parent / "embedded"
INDEX_NAME = "model.safetensors.index.json"

# What is fetched from a hub: never pickled weights (*.bin, *.pth), which run code when they are read,
# and no second copy of the weights in another layout (consolidated.safetensors, onnx/, original/).
HUB_FILES = ["*.json", "*.jinja", "*.safetensors"]
HUB_SKIPPED = ["*/*.json", "*/*.safetensors", "consolidated*", "pytorch_model*"]


class ModelFolderError(Exception):
    """A model that cannot be found or read. The message names the file and says how to mend it."""


def find_model(folder_or_id: str) -> Path:
    """The folder of a model, given a local folder or a hub id such as `owner/name`; empty means the embedded model.

    A folder holds config.json, tokenizer.json and *.safetensors (one, or several with an index).
    A hub id is fetched into the hub's own cache (HF_HOME moves it, HF_HUB_OFFLINE=1 keeps to what is there).
    Raises ModelFolderError.
    """
    folder = Path(folder_or_id).expanduser() if folder_or_id else EMBEDDED_MODEL
    if not folder.is_dir():
        folder = _fetch(folder_or_id, folder)
    check_model(folder)
    return folder


def check_model(folder: Path) -> None:
    """Check that `folder` holds every file of a supported model. Raises ModelFolderError with all that is wrong."""
    problems = [*_config_problems(folder), *_weight_problems(folder), *_tokenizer_problems(folder)]
    if problems:
        raise ModelFolderError("\n".join([f"{folder} is no model that can be served:", *(f"  {p}" for p in problems)]))


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


def _config_problems(folder: Path) -> list[str]:
    if not (folder / "config.json").is_file():
        return ["config.json is missing"]
    try:
        DecoderConfig.from_json(read_json(folder / "config.json"))
    except (UnsupportedModelError, ModelFolderError) as error:
        return [str(error)]
    return []


def _weight_problems(folder: Path) -> list[str]:
    index = folder / INDEX_NAME
    if index.is_file():
        try:
            shards = sorted(set(read_json(index)["weight_map"].values()))
        except (ModelFolderError, KeyError, AttributeError, TypeError):
            return [f"{INDEX_NAME} is damaged: it needs a weight_map of tensor names to files"]
        return [f"{shard} is missing ({INDEX_NAME} names it)" for shard in shards if not (folder / shard).is_file()]
    if any(folder.glob("*.safetensors")):
        return []
    pickled = sorted(path.name for pattern in ("*.bin", "*.pth", "*.pt") for path in folder.glob(pattern))
    if pickled:
        return [f"*.safetensors is missing; {pickled[0]} is not read, since pickled weights can run code"]
    return [f"*.safetensors is missing (model.safetensors, or several with {INDEX_NAME})"]


def _tokenizer_problems(folder: Path) -> list[str]:
    if (folder / "tokenizer.json").is_file():
        return []
    if (folder / "tokenizer.model").is_file():
        return [
            "tokenizer.json is missing; tokenizer.model alone is not read. transformers writes the one from the other: "
            "AutoTokenizer.from_pretrained(FOLDER).save_pretrained(FOLDER)"
        ]
    return ["tokenizer.json is missing"]


def _fetch(given: str, folder: Path) -> Path:
    if not given:
        raise ModelFolderError(f"the model that comes along is not installed: there is no folder {folder}")
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
        return Path(snapshot_download(given, allow_patterns=HUB_FILES, ignore_patterns=HUB_SKIPPED))
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
