"""An Encoder's weights, read from a Hugging Face folder's safetensors."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from serving.models.encoder import Encoder
from serving.models.encoder_config import EncoderConfig
from serving.models.storage import open_storage
from serving.models.tensor_files import CheckpointError, TensorFiles

ParameterPath = tuple[str | int, ...]

FIRST_TENSOR = "embeddings.word_embeddings.weight"

_EMBEDDINGS = {"words": "word_embeddings", "positions": "position_embeddings", "types": "token_type_embeddings"}
_BERT = {
    "query_key_value": ("attention.self.query", "attention.self.key", "attention.self.value"),
    "out": ("attention.output.dense",),
    "attention_norm": ("attention.output.LayerNorm",),
    "up": ("intermediate.dense",),
    "down": ("output.dense",),
    "norm": ("output.LayerNorm",),
}
_MPNET = _BERT | {
    "query_key_value": ("attention.attn.q", "attention.attn.k", "attention.attn.v"),
    "out": ("attention.attn.o",),
    "attention_norm": ("attention.LayerNorm",),
}
_DISTILBERT = {
    "query_key_value": ("attention.q_lin", "attention.k_lin", "attention.v_lin"),
    "out": ("attention.out_lin",),
    "attention_norm": ("sa_layer_norm",),
    "up": ("ffn.lin1",),
    "down": ("ffn.lin2",),
    "norm": ("output_layer_norm",),
}
_LAYERS = {
    "bert": ("encoder.layer", _BERT),
    "mpnet": ("encoder.layer", _MPNET),
    "distilbert": ("transformer.layer", _DISTILBERT),
}
"""By layout: what the list of layers is called, and what is in one."""
_SUFFIXES = {"kernel": "weight", "scale": "weight", "embedding": "weight", "bias": "bias"}
_OLDER = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}  # of TensorFlow's time


def load(folder: Path, config: EncoderConfig) -> Encoder:
    """Reads an Encoder in float32 from the weights of the model in `folder`.

    Raises CheckpointError, which names the tensor, or StorageError where files cannot be read.
    """
    graph, abstract = nnx.split(nnx.eval_shape(lambda: Encoder(config, rngs=nnx.Rngs(0))))
    wanted = dict(nnx.to_flat_state(abstract))
    files = TensorFiles(open_storage(folder))
    prefix = next((name.removesuffix(FIRST_TENSOR) for name in files.names if name.endswith(FIRST_TENSOR)), "")
    names = {path: [_stored(prefix + name, files) for name in tensor_names(path, config)] for path in wanted}
    files.require(name for tensors in names.values() for name in tensors)
    values = {
        path: variable.replace(_parameter(files, names[path], path, variable.get_value().shape))
        for path, variable in wanted.items()
    }
    return nnx.merge(graph, nnx.from_flat_state(list(values.items())))


def tensor_names(path: ParameterPath, config: EncoderConfig) -> list[str]:
    """The tensors that hold a parameter, without the checkpoint's prefix: one, or several side by side."""
    suffix = _SUFFIXES[path[-1]]
    match path:
        case ("embeddings", "norm", _):
            return [f"embeddings.LayerNorm.{suffix}"]
        case ("embeddings", str(module), _):
            return [f"embeddings.{_EMBEDDINGS[module]}.{suffix}"]
        case ("distances", _):
            return [f"encoder.relative_attention_bias.{suffix}"]
        case ("layers", number, *_, str(module), _):
            layers, modules = _LAYERS[config.layout]
            return [f"{layers}.{number}.{name}.{suffix}" for name in modules[module]]
    raise KeyError(path)


def _stored(name: str, files: TensorFiles) -> str:
    """The name that a tensor goes by in this checkpoint."""
    for newer, older in _OLDER.items():
        if name.endswith(newer) and name not in files.names:
            return name.removesuffix(newer) + older
    return name


def _parameter(files: TensorFiles, names: list[str], path: ParameterPath, shape: tuple[int, ...]) -> jax.Array:
    """A parameter as it is held here: kernels [in, out], where torch keeps them [out, in]."""
    value = np.concatenate([_whole(files, name) for name in names])
    value = value.T if path[-1] == "kernel" else value
    if value.shape != shape:
        raise CheckpointError(
            f"{files.location_of(names[0])}: {names[0]} holds {value.shape}"
            f"{' ([in, out])' if path[-1] == 'kernel' else ''}; config.json asks for {shape}"
        )
    return jnp.asarray(value, jnp.float32)


def _whole(files: TensorFiles, name: str) -> np.ndarray:
    return files.read(name, tuple(slice(0, size) for size in files.tensor(name).shape))
