"""One training run's settings, read from a TOML file (recipes/)."""

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from serving.models.config import DecoderConfig


class RecipeError(ValueError):
    """A recipe's key is unknown or missing, or its values do not fit together; the message names it."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The sizes of the decoder; the rest is plain Llama: RMSNorm, RoPE (theta 10000), SwiGLU, tied embeddings."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    mlp_size: int
    max_position: int

    def decoder_config(self) -> DecoderConfig:
        """The configuration that serving's decoder is built from."""
        return DecoderConfig(
            vocab_size=self.vocab_size,
            hidden_size=self.hidden_size,
            layers=self.layers,
            heads=self.heads,
            kv_heads=self.kv_heads,
            head_dim=self.hidden_size // self.heads,
            mlp_size=self.mlp_size,
            max_position=self.max_position,
            norm_eps=1e-5,
            tied_embeddings=True,
        )


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained, on how much, and how. Lengths and budgets count tokens; shares are parts of the whole run."""

    model: ModelShape
    tokens: int
    pretrain_share: float
    row_lengths: tuple[int, ...]
    batch_tokens: int
    micro_batch_tokens: int
    muon_learning_rate: float
    adam_learning_rate: float
    warmup_share: float
    decay_share: float
    seed: int

    def __post_init__(self) -> None:
        longest = max(self.row_lengths)
        if longest > self.model.max_position:
            raise RecipeError(f"row_lengths holds {longest}; the model's max_position is {self.model.max_position}")
        if self.batch_tokens % self.micro_batch_tokens or self.micro_batch_tokens % longest:
            raise RecipeError(
                f"batch_tokens ({self.batch_tokens}) must be a multiple of micro_batch_tokens "
                f"({self.micro_batch_tokens}), and that of the longest row ({longest})"
            )
        if self.warmup_share + self.decay_share > 1:
            raise RecipeError(f"warmup_share + decay_share is {self.warmup_share + self.decay_share}; at most 1 fits")

    @classmethod
    def from_file(cls, path: Path) -> "Recipe":
        """Reads a TOML file. Raises RecipeError naming the key that is wrong."""
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path}: not a TOML file ({error})") from None
        model = _checked(ModelShape, table.pop("model", {}), f"{path} [model]")
        values = _checked(Recipe, table | {"model": ModelShape(**model)}, str(path))
        return cls(**values | {"row_lengths": tuple(values["row_lengths"])})


def _checked(kind: type, table: dict[str, Any], where: str) -> dict[str, Any]:
    wanted = {field.name for field in fields(kind)}
    if unknown := sorted(set(table) - wanted):
        raise RecipeError(f"{where}: unknown keys {', '.join(unknown)}; accepted are {', '.join(sorted(wanted))}")
    if missing := sorted(wanted - set(table)):
        raise RecipeError(f"{where}: missing keys {', '.join(missing)}")
    return table
