"""transformers' `generate`, run by an environment that has it: takes a request a line, answers with a line of JSON.

python transformers_worker.py FOLDER float32|bfloat16
"""

import json
import sys
import time

import torch
from transformers import LlamaForCausalLM, LogitsProcessorList


def main() -> None:
    """Serve until standard input ends."""
    folder, dtype = sys.argv[1:]
    model = LlamaForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype)).eval()
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    generate(model, [[20] * 16], 2, 60)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(generate(model, request["prompts"], request["tokens"], request["patience"])), flush=True)


def generate(model: LlamaForCausalLM, prompts: list[list[int]], tokens: int, patience: float) -> dict:
    """Seconds to the first token and to the last, and the tokens; stops early when `patience` seconds are over."""
    times: list[float] = []

    def note(ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        times.append(time.perf_counter())
        return scores

    began = time.perf_counter()
    with torch.inference_mode():
        output = model.generate(
            torch.tensor(prompts),
            attention_mask=torch.ones(len(prompts), len(prompts[0]), dtype=torch.long),
            max_new_tokens=tokens,
            min_new_tokens=1,
            do_sample=False,
            logits_processor=LogitsProcessorList([note]),  # called with each step's logits
            max_time=patience,
        )
    replies = output[:, len(prompts[0]) :].tolist()
    return {"first": times[0] - began, "rest": times[-1] - times[0], "steps": len(times), "replies": replies}


if __name__ == "__main__":
    main()
