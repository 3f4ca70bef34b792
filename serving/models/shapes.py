"""Published models by name, as far as their shapes go: for plans and benchmarks, which need no weights.

Each entry is what stands in the model's own config.json (huggingface.co/ORGANISATION/MODEL), apart from keys that
change no shape. `40gb` is nobody's: a dense model of 40 GB in bfloat16 with 8 key/value heads, which leaves room for
128k tokens of context on one card of 80 GB.
"""

from collections.abc import Mapping
from typing import Any

from serving.models.config import DecoderConfig


def _llama(hidden: int, layers: int, heads: int, mlp: int, *, head_dim: int = 128, **more: Any) -> dict[str, Any]:
    """Llama 3's shape."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 128_256,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": 8,
        "head_dim": head_dim,
        "intermediate_size": mlp,
        "max_position_embeddings": 131_072,
        "rope_theta": 500_000.0,
        "rms_norm_eps": 1e-5,
        **more,
    }


def _qwen3(hidden: int, layers: int, heads: int, mlp: int, *, kv_heads: int = 8, **more: Any) -> dict[str, Any]:
    """Qwen 3's shape."""
    return {
        "architectures": ["Qwen3ForCausalLM"],
        "vocab_size": 151_936,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "head_dim": 128,
        "intermediate_size": mlp,
        "max_position_embeddings": 40_960,
        "rope_theta": 1_000_000.0,
        **more,
    }


def _qwen3_moe(hidden: int, layers: int, heads: int, expert: int) -> dict[str, Any]:
    """Qwen3-MoE's: 128 experts, of which a token takes eight."""
    return _qwen3(
        hidden,
        layers,
        heads,
        mlp=3 * hidden,
        kv_heads=4,
        architectures=["Qwen3MoeForCausalLM"],
        num_experts=128,
        num_experts_per_tok=8,
        moe_intermediate_size=expert,
        norm_topk_prob=True,
    )


def _gpt_oss(layers: int, experts: int) -> dict[str, Any]:
    """gpt-oss's, whose experts are widened to bfloat16 as they are read."""
    return {
        "architectures": ["GptOssForCausalLM"],
        "vocab_size": 201_088,
        "hidden_size": 2880,
        "num_hidden_layers": layers,
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "head_dim": 64,
        "intermediate_size": 2880,
        "num_local_experts": experts,
        "num_experts_per_tok": 4,
        "sliding_window": 128,
    }


SHAPES: Mapping[str, dict[str, Any]] = {
    "llama3.2-1b": _llama(2048, 16, 32, 8192, head_dim=64, tie_word_embeddings=True),
    "llama3-8b": _llama(4096, 32, 32, 14_336),
    "llama3-70b": _llama(8192, 80, 64, 28_672),
    "llama3-405b": _llama(16_384, 126, 128, 53_248),
    "qwen3-8b": _qwen3(4096, 36, 32, 12_288),
    "qwen3-32b": _qwen3(5120, 64, 64, 25_600),
    "qwen3-30b-a3b": _qwen3_moe(2048, 48, 32, 768),
    "qwen3-235b-a22b": _qwen3_moe(4096, 94, 64, 1536),
    "mixtral-8x7b": {
        "architectures": ["MixtralForCausalLM"],
        "vocab_size": 32_000,
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 14_336,
        "max_position_embeddings": 32_768,
        "num_local_experts": 8,
        "num_experts_per_tok": 2,
    },
    "gemma3-27b": {
        "architectures": ["Gemma3ForCausalLM"],
        "vocab_size": 262_208,
        "hidden_size": 5376,
        "num_hidden_layers": 62,
        "num_attention_heads": 32,
        "num_key_value_heads": 16,
        "head_dim": 128,
        "intermediate_size": 21_504,
        "max_position_embeddings": 131_072,
        "sliding_window": 1024,
        "query_pre_attn_scalar": 168,
    },
    "gpt-oss-20b": _gpt_oss(24, 32),
    "gpt-oss-120b": _gpt_oss(36, 128),
    "40gb": _llama(8192, 32, 64, 18_432, vocab_size=32_768),
}


def published_shape(name: str) -> DecoderConfig | None:
    """The shape of a published model; None for a name that is not in SHAPES."""
    return DecoderConfig.from_json(SHAPES[name]) if name in SHAPES else None
