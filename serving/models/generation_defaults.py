"""How a model's authors want it sampled, read from a Hugging Face `generation_config.json`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.models.folder import ModelFolderError, read_json
from serving.models.special_tokens import eos_token_ids


@dataclass(frozen=True, slots=True)
class GenerationDefaults:
    """Sampling where a request says nothing; the neutral values where the model says nothing either."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_tokens: int | None = None
    eos_token_ids: tuple[int, ...] = ()  # see special_tokens.eos_token_ids

    @classmethod
    def from_folder(cls, folder: Path) -> "GenerationDefaults":
        """Read FOLDER/generation_config.json where there is one.

        Raises ModelFolderError, which names the file, the key and what is accepted.
        """
        path = folder / "generation_config.json"
        values = read_json(path, required=False)
        return cls(
            temperature=_number(path, values, "temperature", 1.0, 0, 100),
            top_p=_number(path, values, "top_p", 1.0, 0, 1),
            top_k=_count(path, values, "top_k"),
            min_p=_number(path, values, "min_p", 0.0, 0, 1),
            repetition_penalty=_number(path, values, "repetition_penalty", 1.0, 1e-3, 1e3),
            max_tokens=_count(path, values, "max_new_tokens") or None,
            eos_token_ids=eos_token_ids(folder),
        )


def _number(path: Path, values: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ModelFolderError(f"{path}: {key} is {value!r}; accepted is a number from {low:g} to {high:g}")
    return value


def _count(path: Path, values: dict[str, Any], key: str) -> int:
    """A whole number; 0 where it is missing, null or -1, which all mean `off`."""
    value = _number(path, values, key, 0, -1, 2**31 - 1)
    if value != int(value):
        raise ModelFolderError(f"{path}: {key} is {value!r}; accepted is a whole number")
    return max(0, int(value))
