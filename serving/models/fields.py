"""The fields of a config.json, or of a file like it, read with errors that name the field and what is accepted."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from serving.models.config import UnsupportedModelError


@dataclass(frozen=True, slots=True)
class Fields:
    """A JSON object's values, and what a family takes where the file leaves a key out.

    A null in the file is a choice of its own: it hides the family's default and is read like nothing at all.
    """

    values: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""
    file: str = "config.json"

    def get(self, key: str, default: Any = None) -> Any:
        """The value as it stands; `default` where there is none."""
        value = self.values[key] if key in self.values else self.defaults.get(key)
        return default if value is None else value

    def count(self, key: str, default: int | None = None, *, least: int = 1) -> int:
        """A whole number; without a default it must be there."""
        value = self._given(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.refusal(key, f"a whole number from {least}")
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """A number above zero; without a default it must be there."""
        value = self._given(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise self.refusal(key, "a number above 0")
        return float(value)

    def numbers(self, key: str, length: int) -> tuple[float, ...]:
        """A list of `length` numbers."""
        value = self._given(key, None)
        if not isinstance(value, list) or len(value) != length or not all(isinstance(v, int | float) for v in value):
            raise self.refusal(key, f"a list of {length} numbers")
        return tuple(map(float, value))

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        value = self.get(key, default)
        if not isinstance(value, bool):
            raise self.refusal(key, "true or false")
        return value

    def optional_count(self, key: str) -> int | None:
        """A whole number, or None where there is none."""
        return None if self.get(key) is None else self.count(key)

    def optional_number(self, key: str) -> float | None:
        """A number above zero, or None where there is none."""
        return None if self.get(key) is None else self.number(key)

    def accept(self, key: str, value: Any) -> None:
        """Refuses any other value than the one that is supported."""
        if self.get(key, value) != value:
            raise self.refusal(key, repr(value))

    def with_defaults(self, **defaults: Any) -> "Fields":
        """The same, with values for keys that the file leaves out; those that were there before stay."""
        return replace(self, defaults={**defaults, **self.defaults})

    def without(self, key: str) -> "Fields":
        """The same as if the file had no `key`."""
        return replace(self, values={k: v for k, v in self.values.items() if k != key})

    def within(self, key: str) -> "Fields":
        """The object under `key`; an empty one where there is none."""
        inner = self.get(key, {})
        if not isinstance(inner, Mapping):
            raise self.refusal(key, "an object")
        return Fields(inner, path=f"{self.path}{key}.", file=self.file)

    def refusal(self, key: str, accepted: str) -> UnsupportedModelError:
        """The error that says what stands under `key` and what is accepted there."""
        return UnsupportedModelError(f"{self.file}: {self.path}{key} is {self.get(key)!r}; accepted is {accepted}")

    def _given(self, key: str, default: Any) -> Any:
        value = self.get(key, default)
        if value is None:
            raise UnsupportedModelError(f"{self.file}: {self.path}{key} is missing")
        return value
