"""Writes a trained model as an ordinary Hugging Face folder."""

import json
import shutil
from pathlib import Path
from typing import Any

import jax.numpy as jnp
from tokenizers import Tokenizer

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.generation_defaults import GenerationDefaults
from training.conversation import BOS, END, PAD, SPECIAL_TOKENS
from training.generate import Sampling
from training.step import Params, decoder_from
from training.tokenizer import TOKENIZER_FILE

CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")
SERVING_DEFAULTS = Sampling()
"""The sampling that this model talks best with; it ships in generation_config.json."""


def export(params: Params, config: DecoderConfig, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes weights (bfloat16), configuration, tokenizer and chat template to FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save(decoder_from(params, config), folder, jnp.bfloat16)
    (folder / checkpoint.SINGLE_FILE).chmod(0o644)  # safetensors writes for the owner alone
    _write_json(folder / "config.json", _config(config, tokenizer))
    _write_json(folder / "generation_config.json", _generation_config(tokenizer))
    _write_json(folder / "tokenizer_config.json", tokenizer_config(config))
    tokenizer.save(str(folder / TOKENIZER_FILE))
    shutil.copyfile(CHAT_TEMPLATE, folder / "chat_template.jinja")


def served_sampling(folder: Path) -> Sampling:
    """How the model in FOLDER is sampled where a request says nothing."""
    defaults = GenerationDefaults.from_folder(folder)
    tokens = {} if defaults.max_tokens is None else {"max_new_tokens": defaults.max_tokens}
    return Sampling(defaults.temperature, defaults.top_p, defaults.repetition_penalty, **tokens)


def _config(config: DecoderConfig, tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.mlp_size,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_dim,
        "hidden_act": "silu",
        "max_position_embeddings": config.max_position,
        "rms_norm_eps": config.norm_eps,
        "rope_theta": config.rope.theta,
        "tie_word_embeddings": config.tied_embeddings,
        "attention_bias": config.attention_bias,
        "mlp_bias": config.mlp_bias,
        "bos_token_id": tokenizer.token_to_id(BOS),
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
        "torch_dtype": "bfloat16",
    }


def _generation_config(tokenizer: Tokenizer) -> dict[str, Any]:
    return {
        "do_sample": True,
        "temperature": SERVING_DEFAULTS.temperature,
        "top_p": SERVING_DEFAULTS.top_p,
        "repetition_penalty": SERVING_DEFAULTS.repetition_penalty,
        "max_new_tokens": SERVING_DEFAULTS.max_new_tokens,
        "bos_token_id": tokenizer.token_to_id(BOS),
        "eos_token_id": tokenizer.token_to_id(END),
        "pad_token_id": tokenizer.token_to_id(PAD),
    }


def tokenizer_config(config: DecoderConfig) -> dict[str, Any]:
    """What tokenizer_config.json says: the special tokens' roles."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": config.max_position,
        "bos_token": BOS,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [token for token in SPECIAL_TOKENS if token not in (BOS, END, PAD)],
        "clean_up_tokenization_spaces": False,
    }


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
