"""A decoder's parameters as they lie in a model's files: under Hugging Face's names, or as an Orbax checkpoint.

Both give blocks of single parameters, in the shape in which a Decoder holds them, and read nothing else.
"""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import numpy as np
import tensorstore

from serving.models.config import DecoderConfig
from serving.models.storage import ORBAX_FOLDER, ORBAX_MANIFEST, Storage
from serving.models.tensor_files import CheckpointError, TensorFiles, require
from serving.models.tensors import Index, ParameterPath, Source, source

SCALE = "kernel_scale"
"""A quantised kernel's scales lie beside it under this name (serving.models.quantised)."""

CACHED_BYTES = 1 << 27
"""Of an Orbax checkpoint's chunks, which hold parts of several devices."""


DRIVERS = {".zarray": "zarr", "zarr.json": "zarr3"}
"""TensorStore's driver of an array, by the name of the file that describes it."""


class StoredWeights(Protocol):
    """A decoder's parameters in a model's files."""

    def holds(self, path: ParameterPath) -> bool:
        """Whether a parameter is stored. A kernel's scales are not where the kernel is not quantised."""

    def require(self, paths: Iterable[ParameterPath]) -> None:
        """Raises CheckpointError unless all of these parameters are there."""

    def shape(self, path: ParameterPath) -> tuple[int, ...]:
        """A parameter's shape."""

    def dtype(self, path: ParameterPath) -> np.dtype:
        """The type that a parameter is stored in."""

    def read(self, path: ParameterPath, index: Index) -> np.ndarray:
        """A block of a parameter."""

    def describe(self, path: ParameterPath) -> str:
        """A parameter's file and name, for messages."""


def open_weights(storage: Storage, config: DecoderConfig) -> StoredWeights:
    """The weights among a model's files. Raises CheckpointError or StorageError."""
    if ORBAX_MANIFEST in storage.sizes:
        return OrbaxWeights(storage)
    return SafetensorsWeights(storage, config)


class SafetensorsWeights:
    """Parameters under their Hugging Face names. `config` is the model as it is stored."""

    def __init__(self, storage: Storage, config: DecoderConfig):
        self._files = TensorFiles(storage)
        self._config = config
        embedding = "embed_tokens.weight"
        # Names differ where a checkpoint holds more than a decoder.
        found = (name.removesuffix(embedding) for name in self._files.names if name.endswith(embedding))
        self._prefix = next(found, "model.")
        self._last: ParameterPath = ()

    def holds(self, path: ParameterPath) -> bool:
        """Files of this kind that hold scales are refused with their config.json."""
        return path[-1] != SCALE

    def require(self, paths: Iterable[ParameterPath]) -> None:
        """Raises CheckpointError unless all of these parameters are there."""
        self._files.require(name for path in paths for name in self._source(path).tensors)

    def shape(self, path: ParameterPath) -> tuple[int, ...]:
        """A parameter's shape."""
        return self._source(path).shape(lambda name: self._files.tensor(name).shape)

    def dtype(self, path: ParameterPath) -> np.dtype:
        """The type that a parameter is stored in; MXFP4 is widened to float32 as it is read."""
        wanted = self._source(path)
        return np.dtype(np.float32) if wanted.quantised else self._files.tensor(wanted.names[0]).dtype

    def read(self, path: ParameterPath, index: Index) -> np.ndarray:
        """A block of a parameter."""
        if path != self._last:
            self._files.forget()
            self._last = path
        return self._source(path).read(self._files.read, index)

    def describe(self, path: ParameterPath) -> str:
        """A parameter's file and name."""
        name = self._source(path).tensors[0]
        return f"{self._files.location_of(name)}: {name}"

    def _source(self, path: ParameterPath) -> Source:
        return source(path, self._config, self._prefix)


class OrbaxWeights:
    """Parameters under their own names, as `serving.models.checkpoint.save_orbax` writes them.

    The arrays are read through TensorStore, as Orbax itself does, because it reads blocks of single arrays.
    """

    def __init__(self, storage: Storage):
        self._location = storage.location(ORBAX_FOLDER)
        self._base = storage.kvstore(ORBAX_FOLDER)
        self._context = tensorstore.Context({"cache_pool": {"total_bytes_limit": CACHED_BYTES}})
        with self._explained(""):
            keys = tensorstore.KvStore.open(self._kvstore(""), context=self._context).result().list().result()
        named = (key.decode().rpartition("/") for key in keys)
        self._drivers = {name: DRIVERS[file] for name, _, file in named if file in DRIVERS}
        self._arrays: dict[str, tensorstore.TensorStore] = {}

    def holds(self, path: ParameterPath) -> bool:
        """Whether a parameter is stored."""
        return _name(path) in self._drivers

    def require(self, paths: Iterable[ParameterPath]) -> None:
        """Raises CheckpointError unless all of these parameters are there."""
        require(map(_name, paths), self._drivers.keys(), self._location)

    def shape(self, path: ParameterPath) -> tuple[int, ...]:
        """A parameter's shape."""
        return self._array(_name(path)).shape

    def dtype(self, path: ParameterPath) -> np.dtype:
        """The type that a parameter is stored in."""
        return self._array(_name(path)).dtype.numpy_dtype

    def read(self, path: ParameterPath, index: Index) -> np.ndarray:
        """A block of a parameter."""
        with self._explained(_name(path)):
            return self._array(_name(path))[index].read().result()

    def describe(self, path: ParameterPath) -> str:
        """The checkpoint and a parameter's name."""
        return f"{self._location}: {_name(path)}"

    def _array(self, name: str) -> tensorstore.TensorStore:
        if name not in self._arrays:
            kvstore = self._kvstore(f"{name}/")
            once = {"recheck_cached_data": False, "recheck_cached_metadata": False}  # checkpoints never change
            with self._explained(name):
                opened = tensorstore.open(
                    {"driver": self._drivers[name], "kvstore": kvstore, **once}, open=True, context=self._context
                )
                self._arrays[name] = opened.result()
        return self._arrays[name]

    def _kvstore(self, path: str) -> dict[str, Any]:
        return {"driver": "ocdbt", "base": self._base, "path": path}

    @contextlib.contextmanager
    def _explained(self, name: str) -> Iterator[None]:
        try:
            yield
        except ValueError as error:
            reason = str(error).partition(" [")[0]  # what follows is TensorStore's specification
            raise CheckpointError(f"{self._location}: {name or 'the checkpoint'} cannot be read ({reason})") from None


def _name(path: ParameterPath) -> str:
    """A parameter's name in an Orbax checkpoint, e.g. `layers.0.mlp.up.kernel`."""
    return ".".join(map(str, path))
