"""A Decoder's weights: read from a model's files onto devices, written as safetensors or as an Orbax checkpoint."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.typing import DTypeLike
from safetensors.numpy import save_file

from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from serving.models.storage import CONFIG_FILE, ORBAX_FOLDER, SINGLE_FILE, open_storage
from serving.models.stored_weights import SCALE, StoredWeights, open_weights
from serving.models.tensor_files import CheckpointError, Index
from serving.models.tensors import ParameterPath, Source, source, stacked

LogicalAxes = tuple[str | None, ...]
Read = Callable[[Index], np.ndarray]
Place = Callable[[str, tuple[int, ...], DTypeLike, LogicalAxes, Read], jax.Array]
"""place(name, shape, dtype, axes, read): a parameter on its devices, such as `sharding.layout.Layout.place`.

`shape` is that of the stored parameter, of which `read` gives blocks; what the devices hold may repeat parts of it.
"""

CHUNK_BYTES = 1 << 24
"""Of an array in an Orbax checkpoint, which is read in whole chunks."""


def whole(name: str, shape: tuple[int, ...], dtype: DTypeLike, axes: LogicalAxes, read: Read) -> jax.Array:
    """The Place of the default device, which holds everything."""
    return jnp.asarray(np.ascontiguousarray(read(tuple(slice(0, size) for size in shape))), dtype)


def load(
    folder: Path, config: DecoderConfig, dtype: DTypeLike, place: Place = whole, run: Decoder | None = None
) -> Decoder:
    """Reads a Decoder from the weights of the model in `folder`, one parameter at a time.

    Args:
        config: the model as it is stored; but where `quantised` is set and kernels are stored in more bits, they are
            quantised on their devices.
        dtype: of everything that is not quantised.
        place: puts a parameter on its devices.
        run: the abstract decoder to be filled, where it is not that of `config`: with kv heads that `place` repeats, or
            with the layers of one of several pipeline stages, whose parameters get a first axis "layers" of all stages.

    Raises CheckpointError, or StorageError where files cannot be read.
    """
    described = nnx.eval_shape(lambda: Decoder(config, dtype=dtype, rngs=nnx.Rngs(0)))
    run = described if run is None else run
    graph, abstract = nnx.split(run)
    wanted, stored = (dict(nnx.to_flat_state(state)) for state in (abstract, nnx.state(described)))
    weights = open_weights(open_storage(folder), config)
    weights.require(path for path in stored if path[-1] != SCALE or weights.holds(path))
    values: dict[ParameterPath, jax.Array] = {}
    for path in wanted:
        if path[-1] == SCALE and not weights.holds(path):
            continue  # it is made with its kernel
        scale = (*path[:-1], SCALE)
        quantises = path[-1] == "kernel" and scale in wanted and not weights.holds(scale)
        kind = jnp.dtype(dtype) if quantises else stored[path].get_value().dtype
        alike = _in_stages(path, config.layers, run.config.layers)
        values[path] = _placed(weights, alike, stored[path], kind, place)
        if quantises:
            from serving.models.quantised import quantise_on_devices  # which needs qwix

            values[path], values[scale] = quantise_on_devices(values[path], config.quantised)
    return nnx.merge(graph, nnx.from_flat_state([(path, wanted[path].replace(values[path])) for path in wanted]))


def stored_dtype(folder: Path, config: DecoderConfig) -> np.dtype:
    """The type in which a model's embeddings are stored, and with them usually all that is not quantised."""
    return open_weights(open_storage(folder), config).dtype(("embed", "embedding"))


def _in_stages(path: ParameterPath, layers: int, length: int) -> list[ParameterPath]:
    """A parameter of the first stage as it is stored, and its likes in the stages of `length` layers that follow."""
    if path[0] != "layers":
        return [path]
    return [("layers", layer, *path[2:]) for layer in range(path[1], layers, length)]


def _placed(
    weights: StoredWeights, alike: Sequence[ParameterPath], variable: nnx.Variable, dtype: np.dtype, place: Place
) -> jax.Array:
    """A parameter on its devices, read as `dtype`; of several stages' likes, one array of them all.

    `variable` is what the model's description makes of it.
    """
    shape, axes = variable.get_value().shape, tuple(variable.get_metadata("out_sharding", None) or ())
    for path in alike:
        _check(weights, path, shape, dtype)
    name = ".".join(map(str, alike[0]))
    if len(alike) == 1:
        return place(name, shape, dtype, axes, lambda index: weights.read(alike[0], index))

    def read(index: Index) -> np.ndarray:
        chosen = alike[index[0]]
        return stacked((weights.read(path, index[1:]) for path in chosen), len(chosen))

    return place(name, (len(alike), *shape), dtype, ("layers", *axes), read)


def _check(weights: StoredWeights, path: ParameterPath, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raises CheckpointError for a parameter that is stored in another shape, or quantised in another way."""
    found, kind = weights.shape(path), weights.dtype(path)
    if found != shape:
        raise CheckpointError(f"{weights.describe(path)} holds {found} ([in, out]); config.json asks for {shape}")
    if kind != dtype and 1 in (kind.itemsize, dtype.itemsize):
        raise CheckpointError(f"{weights.describe(path)} is {kind}; accepted here is {dtype}")


def save(decoder: Decoder, folder: Path, dtype: DTypeLike = jnp.bfloat16) -> None:
    """Writes a Decoder's weights as FOLDER/model.safetensors under their Hugging Face names.

    Raises CheckpointError for quantised weights and for experts that are stored as MXFP4, which are read but not
    written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if decoder.config.quantised:
        raise CheckpointError(f"{folder}: {decoder.config.quantised} weights are written as Orbax checkpoints alone")
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


def save_orbax(decoder: Decoder, location: str) -> None:
    """Writes a Decoder's weights as the Orbax checkpoint LOCATION/orbax, in a folder (its full path) or under gs://.

    Raises ValueError where there is one already.
    """
    import orbax.checkpoint as ocp  # takes a second to import, which loading need not wait for

    tree = orbax_tree(nnx.state(decoder, nnx.Param))
    chunks = jax.tree.map(lambda _: ocp.SaveArgs(chunk_byte_size=CHUNK_BYTES), tree)
    with ocp.StandardCheckpointer() as checkpointer:
        checkpointer.save(f"{location}/{ORBAX_FOLDER}", tree, save_args=chunks)


def orbax_tree(state: nnx.State) -> dict[str, Any]:
    """The values of a Decoder's variables as its Orbax checkpoint names them: nested dictionaries of strings.

    Of abstract values with shardings, this is what Orbax's StandardRestore takes to read them onto any mesh.
    """
    tree: dict[str, Any] = {}
    for path, variable in nnx.to_flat_state(state):
        *outer, last = map(str, path)
        branch = tree
        for name in outer:
            branch = branch.setdefault(name, {})
        branch[last] = variable.get_value()
    return tree


def fingerprint(folder: Path, configuration: str) -> str:
    """A short hash of a model's configuration and weights and of how they are run.

    Weights are sampled, or known by the checksums that a bucket keeps, so that it takes a moment for any size.
    """
    storage = open_storage(folder)
    digest = hashlib.blake2b(configuration.encode(), digest_size=8)
    for name in sorted(storage.sizes):
        if name == CONFIG_FILE or name.endswith(".safetensors") or name.startswith(f"{ORBAX_FOLDER}/"):
            digest.update(name.encode() + storage.digest(name))
    return f"fp_{digest.hexdigest()}"
