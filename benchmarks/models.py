"""The models that engines are measured on."""

import json
import shutil
from pathlib import Path

from benchmarks.contender import Model
from serving.models.config import DecoderConfig
from serving.models.folder import EMBEDDED_MODEL

LLAMA_135M = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 64,
    "intermediate_size": 1536,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "attention_bias": False,
    "mlp_bias": False,
    "torch_dtype": "bfloat16",
}
"""The shape of SmolLM2-135M."""


def described(name: str, folder: Path) -> Model:
    """The model in a folder."""
    config = DecoderConfig.from_folder(folder)
    wide, narrow = config.heads * config.head_dim, config.kv_heads * config.head_dim
    attention = config.hidden_size * 2 * (wide + narrow)
    mlp = 3 * config.hidden_size * config.mlp_size
    head = config.vocab_size * config.hidden_size  # the embedding is looked up, the head is multiplied by
    return Model(
        name=name,
        folder=folder,
        vocabulary=config.vocab_size,
        context=config.max_position,
        parameters=config.layers * (attention + mlp) + head,
        kv_elements=2 * config.layers * narrow,
    )


def embedded() -> Model:
    """The model that comes along."""
    return described("embedded", EMBEDDED_MODEL)


def llama_135m(folder: Path) -> Model:
    """Writes a 135M-parameter Llama of random weights to a folder, unless it is there.

    Weights are stored as bfloat16, so that float32 and bfloat16 engines compute with the same values. No text is
    measured, so the tokenizer is the embedded model's, for the file alone.
    """
    if not (folder / "config.json").exists():
        import jax.numpy as jnp
        from flax import nnx

        from serving.models import checkpoint
        from serving.models.decoder import Decoder

        decoder = Decoder(DecoderConfig.from_json(LLAMA_135M), dtype=jnp.float32, rngs=nnx.Rngs(0))
        checkpoint.save(decoder, folder, jnp.bfloat16)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(EMBEDDED_MODEL / name, folder / name)
        (folder / "config.json").write_text(json.dumps(LLAMA_135M, indent=1) + "\n")
    return described("135M Llama", folder)
