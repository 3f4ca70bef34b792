"""Tiny models of every family with random weights, written by `transformers` and run by it: the oracle's side.

Only this file and `python -m tests.oracles.regenerate` import torch and transformers.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

VOCABULARY = 64
PROMPT = 37  # tokens: two full pages of sixteen and a part of one
REPLY = 200
WINDOW = 24  # so short that whole spans of the context lie before it
YARN = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 128}


@dataclass(frozen=True)
class Family:
    """A model class of `transformers` (the start of its name), and how its configuration differs from the tiny one."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


FAMILIES: dict[str, Family] = {
    "multi_head": Family("Llama", {"num_key_value_heads": 4}),
    "grouped_tied": Family("Llama", {"tie_word_embeddings": True}),
    "one_kv_head_wide_heads": Family("Llama", {"num_key_value_heads": 1, "head_dim": 16}),
    "biased": Family("Llama", {"attention_bias": True, "mlp_bias": True}),
    "linear_rope": Family("Llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}}),
    "llama3_rope": Family(
        "Llama",
        {
            "rope_parameters": {
                "rope_type": "llama3",
                "rope_theta": 500000.0,
                "factor": 8.0,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 64,
            },
        },
    ),
    "smollm3": Family("SmolLM3", {"no_rope_layer_interval": 2, "pad_token_id": None}),
    "mistral": Family("Mistral", {"sliding_window": WINDOW}),
    "mixtral": Family("Mixtral", {"num_local_experts": 4, "num_experts_per_tok": 2, "intermediate_size": 24}),
    "qwen2": Family("Qwen2", {"use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1}),
    "qwen2_yarn": Family("Qwen2", {"rope_parameters": YARN}),
    "qwen3": Family("Qwen3", {"head_dim": 16, "tie_word_embeddings": True}),
    "qwen3_moe": Family(
        "Qwen3Moe",
        {"head_dim": 8, "num_experts": 8, "num_experts_per_tok": 3, "moe_intermediate_size": 16},
    ),
    "gemma2": Family(
        "Gemma2",
        {
            "head_dim": 8,
            "query_pre_attn_scalar": 24,
            "sliding_window": WINDOW,
            "attn_logit_softcapping": 3.0,
            "final_logit_softcapping": 5.0,
            "tie_word_embeddings": False,  # tied ones, scaled as Gemma's are, say the same token for ever
        },
    ),
    "gemma3": Family(
        "Gemma3",
        {
            "head_dim": 8,
            "query_pre_attn_scalar": 24,
            "sliding_window": WINDOW,
            "tie_word_embeddings": False,
            "layer_types": ["sliding_attention", "full_attention"],
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "rope_theta": 1000000.0, "factor": 8.0},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
            },
        },
    ),
    "phi3": Family("Phi3", {"sliding_window": WINDOW, "pad_token_id": None}),
    "phi3_longrope": Family(
        "Phi3",
        {
            "pad_token_id": None,
            "original_max_position_embeddings": 16,
            "rope_parameters": {
                "rope_type": "longrope",
                "rope_theta": 10000.0,
                "partial_rotary_factor": 0.75,
                "short_factor": [1.0, 1.1, 1.3],
                "long_factor": [1.0, 2.0, 5.0],
            },
        },
    ),
    "olmo2": Family("Olmo2", {"pad_token_id": None}),
    "gpt_oss": Family(
        "GptOss",
        {
            "head_dim": 8,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "intermediate_size": 32,
            "sliding_window": WINDOW,
            "rope_parameters": {**YARN, "rope_theta": 150000.0, "truncate": False},
        },
    ),
}
FAMILIES["gpt_oss_mxfp4"] = FAMILIES["gpt_oss"]


@dataclass(frozen=True)
class Reference:
    """What transformers says of a model: its greedy reply and the logits behind the prompt and every reply token."""

    prompt: np.ndarray  # int32 [PROMPT]
    reply: np.ndarray  # int32 [REPLY]
    logits: np.ndarray  # float32 [PROMPT + REPLY - 1, VOCABULARY]; row i predicts token i + 1


def write_model(name: str, folder: Path) -> Reference:
    """Writes the model as a Hugging Face folder in bfloat16 and runs the same weights in float32."""
    family = FAMILIES[name]
    config_class = getattr(transformers, f"{family.name}{'Text' if family.name == 'Gemma3' else ''}Config")
    model_class = getattr(transformers, f"{family.name}ForCausalLM")
    for seed in range(100):
        config = config_class(
            **{
                "vocab_size": VOCABULARY,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "max_position_embeddings": 512,
                "eos_token_id": None,
                "bos_token_id": None,
                **family.options,
            }
        )
        config._attn_implementation = config._experts_implementation = "eager"
        model = model_class(config).float().eval()
        torch.manual_seed(seed)
        randomise(model)
        packed = pack_experts(model) if name.endswith("mxfp4") else {}
        reference = run(model)
        top = np.sort(reference.logits[PROMPT - 1 :], axis=-1)
        if (top[:, -1] - top[:, -2]).min() > 1e-3 and len(set(reference.reply.tolist())) > 20:
            model.bfloat16().save_pretrained(folder, max_shard_size="30KB")  # small enough for several shards
            if packed:
                store_packed(folder, packed)
            return reference
    raise RuntimeError(f"{name}: no seed of a hundred gives a reply without near ties")


@torch.no_grad()
def randomise(model: torch.nn.Module) -> None:
    """Random values, which bfloat16 holds exactly, around what each parameter begins with."""
    for name, parameter in model.named_parameters():
        if "norm" not in name:
            parameter.zero_()
        parameter.add_(torch.randn_like(parameter) * 0.3)
        parameter.copy_(parameter.bfloat16().float())


@torch.no_grad()
def pack_experts(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Random MXFP4 blocks and scales for every expert's kernels, whose values the model is given."""
    packed = {}
    for name, parameter in model.named_parameters():
        if name.endswith(("gate_up_proj", "down_proj")):
            experts, inputs, outputs = parameter.shape
            blocks = torch.randint(256, (experts, outputs, inputs // 32, 16), dtype=torch.uint8)
            scales = torch.randint(122, 126, blocks.shape[:-1], dtype=torch.uint8)
            packed |= {f"{name}_blocks": blocks, f"{name}_scales": scales}
            parameter.copy_(convert_moe_packed_tensors(blocks, scales).float())
    return packed


def store_packed(folder: Path, packed: dict[str, torch.Tensor]) -> None:
    """Puts packed kernels in the place of plain ones, in a single file."""
    tensors = {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}
    for path in (*folder.glob("*.safetensors"), folder / "model.safetensors.index.json"):
        path.unlink()
    plain = {name: tensor for name, tensor in tensors.items() if f"{name}_blocks" not in packed}
    save_file(plain | packed, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "mxfp4"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def run(model: torch.nn.Module) -> Reference:
    """The greedy reply to a fixed prompt, and all logits, through transformers' own cache."""
    prompt = torch.randint(VOCABULARY, (1, PROMPT), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        output = model(prompt, use_cache=True)
        logits = [output.logits[0]]
        reply = [int(output.logits[0, -1].argmax())]
        while len(reply) < REPLY:
            output = model(torch.tensor([[reply[-1]]]), past_key_values=output.past_key_values, use_cache=True)
            logits.append(output.logits[0])
            reply.append(int(output.logits[0, -1].argmax()))
    return Reference(
        prompt[0].numpy().astype(np.int32), np.array(reply, np.int32), torch.cat(logits).numpy().astype(np.float32)
    )
