"""How a model's authors want it sampled, read from a Hugging Face `generation_config.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.models.folder import ModelFolderError, read_json


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """Sampling where a request says nothing; the neutral values where the model says nothing either."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    eos_token_ids: tuple[int, ...] = ()

    @classmethod
    def from_folder(cls, folder: Path) -> "GenerationDefaults":
        """Read FOLDER/generation_config.json where there is one, and end-of-sequence ids from config.json where it
        names none. Raises ModelFolderError, which names the file, the key and what is accepted.
        """
        path = folder / "generation_config.json"
        values = read_json(path, required=False)
        eos_path = path if values.get("eos_token_id") is not None else folder / "config.json"
        return cls(
            temperature=_number(path, values, "temperature", 1.0, 0, 100),
            top_p=_number(path, values, "top_p", 1.0, 0, 1),
            top_k=max(0, int(_number(path, values, "top_k", 0, -1, 2**31 - 1))),
            min_p=_number(path, values, "min_p", 0.0, 0, 1),
            repetition_penalty=_number(path, values, "repetition_penalty", 1.0, 1e-3, 1e3),
            max_tokens=int(_number(path, values, "max_new_tokens", 0, 0, 2**31 - 1)) or None,
            eos_token_ids=_token_ids(eos_path, read_json(eos_path, required=False), "eos_token_id"),
        )


def _number(path: Path, values: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ModelFolderError(f"{path}: {key} is {value!r}; accepted is a number from {low:g} to {high:g}")
    return value


def _token_ids(path: Path, values: dict[str, Any], key: str) -> tuple[int, ...]:
    value = values.get(key)
    ids = value if isinstance(value, list) else [] if value is None else [value]
    if not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in ids):
        raise ModelFolderError(f"{path}: {key} is {value!r}; accepted is a token id or a list of token ids")
    return tuple(ids)
