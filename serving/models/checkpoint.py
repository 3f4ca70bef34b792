"""Weights between a Hugging Face folder's safetensors and a Decoder."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from safetensors import SafetensorError, safe_open
from safetensors.flax import save_file

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"

_LAYER_MODULES = {
    "attention_norm": "input_layernorm",
    "attention.query": "self_attn.q_proj",
    "attention.key": "self_attn.k_proj",
    "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.o_proj",
    "mlp_norm": "post_attention_layernorm",
    "mlp.gate": "mlp.gate_proj",
    "mlp.up": "mlp.up_proj",
    "mlp.down": "mlp.down_proj",
}
_PARAMETERS = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}


class CheckpointError(ValueError):
    """A folder's weights are missing, unreadable or of another shape; the message names the file and the tensor."""


def tensor_name(path: tuple[str | int, ...]) -> str:
    """The Hugging Face name of the parameter at `path` of a Decoder, e.g. ("layers", 0, "mlp", "up", "kernel")."""
    *modules, parameter = path
    if modules[0] == "layers":
        module = f"model.layers.{modules[1]}.{_LAYER_MODULES['.'.join(map(str, modules[2:]))]}"
    else:
        module = {"embed": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}[str(modules[0])]
    return f"{module}.{_PARAMETERS[str(parameter)]}"


def is_transposed(path: tuple[str | int, ...]) -> bool:
    """Whether the parameter is stored [out, in] in the file and held [in, out] here."""
    return path[-1] == "kernel"


def shard_files(folder: Path) -> dict[str, Path]:
    """Which file holds each tensor. Raises CheckpointError naming the file that is missing or unreadable."""
    index_path = folder / INDEX_FILE
    if index_path.exists():
        try:
            names: dict[str, str] = json.loads(index_path.read_text(encoding="utf-8"))["weight_map"]
        except (json.JSONDecodeError, KeyError, UnicodeDecodeError) as error:
            raise CheckpointError(f"{index_path}: not a safetensors index ({error})") from None
        missing = sorted({name for name in names.values() if not (folder / name).exists()})
        if missing:
            raise CheckpointError(f"{folder}: {INDEX_FILE} names shards that are not there: {', '.join(missing)}")
        return {tensor: folder / name for tensor, name in names.items()}
    single = folder / SINGLE_FILE
    if not single.exists():
        raise CheckpointError(f"{folder}: holds neither {SINGLE_FILE} nor {INDEX_FILE}")
    try:
        with safe_open(single, framework="flax") as file:
            return dict.fromkeys(file.keys(), single)
    except SafetensorError as error:
        raise CheckpointError(f"{single}: not a readable safetensors file ({error})") from None


def load(folder: Path, config: DecoderConfig, dtype: DTypeLike) -> Decoder:
    """Reads a Decoder in `dtype` from FOLDER's safetensors, one tensor at a time."""
    decoder = nnx.eval_shape(lambda: Decoder(config, dtype=dtype, rngs=nnx.Rngs(0)))
    graph, abstract = nnx.split(decoder)
    files = shard_files(folder)
    wanted = {path: tensor_name(path) for path, _ in nnx.to_flat_state(abstract)}
    absent = sorted(set(wanted.values()) - set(files))
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        raise CheckpointError(f"{folder}: the checkpoint lacks {shown}, which config.json asks for")
    loaded = dict(_read(abstract, wanted, files, dtype))
    return nnx.merge(graph, nnx.from_flat_state(loaded))


def _read(
    abstract: nnx.State, wanted: dict[tuple, str], files: dict[str, Path], dtype: DTypeLike
) -> Iterator[tuple[tuple, nnx.Variable]]:
    """Yields every wanted variable with its value, file by file."""
    variables = dict(nnx.to_flat_state(abstract))
    for file_path in sorted({files[name] for name in wanted.values()}):
        try:
            with safe_open(file_path, framework="numpy") as file:
                for path, name in wanted.items():
                    if files[name] != file_path:
                        continue
                    stored = file.get_tensor(name)
                    stored = stored.T if is_transposed(path) else stored
                    expected = variables[path].get_value().shape
                    if stored.shape != expected:
                        raise CheckpointError(
                            f"{file_path}: {name} holds {stored.shape} ([in, out]); config.json asks for {expected}"
                        )
                    yield path, variables[path].replace(jnp.asarray(np.ascontiguousarray(stored), dtype))
        except SafetensorError as error:
            raise CheckpointError(f"{file_path}: not a readable safetensors file ({error})") from None


def save(decoder: Decoder, folder: Path, dtype: DTypeLike = jnp.bfloat16) -> None:
    """Writes a Decoder's weights as FOLDER/model.safetensors under their Hugging Face names."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, jax.Array] = {}
    for path, variable in nnx.to_flat_state(nnx.state(decoder, nnx.Param)):
        value = variable.get_value().astype(dtype)
        tensors[tensor_name(path)] = value.T if is_transposed(path) else value
    save_file(tensors, folder / SINGLE_FILE, metadata={"format": "pt"})


def fingerprint(folder: Path, configuration: str) -> str:
    """A short hash of a folder's configuration and weights and of how they are run.

    Of large files the start (with every tensor's name, type and offset) and samples at even distances are read, so
    that it takes a moment for any size.
    """
    digest = hashlib.blake2b(configuration.encode(), digest_size=8)
    sample = 1 << 20
    for path in [folder / "config.json", *sorted(set(shard_files(folder).values()))]:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for offset in range(0, size, max(sample, size // 64)):
                file.seek(offset)
                digest.update(file.read(sample))
    return f"fp_{digest.hexdigest()}"
