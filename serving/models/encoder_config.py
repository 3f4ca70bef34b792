"""What a text encoder of the BERT family looks like. Plain values, no JAX."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from serving.models.config import UnsupportedModelError
from serving.models.fields import Fields
from serving.models.folder import read_json
from serving.models.storage import CONFIG_FILE

EncoderActivation = Literal["gelu", "gelu_tanh", "relu"]
"""The MLP's; `gelu` is the exact one, by the error function."""

ACTIVATIONS: dict[str, EncoderActivation] = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The shape of an encoder whose layers are normalised after attention and MLP. Sizes count elements.

    Attributes:
        first_position: row of the position table that a text's first token has; RoBERTa keeps some rows free.
        token_types: kinds of segments; a text alone is all of the first. 0 where the model knows none.
        relative_buckets: of distances between tokens, each with a bias a head, as in T5 (arXiv 1910.10683) and MPNet.
        layout: how the checkpoint's tensors are called (`serving.models.encoder_checkpoint`).
    """

    vocab_size: int
    hidden_size: int
    layers: int
    heads: int
    mlp_size: int
    positions: int
    norm_eps: float
    activation: EncoderActivation
    first_position: int = 0
    token_types: int = 0
    relative_buckets: int = 0
    layout: Literal["bert", "mpnet", "distilbert"] = "bert"

    def __post_init__(self) -> None:
        if self.hidden_size % self.heads:
            raise UnsupportedModelError(
                f"{CONFIG_FILE}: hidden_size ({self.hidden_size}) is not a multiple of num_attention_heads "
                f"({self.heads})"
            )

    @property
    def head_dim(self) -> int:
        """Channels of one head."""
        return self.hidden_size // self.heads

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text, special ones included."""
        return self.positions - self.first_position

    @classmethod
    def from_folder(cls, folder: Path) -> "EncoderConfig":
        """Reads FOLDER/config.json. Raises UnsupportedModelError or ModelFolderError."""
        return cls.from_json(read_json(folder / CONFIG_FILE))

    @classmethod
    def from_json(cls, config: dict[str, Any]) -> "EncoderConfig":
        """Reads a parsed config.json. Raises UnsupportedModelError, which names the field and what is accepted."""
        fields = Fields(config)
        if fields.get("model_type") not in FAMILIES:
            raise fields.refusal("model_type", " or ".join(map(repr, FAMILIES)))
        return FAMILIES[config["model_type"]](fields)


def _bert(fields: Fields, **others: Any) -> EncoderConfig:
    """What all families write alike, which is all of BERT (arXiv 1810.04805)."""
    fields.accept("position_embedding_type", "absolute")
    fields.accept("is_decoder", False)
    activation = fields.get("hidden_act", "gelu")
    if activation not in ACTIVATIONS:
        raise fields.refusal("hidden_act", " or ".join(map(repr, ACTIVATIONS)))
    return EncoderConfig(
        vocab_size=fields.count("vocab_size"),
        hidden_size=fields.count("hidden_size"),
        layers=fields.count("num_hidden_layers"),
        heads=fields.count("num_attention_heads"),
        mlp_size=fields.count("intermediate_size"),
        positions=fields.count("max_position_embeddings", 512),
        norm_eps=fields.number("layer_norm_eps", 1e-12),
        activation=ACTIVATIONS[activation],
        **{"token_types": fields.count("type_vocab_size", 2)} | others,
    )


def _roberta(fields: Fields) -> EncoderConfig:
    """RoBERTa (arXiv 1907.11692) and its translations: positions are counted from the padding token's id on."""
    return _bert(fields, first_position=fields.count("pad_token_id", 1, least=0) + 1)


def _mpnet(fields: Fields) -> EncoderConfig:
    """MPNet (arXiv 2004.09297): RoBERTa without token types, and with a bias by distance."""
    buckets = fields.count("relative_attention_num_buckets", 32)
    if buckets % 4:
        raise fields.refusal("relative_attention_num_buckets", "a multiple of 4")
    return _bert(fields, first_position=2, token_types=0, relative_buckets=buckets, layout="mpnet")


def _distilbert(fields: Fields) -> EncoderConfig:
    """DistilBERT (arXiv 1910.01108): BERT without segments, with names of its own."""
    activation = fields.get("activation", "gelu")
    if activation not in ACTIVATIONS:
        raise fields.refusal("activation", " or ".join(map(repr, ACTIVATIONS)))
    return EncoderConfig(
        vocab_size=fields.count("vocab_size"),
        hidden_size=fields.count("dim"),
        layers=fields.count("n_layers"),
        heads=fields.count("n_heads"),
        mlp_size=fields.count("hidden_dim"),
        positions=fields.count("max_position_embeddings", 512),
        norm_eps=1e-12,
        activation=ACTIVATIONS[activation],
        layout="distilbert",
    )


FAMILIES: dict[str, Callable[[Fields], EncoderConfig]] = {
    "bert": _bert,
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
    "mpnet": _mpnet,
    "distilbert": _distilbert,
}
"""By config.json's `model_type`."""
