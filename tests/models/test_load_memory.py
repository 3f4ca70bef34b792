"""How much host memory loading takes, measured in a process of its own.

On a CPU the devices' memory is the host's, so here `place` is that of four devices with a memory of their own: it reads
each device's part, sums it and lets it go. What the process then grows by at most is what the host itself needs beside
devices, however large the model is.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

HIDDEN, MLP, LAYERS, VOCABULARY = 512, 2048, 6, 4096
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 8,
    "intermediate_size": MLP,
    "tie_word_embeddings": True,
}
DEVICES = 4
PROGRAM = f'''
import json, resource, sys
from pathlib import Path
import jax, numpy as np, psutil
from serving.models import checkpoint
from serving.models.config import DecoderConfig

folder, sums = Path(sys.argv[1]), {{}}

def place(name, shape, dtype, axes, read):
    for device in range({DEVICES}):
        share = shape[-1] // {DEVICES}
        part = read((*(slice(0, n) for n in shape[:-1]), slice(device * share, device * share + share)))
        sums[name] = sums.get(name, 0.0) + float(np.asarray(part, dtype).sum(dtype=np.float64))
    return jax.ShapeDtypeStruct(shape, dtype)

def peak():
    """The most memory that this process ever had; getrusage on Linux tells of the parent's too."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def unread(name, shape, dtype, axes, read):
    return jax.ShapeDtypeStruct(shape, dtype)

config = DecoderConfig.from_folder(folder)
checkpoint.load(folder, config, np.float32, unread)  # what describing the model takes, whatever its size
before = psutil.Process().memory_info().rss
checkpoint.load(folder, config, np.float32, place)
print(json.dumps({{"growth": peak() - before, "sums": sums}}))
'''


def test_the_host_holds_little_more_than_one_tensor(tmp_path: Path):
    random = np.random.default_rng(0)
    tensors = {"model.embed_tokens.weight": (VOCABULARY, HIDDEN), "model.norm.weight": (HIDDEN,)}
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}"
        tensors |= {f"{prefix}.self_attn.{name}_proj.weight": (HIDDEN, HIDDEN) for name in "qkvo"}
        tensors |= {f"{prefix}.mlp.{name}_proj.weight": (MLP, HIDDEN) for name in ("gate", "up")}
        tensors |= {f"{prefix}.mlp.down_proj.weight": (HIDDEN, MLP)}
        tensors |= {f"{prefix}.{name}_layernorm.weight": (HIDDEN,) for name in ("input", "post_attention")}
    values = {name: random.random(shape, np.float32) for name, shape in tensors.items()}
    save_file(values, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, check=True, cwd=Path.cwd()
    )
    measured = json.loads(done.stdout)
    largest, whole = max(v.nbytes for v in values.values()), sum(v.nbytes for v in values.values())
    assert whole > 12 * largest
    assert measured["growth"] < 2 * largest, f"{measured['growth']:,} bytes for tensors of at most {largest:,}"
    for ours, theirs in [("embed.embedding", "embed_tokens"), ("layers.5.mlp.down.kernel", "layers.5.mlp.down_proj")]:
        expected = values[f"model.{theirs}.weight"].sum(dtype=np.float64)
        np.testing.assert_allclose(measured["sums"][ours], expected, rtol=1e-9)
