"""Where each parameter of a Decoder lies in a Hugging Face checkpoint, and how it is cut out of what lies there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from serving.models import mxfp4
from serving.models.config import DecoderConfig
from serving.models.tensor_files import Index

ParameterPath = tuple[str | int, ...]
"""A parameter's place in a Decoder, e.g. ("layers", 0, "mlp", "up", "kernel")."""
Read = Callable[[str, Index], np.ndarray]
"""read(tensor, index): a block of a stored tensor."""


@dataclass(frozen=True, slots=True)
class Part:
    """One projection's output channels in a tensor that holds several: every `step`-th from `start` to `stop`."""

    start: int
    stop: int
    step: int = 1

    def of(self, wanted: slice) -> slice:
        """The stored channels of this projection's channels from `wanted.start` to `wanted.stop`."""
        return slice(self.start + wanted.start * self.step, self.start + (wanted.stop - 1) * self.step + 1, self.step)


@dataclass(frozen=True, slots=True)
class Source:
    """One parameter's tensors: a single one, or one for each expert, which are stacked.

    Kernels are held [in, out] here, and stored [out, in] where `transposed`, as torch keeps them.
    """

    names: tuple[str, ...]
    transposed: bool = False
    stacked: bool = False
    part: Part | None = None
    quantised: bool = False  # as MXFP4: blocks and scales in tensors of their own

    @property
    def tensors(self) -> tuple[str, ...]:
        """Every stored tensor that the parameter is read from."""
        suffixes = ("_blocks", "_scales") if self.quantised else ("",)
        return tuple(name + suffix for name in self.names for suffix in suffixes)

    def shape(self, shape_of: Callable[[str], tuple[int, ...]]) -> tuple[int, ...]:
        """The parameter's shape here, from those of the stored tensors."""
        shape = shape_of(self.tensors[0])
        if self.quantised:
            shape = (*shape[:-2], shape[-2] * mxfp4.BLOCK)
        shape = swapped(shape) if self.transposed else shape
        if self.part:
            channels = range(self.part.start, min(self.part.stop, shape[-1]), self.part.step)
            shape = (*shape[:-1], len(channels))
        return (len(self.names), *shape) if self.stacked else shape

    def read(self, read: Read, index: Index) -> np.ndarray:
        """The block `index` of the parameter as it is held here."""
        if self.stacked:
            names = self.names[index[0]]
            return stacked((self._block(read, name, index[1:]) for name in names), len(names))
        return self._block(read, self.names[0], index)

    def _block(self, read: Read, name: str, index: Index) -> np.ndarray:
        stored = (*index[:-1], self.part.of(index[-1])) if self.part else index
        stored = swapped(stored) if self.transposed else stored
        block = _read_quantised(read, name, stored) if self.quantised else read(name, stored)
        return block.swapaxes(-1, -2) if self.transposed else block


def stacked(blocks: Iterable[np.ndarray], count: int) -> np.ndarray:
    """`count` blocks of equal shape as one array; only one of them is held beside it."""
    whole = None
    for place, block in enumerate(blocks):
        whole = np.empty((count, *block.shape), block.dtype) if whole is None else whole
        whole[place] = block
    return whole


def swapped(axes: tuple) -> tuple:
    """The last two change places."""
    return (*axes[:-2], axes[-1], axes[-2])


def _read_quantised(read: Read, name: str, index: Index) -> np.ndarray:
    """The groups that hold the wanted channels, whose ends are then cut off."""
    *outer, channels = index
    first, last = channels.start // mxfp4.BLOCK, -(-channels.stop // mxfp4.BLOCK)
    groups = (*outer, slice(first, last))
    blocks = read(f"{name}_blocks", (*groups, slice(0, mxfp4.BLOCK // 2)))
    values = mxfp4.dequantised(blocks, read(f"{name}_scales", groups))
    return values[..., channels.start - first * mxfp4.BLOCK : channels.stop - first * mxfp4.BLOCK]


_NORMS = {
    "before": {"attention_norm": "input_layernorm", "mlp_norm": "post_attention_layernorm"},
    "after": {"attention_post_norm": "post_attention_layernorm", "mlp_post_norm": "post_feedforward_layernorm"},
    "around": {
        "attention_norm": "input_layernorm",
        "attention_post_norm": "post_attention_layernorm",
        "mlp_norm": "pre_feedforward_layernorm",
        "mlp_post_norm": "post_feedforward_layernorm",
    },
}
_ATTENTION = {
    "query": "q_proj",
    "key": "k_proj",
    "value": "v_proj",
    "out": "o_proj",
    "query_norm": "q_norm",
    "key_norm": "k_norm",
}
_MLP = {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}
_MIXTRAL_MLP = {"gate": "w1", "up": "w3", "down": "w2"}
_ROUTERS = {"separate": "mlp.gate", "mixtral": "block_sparse_moe.gate", "fused": "mlp.router", "mxfp4": "mlp.router"}
_SUFFIXES = {"kernel": "weight", "scale": "weight", "bias": "bias"}


def source(path: ParameterPath, config: DecoderConfig, prefix: str = "model.") -> Source:
    """Where the parameter at `path` lies in a checkpoint whose decoder's names begin with `prefix`."""
    match path:
        case ("embed", _):
            return Source((f"{prefix}embed_tokens.weight",))
        case ("norm", _):
            return Source((f"{prefix}norm.weight",))
        case ("head", _):
            return Source(("lm_head.weight",), transposed=True)
        case ("layers", number, "attention", "sinks"):
            return Source((f"{prefix}layers.{number}.self_attn.sinks",))
        case ("layers", number, "attention", str(module), str(parameter)):
            return _attention(f"{prefix}layers.{number}.self_attn", module, parameter, config)
        case ("layers", number, "mlp", str(module), str(parameter)):
            of = _experts if config.experts else _mlp
            return of(f"{prefix}layers.{number}", module, parameter, config)
        case ("layers", number, str(norm), _):
            return Source((f"{prefix}layers.{number}.{_NORMS[config.norms][norm]}.weight",))
    raise KeyError(path)


def _attention(prefix: str, module: str, parameter: str, config: DecoderConfig) -> Source:
    name, transposed = _SUFFIXES[parameter], parameter == "kernel"
    if not config.fused_projections or module not in ("query", "key", "value"):
        return Source((f"{prefix}.{_ATTENTION[module]}.{name}",), transposed)
    wide, narrow = config.heads * config.head_dim, config.kv_heads * config.head_dim
    ends = {"query": (0, wide), "key": (wide, wide + narrow), "value": (wide + narrow, wide + 2 * narrow)}
    return Source((f"{prefix}.qkv_proj.{name}",), transposed, part=Part(*ends[module]))


def _mlp(prefix: str, module: str, parameter: str, config: DecoderConfig) -> Source:
    name, transposed = _SUFFIXES[parameter], parameter == "kernel"
    if not config.fused_projections or module == "down":
        return Source((f"{prefix}.mlp.{_MLP[module]}.{name}",), transposed)
    start = config.mlp_size if module == "up" else 0
    return Source((f"{prefix}.mlp.gate_up_proj.{name}",), transposed, part=Part(start, start + config.mlp_size))


def _experts(prefix: str, module: str, parameter: str, config: DecoderConfig) -> Source:
    experts, name, transposed = config.experts, _SUFFIXES[parameter], parameter == "kernel"
    if module == "router":
        return Source((f"{prefix}.{_ROUTERS[experts.stored_as]}.{name}",), transposed)
    match experts.stored_as:
        case "separate":
            names = (f"{prefix}.mlp.experts.{e}.{_MLP[module]}.{name}" for e in range(experts.count))
            return Source(tuple(names), transposed, stacked=True)
        case "mixtral":
            module = f"block_sparse_moe.experts.{{}}.{_MIXTRAL_MLP[module]}"
            names = (f"{prefix}.{module.format(e)}.{name}" for e in range(experts.count))
            return Source(tuple(names), transposed, stacked=True)
    # gpt-oss keeps all experts in one tensor, gate and up channel by channel in turns, and kernels [in, out] unless
    # they are quantised.
    stored = f"{prefix}.mlp.experts.{'down' if module == 'down' else 'gate_up'}_proj"
    part = None if module == "down" else Part(int(module == "up"), 2 * experts.mlp_size, 2)
    if parameter == "bias":
        return Source((f"{stored}_bias",), part=part)
    quantised = experts.stored_as == "mxfp4"
    return Source((stored,), transposed=quantised, part=part, quantised=quantised)
