"""Weights between a Hugging Face folder's safetensors and a Decoder."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from serving.models.tensors import Index, Source, source

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"


class CheckpointError(ValueError):
    """A folder's weights are missing, unreadable or of another shape; the message names the file and the tensor."""


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


class TensorFiles:
    """A folder's safetensors, open for reading blocks of single tensors."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._paths = shard_files(folder)
        self._files = {path: _open(path) for path in set(self._paths.values())}

    @property
    def prefix(self) -> str:
        """What the decoder's names begin with; it differs where a checkpoint holds more than a decoder."""
        embedding = "embed_tokens.weight"
        return next((name.removesuffix(embedding) for name in self._paths if name.endswith(embedding)), "model.")

    def require(self, names: Iterable[str]) -> None:
        """Raises CheckpointError unless every tensor is there."""
        absent = sorted(set(names) - set(self._paths))
        if absent:
            shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
            raise CheckpointError(f"{self._folder}: the checkpoint lacks {shown}, which config.json asks for")

    def file_of(self, name: str) -> Path:
        """The file that holds a tensor."""
        return self._paths[name]

    def shape(self, name: str) -> tuple[int, ...]:
        """A tensor's shape as it is stored. Raises CheckpointError where the index names a file without it."""
        return tuple(self._slice(name).get_shape())

    def read(self, name: str, index: Index) -> np.ndarray:
        """A block of a tensor; of the rest, only what lies between the steps of a slice is read."""
        block = self._slice(name)[tuple(slice(part.start, part.stop) for part in index)]
        return block[tuple(slice(None, None, part.step) for part in index)]

    def _slice(self, name: str) -> Any:
        path = self._paths[name]
        try:
            return self._files[path].get_slice(name)
        except SafetensorError as error:
            raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from None


def _open(path: Path) -> Any:
    """A file whose pages the system maps; nothing is read before a tensor is."""
    try:
        return safe_open(path, framework="numpy")
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from None


def load(folder: Path, config: DecoderConfig, dtype: DTypeLike) -> Decoder:
    """Reads a Decoder in `dtype` from FOLDER's safetensors, one parameter at a time. Raises CheckpointError."""
    graph, abstract = nnx.split(nnx.eval_shape(lambda: Decoder(config, dtype=dtype, rngs=nnx.Rngs(0))))
    variables = dict(nnx.to_flat_state(abstract))
    files = TensorFiles(folder)
    sources = {path: source(path, config, files.prefix) for path in variables}
    files.require(name for wanted in sources.values() for name in wanted.tensors)
    loaded = {
        path: variable.replace(_parameter(files, sources[path], variable.get_value().shape, dtype))
        for path, variable in variables.items()
    }
    return nnx.merge(graph, nnx.from_flat_state(loaded))


def _parameter(files: TensorFiles, wanted: Source, shape: tuple[int, ...], dtype: DTypeLike) -> jax.Array:
    """A parameter's value, once its tensors are known to have the right shape."""
    stored = wanted.shape(files.shape)
    if stored != shape:
        name = wanted.tensors[0]
        raise CheckpointError(f"{files.file_of(name)}: {name} holds {stored} ([in, out]); config.json asks for {shape}")
    block = wanted.read(files.read, tuple(slice(0, size) for size in shape))
    return jnp.asarray(np.ascontiguousarray(block), dtype)


def save(decoder: Decoder, folder: Path, dtype: DTypeLike = jnp.bfloat16) -> None:
    """Writes a Decoder's weights as FOLDER/model.safetensors under their Hugging Face names.

    Raises CheckpointError for a model whose experts are stored as MXFP4, which is read but not written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors: dict[str, np.ndarray] = {}
    for path, variable in nnx.to_flat_state(nnx.state(decoder, nnx.Param)):
        wanted = source(path, decoder.config)
        if wanted.quantised:
            raise CheckpointError(f"{folder}: experts are stored as MXFP4, which is not written")
        value = np.asarray(variable.get_value().astype(dtype))
        value = value.swapaxes(-1, -2) if wanted.transposed else value
        for name, piece in zip(wanted.names, value if wanted.stacked else [value], strict=True):
            tensors[name] = _joined(tensors.get(name), piece, wanted) if wanted.part else np.ascontiguousarray(piece)
    save_file(tensors, folder / SINGLE_FILE, metadata={"format": "pt"})


def _joined(whole: np.ndarray | None, piece: np.ndarray, wanted: Source) -> np.ndarray:
    """The tensor of several projections with one of them filled in, made as long as its last channel needs."""
    axis = piece.ndim - (2 if wanted.transposed else 1)
    length = max(wanted.part.stop, 0 if whole is None else whole.shape[axis])
    grown = np.zeros((*piece.shape[:axis], length, *piece.shape[axis + 1 :]), piece.dtype)
    if whole is not None:
        grown[(slice(None),) * axis + (slice(whole.shape[axis]),)] = whole
    part = slice(wanted.part.start, wanted.part.stop, wanted.part.step)
    grown[(slice(None),) * axis + (part,)] = piece
    return grown


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
