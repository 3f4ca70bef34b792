"""What a decoder looks like, read from a Hugging Face `config.json`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

SUPPORTED_ARCHITECTURES = ("LlamaForCausalLM",)
SUPPORTED_ROPE_TYPES = ("default", "linear", "llama3")


class UnsupportedModelError(ValueError):
    """A model that the decoder cannot run; the message names the field of config.json and what is accepted."""


@dataclass(frozen=True, slots=True)
class RopeConfig:
    """Rotary position embedding (Su et al. 2021) and how it is stretched beyond the trained context.

    `linear` divides every position by `factor`; `llama3` divides only the slow frequencies (Llama 3.1's recipe,
    between `low_freq_factor` and `high_freq_factor` wavelengths of the original context).
    """

    theta: float = 10_000.0
    type: Literal["default", "linear", "llama3"] = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_context: int = 8192

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "RopeConfig":
        """Reads `rope_theta` with `rope_scaling`, or the newer `rope_parameters` that holds both."""
        scaling = config.get("rope_parameters") or config.get("rope_scaling") or {}
        theta = float(scaling.get("rope_theta") or config.get("rope_theta") or 10_000.0)
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        if kind not in SUPPORTED_ROPE_TYPES:
            raise UnsupportedModelError(
                f"config.json: rope_type is {kind!r}; accepted are {', '.join(SUPPORTED_ROPE_TYPES)}"
            )
        if kind == "default":
            return cls(theta=theta)
        if kind == "linear":
            return cls(theta=theta, type="linear", factor=float(scaling["factor"]))
        return cls(
            theta=theta,
            type="llama3",
            factor=float(scaling["factor"]),
            low_freq_factor=float(scaling["low_freq_factor"]),
            high_freq_factor=float(scaling["high_freq_factor"]),
            original_context=int(scaling["original_max_position_embeddings"]),
        )


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The shape of a decoder-only transformer of the Llama family. Sizes count elements."""

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    mlp_size: int
    max_position: int
    norm_eps: float = 1e-6
    rope: RopeConfig = RopeConfig()
    tied_embeddings: bool = False
    attention_bias: bool = False
    mlp_bias: bool = False

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise UnsupportedModelError(
                f"config.json: num_attention_heads ({self.heads}) is not a multiple of "
                f"num_key_value_heads ({self.kv_heads})"
            )
        if self.head_dim % 2:
            raise UnsupportedModelError(f"config.json: head_dim is {self.head_dim}; rotary embedding needs an even one")

    @classmethod
    def from_folder(cls, folder: Path) -> "DecoderConfig":
        """Reads FOLDER/config.json. Raises UnsupportedModelError or OSError."""
        return cls.from_json(json.loads((folder / "config.json").read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "DecoderConfig":
        """Reads a parsed config.json, in the names that `transformers` gives a LlamaConfig."""
        architectures = config.get("architectures") or ["(none named)"]
        if architectures[0] not in SUPPORTED_ARCHITECTURES:
            raise UnsupportedModelError(
                f"config.json: architecture is {architectures[0]}; accepted are {', '.join(SUPPORTED_ARCHITECTURES)}"
            )
        activation = config.get("hidden_act", "silu")
        if activation != "silu":
            raise UnsupportedModelError(f"config.json: hidden_act is {activation!r}; accepted is 'silu'")
        if config.get("quantization_config"):
            raise UnsupportedModelError("config.json: quantization_config is set; accepted are unquantised weights")
        try:
            heads = int(config["num_attention_heads"])
            return cls(
                vocab_size=int(config["vocab_size"]),
                hidden_size=int(config["hidden_size"]),
                layers=int(config["num_hidden_layers"]),
                heads=heads,
                kv_heads=int(config.get("num_key_value_heads") or heads),
                head_dim=int(config.get("head_dim") or config["hidden_size"] // heads),
                mlp_size=int(config["intermediate_size"]),
                max_position=int(config.get("max_position_embeddings", 2048)),
                norm_eps=float(config.get("rms_norm_eps", 1e-6)),
                rope=RopeConfig.from_json(config),
                tied_embeddings=bool(config.get("tie_word_embeddings", False)),
                attention_bias=bool(config.get("attention_bias", False)),
                mlp_bias=bool(config.get("mlp_bias", False)),
            )
        except KeyError as missing:
            raise UnsupportedModelError(f"config.json: {missing.args[0]} is missing") from None
