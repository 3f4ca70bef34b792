"""How a text becomes one vector, as sentence-transformers' files beside an encoder say. Plain values, no JAX.

modules.json lists the stages: an encoder, a pooling and, for most models, a normalisation. A folder without that file
is pooled as sentence-transformers does it then: by the mean, not normalised.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serving.models.config import UnsupportedModelError
from serving.models.encoder_config import EncoderConfig
from serving.models.fields import Fields
from serving.models.folder import ModelFolderError, read_json

Pooling = Literal["mean", "cls"]
"""A text's vector: the mean over its tokens, or the first token's."""

MODULES_FILE = "modules.json"
ENCODER_FILE = "sentence_bert_config.json"
PROMPTS_FILE = "config_sentence_transformers.json"
TOKENIZER_FILE = "tokenizer_config.json"

# Before its version 6, sentence-transformers wrote a flag for each way of pooling.
POOLING_FLAGS = {
    "cls": "pooling_mode_cls_token",
    "mean": "pooling_mode_mean_tokens",
    "max": "pooling_mode_max_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


@dataclass(frozen=True, slots=True)
class EmbeddingRecipe:
    """From a text to its vector.

    Attributes:
        max_tokens: of a text, special ones included; what goes beyond is refused or cut off.
        prompt: what stands before every text.
        lowercase: whether texts are lower-cased, whatever the tokenizer does.
    """

    pooling: Pooling
    normalised: bool
    max_tokens: int
    prompt: str = ""
    lowercase: bool = False

    @classmethod
    def from_folder(cls, folder: Path, encoder: EncoderConfig) -> "EmbeddingRecipe":
        """Reads the files. Raises UnsupportedModelError or ModelFolderError, which name the file and the field."""
        pooling, normalised = _stages(folder)
        fields = _fields(folder, ENCODER_FILE)
        longest = fields.optional_count("max_seq_length") or _tokenizer_limit(folder) or encoder.max_tokens
        return cls(
            pooling,
            normalised,
            min(longest, encoder.max_tokens),
            _default_prompt(folder),
            fields.flag("do_lower_case", False),
        )


def _stages(folder: Path) -> tuple[Pooling, bool]:
    """Pooling, and whether its result is normalised."""
    path = folder / MODULES_FILE
    if not path.is_file():
        return "mean", False
    try:
        modules = [(module["type"].rpartition(".")[-1], module["path"]) for module in json.loads(path.read_bytes())]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelFolderError(f"{path}: needs a list of modules, each with type and path ({error})") from None
    kinds = [kind for kind, _ in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise UnsupportedModelError(
            f"{MODULES_FILE}: lists {', '.join(kinds)}; accepted are Transformer, Pooling and perhaps Normalize"
        )
    (_, encoder), (_, pooling) = modules[:2]
    if encoder:
        raise UnsupportedModelError(
            f"{MODULES_FILE}: the Transformer's path is {encoder!r}; accepted is '', the folder itself"
        )
    return _pooling(_fields(folder, f"{pooling}/config.json")), "Normalize" in kinds


def _pooling(fields: Fields) -> Pooling:
    fields.accept("include_prompt", True)
    mode: Any = fields.get("pooling_mode")
    if mode is None:
        mode = [name for name, flag in POOLING_FLAGS.items() if fields.flag(flag, False)]
    mode = mode[0] if isinstance(mode, list) and len(mode) == 1 else mode
    if mode not in ("mean", "cls"):
        raise UnsupportedModelError(f"{fields.file}: the pooling is {mode!r}; accepted is 'mean' or 'cls'")
    return mode


def _tokenizer_limit(folder: Path) -> int | None:
    limit = _fields(folder, TOKENIZER_FILE).get("model_max_length")  # a huge number, or none, where there is no limit
    return int(limit) if isinstance(limit, int | float) and 0 < limit < 1 << 30 else None


def _default_prompt(folder: Path) -> str:
    fields = _fields(folder, PROMPTS_FILE)
    name = fields.get("default_prompt_name")
    prompt = "" if name is None else fields.within("prompts").get(name)
    if not isinstance(prompt, str):
        raise fields.refusal("default_prompt_name", "the name of one of its prompts")
    return prompt


def _fields(folder: Path, file: str) -> Fields:
    return Fields(read_json(folder / file, required=False), file=file)
