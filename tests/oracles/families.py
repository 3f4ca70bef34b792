"""Tiny Llama-family models with random weights, written by `transformers` and run by it: the oracle's side.

Only this file and `python -m tests.oracles.regenerate` import torch and transformers.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from transformers import LlamaConfig, LlamaForCausalLM

VOCABULARY = 64
PROMPT = 37  # tokens: two full pages of sixteen and a part of one
REPLY = 200

FAMILIES: dict[str, dict] = {
    "multi_head": {"num_key_value_heads": 4},
    "grouped_tied": {"num_key_value_heads": 2, "tie_word_embeddings": True},
    "one_kv_head_wide_heads": {"num_key_value_heads": 1, "head_dim": 16},
    "biased": {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True},
    "linear_rope": {
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0},
    },
    "llama3_rope": {
        "num_key_value_heads": 2,
        "rope_parameters": {
            "rope_type": "llama3",
            "rope_theta": 500000.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
    },
}


@dataclass(frozen=True)
class Reference:
    """What transformers says of a model: its greedy reply and the logits behind the prompt and every reply token."""

    prompt: np.ndarray  # int32 [PROMPT]
    reply: np.ndarray  # int32 [REPLY]
    logits: np.ndarray  # float32 [PROMPT + REPLY - 1, VOCABULARY]; row i predicts token i + 1


def write_model(name: str, folder: Path) -> Reference:
    """Writes the model as a Hugging Face folder and runs it in float32."""
    for seed in range(100):
        torch.manual_seed(seed)
        config = LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=512,
            initializer_range=0.3,
            eos_token_id=None,
            bos_token_id=None,
            **FAMILIES[name],
        )
        model = LlamaForCausalLM(config).float().eval()
        with torch.no_grad():
            for parameter_name, parameter in model.named_parameters():
                if parameter_name.endswith(".bias") or "norm" in parameter_name:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
        reference = run(model)
        top = np.sort(reference.logits[PROMPT - 1 :], axis=-1)
        if (top[:, -1] - top[:, -2]).min() > 1e-3 and len(set(reference.reply.tolist())) > 20:
            model.save_pretrained(folder, max_shard_size="60KB")  # small enough for several shards
            return reference
    raise RuntimeError(f"{name}: no seed of a hundred gives a reply without near ties")


def run(model: LlamaForCausalLM) -> Reference:
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
