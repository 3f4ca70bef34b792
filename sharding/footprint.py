"""What one device holds of a model on a mesh, and what a token costs it: bytes, operations, collectives.

All of it follows from the parameters' shapes and logical axes, the same that layouts follow, and needs no device.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from jax.sharding import AbstractMesh, NamedSharding

from serving.models.config import DecoderConfig
from sharding.collectives import Collective
from sharding.fit import Fit, fit
from sharding.mesh import AXES, MeshSpec
from sharding.rules import Rules

ACTIVATION_BYTES = 2  # bfloat16, also of keys and values
FLOAT32_BYTES = 4  # tables of slots, and what experts bring


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a decoder, or the same one of all its layers.

    Attributes:
        name: for messages, as `layers.*.mlp.up.kernel`.
        shape: in one layer.
        axes: a logical axis, or None, for each dimension.
        itemsize: bytes of an element.
        role: a kernel is multiplied by, [..., inputs, outputs]; a table is looked up; the rest are vectors.
        layers: how many have it; 0 for what stands before and after the layers.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str | None, ...]
    itemsize: int
    role: Literal["kernel", "table", "vector"]
    layers: int = 0


class Sum(NamedTuple):
    """A token's channels that are summed over devices, `times` in the layers that a device has or outside of them."""

    devices: int
    bytes: int  # of a token
    in_layers: bool
    times: int


@dataclass(frozen=True, slots=True)
class Footprint:
    """A device's part of a model, on a mesh that holds one replica of it.

    Attributes:
        fitted: how the model lies on the mesh; `fitted.config` is the model as the devices run it.
        mesh: of one replica.
        weight_bytes: of all parameters that the device holds.
        dense_bytes: of those that every step reads: all but experts, and but a table that is only looked up.
        expert_bytes: of the experts that the device holds; a step reads those that its tokens choose.
        token_elements: of the kernels that every token is multiplied by; of experts as many as it chooses.
        score_elements: of the kernel that makes the scores of the tokens that draw.
        sums: that follow products and look-ups which are cut where they contract.
        kv_head_bytes: of one head's key and value of a token, as the cache holds them.
    """

    fitted: Fit
    mesh: MeshSpec
    weight_bytes: int
    dense_bytes: int
    expert_bytes: int
    token_elements: float
    score_elements: int
    sums: tuple[Sum, ...]
    kv_head_bytes: int

    @classmethod
    def of(cls, config: DecoderConfig, parameters: Iterable[Parameter], mesh: MeshSpec, rules: Rules) -> "Footprint":
        """Adds up a model's parameters, given as `config` has them. Raises ShardingError where the mesh cannot work."""
        fitted, experts = fit(config, mesh, rules), config.experts
        weight_bytes = dense_bytes = expert_bytes = score_elements = 0
        token_elements = 0.0
        sums: Counter[tuple[int, int, bool]] = Counter()
        for parameter in parameters:
            part = _Part(parameter, fitted, mesh)
            size = part.elements * parameter.itemsize
            weight_bytes += size
            makes_scores = config.tied_embeddings if parameter.role == "table" else "vocab" in parameter.axes
            if part.of_experts:
                expert_bytes += size
            elif parameter.role != "table" or makes_scores:
                dense_bytes += size
            if makes_scores:
                score_elements += part.elements
            elif parameter.role == "kernel":
                share = experts.per_token / experts.count if experts and part.of_experts else 1
                token_elements += share * part.elements
            if part.summed_over > 1:
                itemsize = FLOAT32_BYTES if part.of_experts else ACTIVATION_BYTES
                sums[part.summed_over, part.shape[-1] * itemsize, parameter.layers > 0] += part.times
        return cls(
            fitted,
            mesh,
            weight_bytes,
            dense_bytes,
            expert_bytes,
            token_elements,
            score_elements,
            tuple(Sum(*key, times) for key, times in sums.items()),
            kv_head_bytes=2 * config.head_dim * ACTIVATION_BYTES,
        )

    @property
    def stages(self) -> int:
        """Pipeline stages, each of which holds as many layers as any other."""
        return self.fitted.rules.parts("layers", self.mesh)

    @property
    def heads(self) -> int:
        """Query heads of one device."""
        return self.fitted.config.heads // self.fitted.rules.parts("heads", self.mesh)

    @property
    def kv_heads(self) -> int:
        """Key and value heads of one device."""
        return self.fitted.config.kv_heads // self.fitted.rules.parts("kv_heads", self.mesh)

    @property
    def kv_layer_bytes(self) -> int:
        """Bytes that a device keeps of one token's keys and values, in one layer."""
        return self.kv_heads * self.kv_head_bytes

    @property
    def kv_bytes(self) -> int:
        """The same in all its layers."""
        return self.fitted.config.layers // self.stages * self.kv_layer_bytes

    def read_bytes(self, tokens: int) -> float:
        """Bytes of weights that a step of so many tokens reads at least.

        Of experts those that any token chooses: as many as are expected when choices fall on all alike.
        """
        if not (experts := self.fitted.config.experts):
            return self.dense_bytes
        return self.dense_bytes + self.expert_bytes * (1 - (1 - experts.per_token / experts.count) ** tokens)

    def keys_read(self, start: int, end: int) -> float:
        """Keys that the tokens [start, end) of a sequence look at together, summed over a device's layers."""
        return self._over_layers(lambda window: min(end, window + end - start - 1))

    def keys_met(self, start: int, end: int) -> float:
        """Keys that the tokens [start, end) of a sequence look at, each for itself, summed likewise."""

        def met(window: int) -> int:
            short, long = range(min(start, window), min(end, window)), max(end - max(start, window), 0)
            return len(short) * (short.start + short.stop + 1) // 2 + long * window

        return self._over_layers(met)

    def _over_layers(self, of: Callable[[int], float]) -> float:
        config = self.fitted.config
        windows = Counter(config.windows or (None,) * config.layers)
        unlimited = 2**62
        return sum(layers * of(window or unlimited) for window, layers in windows.items()) / self.stages

    def collectives(self, tokens: int, drawing: int, micro_batches: int = 1) -> list[Collective]:
        """What a device is likely to run in a step of so many tokens: sums, scores of those that draw, stages' results.

        Of these the last one is told to all, in two exchanges. An estimate from the axes alone; the compiler may merge
        some and choose others.
        """
        config, passes = self.fitted.config, self.passes(micro_batches)
        found = []
        for one in self.sums:
            parts, runs = (micro_batches, passes) if one.in_layers else (1, 1)
            found.append(Collective("all-reduce", tokens // parts * one.bytes, one.devices, one.times * runs))
        if (parts := self.fitted.rules.parts("vocab", self.mesh)) > 1:
            found.append(Collective("all-gather", drawing * config.vocab_size * ACTIVATION_BYTES, parts))
        if self.stages > 1:
            batch, step = (size * config.hidden_size * ACTIVATION_BYTES for size in (tokens // micro_batches, tokens))
            found.append(Collective("collective-permute", batch, self.stages, passes))
            found += [Collective(kind, step, self.stages) for kind in ("collective-permute", "all-reduce")]
        return found

    def passes(self, micro_batches: int) -> int:
        """Ticks of a pipeline until all micro-batches have gone through all stages; 1 without stages."""
        return self.stages + micro_batches - 1


class _Part:
    """One device's part of a parameter."""

    def __init__(self, parameter: Parameter, fitted: Fit, mesh: MeshSpec):
        held = tuple(
            size * fitted.kv_repeats if axis == "kv_heads" else size
            for size, axis in zip(parameter.shape, parameter.axes, strict=True)
        )
        devices = AbstractMesh(tuple(mesh.sizes.values()), AXES)
        self.shape = NamedSharding(devices, fitted.rules.spec(parameter.axes)).shard_shape(held)
        self.of_experts = "experts" in parameter.axes
        self.times = parameter.layers // fitted.rules.parts("layers", mesh) if parameter.layers else 1
        self.elements = math.prod(self.shape) * self.times
        self.summed_over = math.prod(fitted.rules.parts(axis, mesh) for axis in _contracted(parameter) if axis)
        """Devices whose products must be summed."""


def _contracted(parameter: Parameter) -> tuple[str | None, ...]:
    """Axes over which products are summed: a kernel's inputs, a table's rows.

    Of experts, each device has what those that it holds say, and all is summed once after their last projection.
    """
    if parameter.role == "table":
        return parameter.axes[:1]
    if parameter.role != "kernel":
        return ()
    if "experts" not in parameter.axes:
        return parameter.axes[-2:-1]
    return parameter.axes[:-1] if parameter.axes[-1] == "embed" else ()
