"""What a decoder looks like, whatever family it is of. Plain values, no JAX."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serving.models.rope_config import RopeConfig

Activation = Literal["silu", "gelu_tanh", "clamped_swiglu"]
"""How an MLP's gate opens; see `serving.models.mlp.gated`."""


Quantisation = Literal["int8", "fp8"]
"""Types of eight bits that the weights of linear layers may be held in; see `serving.models.quantised`."""


class UnsupportedModelError(ValueError):
    """A model that the decoder cannot run; the message names the field of config.json and what is accepted."""


@dataclass(frozen=True, slots=True)
class AttentionSpec:
    """How one layer weighs what its queries see.

    Scores are `scale` times the products of queries and keys, bent by `soft_cap * tanh(score / soft_cap)` where that is
    set. A query sees its own position and those before it: the last `window` of them where that is set.
    """

    scale: float
    window: int | None = None
    soft_cap: float | None = None

    def sees(self, query: Any, key: Any) -> Any:
        """Whether a query at one position sees a key at another; integers or arrays of them, which broadcast."""
        past = key <= query
        return past if self.window is None else past & (query - key < self.window)


@dataclass(frozen=True, slots=True)
class ExpertsConfig:
    """A mixture of experts in place of every MLP: each token goes to `per_token` of `count` (arXiv 1701.06538)."""

    count: int
    per_token: int
    mlp_size: int
    normalised: bool  # whether the weights of a token's experts sum to one
    biased: bool = False  # router and experts
    stored_as: Literal["separate", "mixtral", "fused", "mxfp4"] = "separate"  # see serving.models.tensors


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """The shape of a decoder-only transformer. Sizes count elements; the defaults are Llama's.

    `windows` and `ropes` say what differs from layer to layer, one entry a layer; empty, all layers are alike: without
    a window, and turned by `rope`. An entry of None means no window, or no rotation.
    """

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
    attention_bias: bool = False  # of query, key and value
    attention_out_bias: bool = False
    mlp_bias: bool = False
    activation: Activation = "silu"
    norms: Literal["before", "after", "around"] = "before"  # where attention and MLP are normalised
    norm_offset: float = 0.0  # what a norm's scales are counted from
    query_key_norm: Literal["per_head", "all_heads"] | None = None
    embedding_scale: float = 1.0
    attention_scale: float | None = None  # None: head_dim ** -0.5
    attention_soft_cap: float | None = None
    attention_sinks: bool = False
    logit_soft_cap: float | None = None
    windows: tuple[int | None, ...] = ()
    ropes: tuple[RopeConfig | None, ...] = ()
    experts: ExpertsConfig | None = None
    fused_projections: bool = False  # query, key and value stored as one tensor, gate and up as another
    quantised: Quantisation | None = None

    def __post_init__(self) -> None:
        if self.heads % self.kv_heads:
            raise UnsupportedModelError(
                f"config.json: num_attention_heads ({self.heads}) is not a multiple of "
                f"num_key_value_heads ({self.kv_heads})"
            )
        for rope in {self.rope, *self.ropes} - {None}:
            channels = int(self.head_dim * rope.rotated_share)
            if channels % 2:
                raise UnsupportedModelError(
                    f"config.json: {channels} channels of a head turn (head_dim {self.head_dim} times "
                    f"partial_rotary_factor {rope.rotated_share:g}); rotary embedding needs an even number"
                )
        for name, entries in (("window", self.windows), ("rope", self.ropes)):
            if entries and len(entries) != self.layers:
                raise UnsupportedModelError(
                    f"config.json: {len(entries)} layers are told their {name}, num_hidden_layers is {self.layers}"
                )
        if self.experts and self.experts.per_token > self.experts.count:
            raise UnsupportedModelError(
                f"config.json: num_experts_per_tok ({self.experts.per_token}) is more than there are experts "
                f"({self.experts.count})"
            )

    def attention_spec(self, layer: int) -> AttentionSpec:
        """How layer `layer` weighs what it sees."""
        scale = self.head_dim**-0.5 if self.attention_scale is None else self.attention_scale
        return AttentionSpec(scale, self.windows[layer] if self.windows else None, self.attention_soft_cap)

    def rope_of(self, layer: int) -> RopeConfig | None:
        """How layer `layer` turns its heads; None where it does not."""
        return self.ropes[layer] if self.ropes else self.rope

    @classmethod
    def from_folder(cls, folder: Path) -> "DecoderConfig":
        """Reads FOLDER/config.json. Raises UnsupportedModelError or OSError."""
        return cls.from_json(json.loads((folder / "config.json").read_text(encoding="utf-8")))

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "DecoderConfig":
        """Reads a parsed config.json of any family in `serving.models.families`. Raises UnsupportedModelError."""
        from serving.models.families import read_config  # families are written in terms of this class

        return read_config(config)
