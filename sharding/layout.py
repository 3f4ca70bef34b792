"""A layout: a model on a mesh. Says where every array lies, and puts weights there."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.typing import DTypeLike

from serving.models.config import DecoderConfig
from sharding.fit import fit, stage_of, widest
from sharding.mesh import AXES, MeshSpec, ShardingError, build_mesh
from sharding.placement import Read, place, repeat_heads
from sharding.rules import LogicalAxes, Rules


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the arrays of one engine lie.

    Attributes:
        config: the model as the devices run it: its kv_heads count repeats. Build the decoder that runs from this one.
        mesh: the devices, with every axis of `sharding.mesh.AXES`.
        rules: the table as it applies to this model.
        kv_repeats: how often each key/value head is held.
        notes: sentences for people, about what was repeated, kept whole or narrowed.
    """

    config: DecoderConfig
    mesh: Mesh
    rules: Rules
    kv_repeats: int
    notes: tuple[str, ...]

    @classmethod
    def plan(
        cls, config: DecoderConfig, spec: MeshSpec | None, rules: Rules, devices: Sequence[jax.Device]
    ) -> "Layout":
        """Lays a model out over `devices` as `spec` says; None cuts it among as many as its heads allow.

        Raises ShardingError, with the arithmetic, where that cannot work.
        """
        narrowed: tuple[str, ...] = ()
        if spec is None:
            spec, narrowed = widest(config, len(devices), rules)
        fitted = fit(config, spec, rules)
        mesh = build_mesh(spec, devices)
        return cls(fitted.config, mesh, fitted.rules, fitted.kv_repeats, narrowed + fitted.notes)

    @property
    def stages(self) -> int:
        """Pipeline stages, one behind the other."""
        return self.rules.parts("layers", self.spec)

    @property
    def stage_config(self) -> DecoderConfig:
        """The decoder that each stage runs: `config` with as many layers as one stage has."""
        return stage_of(self.config, self.stages)

    @property
    def spec(self) -> MeshSpec:
        """The mesh's sizes."""
        return MeshSpec(**self.mesh.shape)

    @property
    def replicated(self) -> NamedSharding:
        """For what every device holds whole, such as a step's inputs."""
        return NamedSharding(self.mesh, PartitionSpec())

    def whole(self, x: jax.Array, axes: LogicalAxes) -> jax.Array:
        """`x` on every device, inside a program; until then it is cut as these axes say.

        Without that the compiler may cut nothing and gather what `x` is computed from: for scores, the model's head.
        """
        if self.mesh.size == 1:
            return x
        return jax.lax.with_sharding_constraint(
            jax.lax.with_sharding_constraint(x, self.sharding(axes)), self.replicated
        )

    def sharding(self, axes: LogicalAxes) -> NamedSharding:
        """For an array with these logical axes."""
        return NamedSharding(self.mesh, self.rules.spec(axes))

    def even_sharding(self, name: str, shape: tuple[int, ...], axes: LogicalAxes) -> NamedSharding:
        """For an array whose shape must be cut evenly, as JAX asks of arguments. Raises ShardingError with its name."""
        axes = tuple(axes)
        sharding = self.sharding(axes)
        for size, cut in zip(shape, sharding.spec, strict=False):
            along = (cut,) if isinstance(cut, str) else cut or ()
            parts = math.prod(self.mesh.shape[axis] for axis in along)
            if size % parts:
                raise ShardingError(
                    f"{name} is {list(shape)} with the axes {', '.join(map(str, axes))}: the {parts} devices along "
                    f"{' and '.join(along)} do not divide {size}; change the rule of that axis"
                )
        return sharding

    def shardings(self, state: nnx.State) -> nnx.State:
        """For every variable of a decoder that was built from `config`, by the logical axes that it carries.

        Raises ShardingError naming the parameter that a rule would cut unevenly.
        """

        def of(path: tuple, variable: nnx.Variable) -> nnx.Variable:
            shape = variable.get_value().shape
            return variable.replace(self.even_sharding(_name(path), shape, logical_axes(variable)))

        return nnx.map_state(of, state)

    def place(self, name: str, shape: tuple[int, ...], dtype: DTypeLike, axes: LogicalAxes, read: Read) -> jax.Array:
        """A parameter on its devices, its kv heads repeated; each device's part is read, not the whole.

        Args:
            name: for messages.
            shape: of the parameter as it is stored, which `read` gives parts of.
        """
        axes, held = tuple(axes), list(shape)
        if self.kv_repeats > 1 and "kv_heads" in axes:
            axis = axes.index("kv_heads")
            held[axis] *= self.kv_repeats
            read = repeat_heads(read, axis, held[axis] // self.config.kv_heads, self.kv_repeats)
        return place(tuple(held), dtype, self.even_sharding(name, tuple(held), axes), read)

    def distribute(self, state: nnx.State) -> nnx.State:
        """The variables of a decoder that was built from the model's own config, placed as `stage_config` wants them.

        Of a pipeline's layers, those with the same place in each stage become one array with a first axis "layers".
        """
        variables = dict(nnx.to_flat_state(state))
        length = self.stage_config.layers

        def of(path: tuple, variable: nnx.Variable) -> nnx.Variable:
            axes, value = logical_axes(variable), np.asarray(variable.get_value())
            if self.stages > 1 and path[0] == "layers":
                alike = [variables["layers", stage * length + path[1], *path[2:]] for stage in range(self.stages)]
                axes, value = ("layers", *axes), np.stack([np.asarray(one.get_value()) for one in alike])
            return variable.replace(self.place(_name(path), value.shape, value.dtype, axes, value.__getitem__))

        held = {
            path: of(path, variable) for path, variable in variables.items() if path[0] != "layers" or path[1] < length
        }
        return nnx.from_flat_state(held)

    def per_device(self, function: Callable, inputs: Any, outputs: Any, summed: tuple[str, ...] = ()) -> Callable:
        """`function` as every device runs it on the parts that it holds, without a word to the others.

        `inputs` and `outputs` are trees of logical axes, each a PartitionSpec of their names. Results of which each
        part of the logical axes `summed` brings a share are added up. Inside a pipeline's stage the stages' axis is
        cut already.
        """
        if self.mesh.size == 1:
            return function
        around = jax.sharding.get_abstract_mesh()
        free = set(AXES) - set(around.manual_axes)
        added = tuple(axis for name in summed for axis in self.rules.table[name] if axis in free)

        def of(axes: PartitionSpec) -> PartitionSpec:
            return PartitionSpec(*(_only(cut, free) for cut in self.rules.spec(axes)))

        def specs(tree: Any) -> Any:
            return jax.tree.map(of, tree, is_leaf=lambda leaf: isinstance(leaf, PartitionSpec))

        def shared(*arguments: Any) -> Any:
            return jax.lax.psum(function(*arguments), added) if added else function(*arguments)

        # Loops that start from constants and kernels both say nothing of which axes they vary along.
        return jax.shard_map(
            shared,
            mesh=self.mesh if around.empty else around,
            in_specs=specs(inputs),
            out_specs=specs(outputs),
            axis_names=free,
            check_vma=False,
        )


def logical_axes(variable: nnx.Variable) -> tuple[str | None, ...]:
    """The logical axes that a parameter was made with; none for one that every device holds whole."""
    return tuple(variable.get_metadata("out_sharding", None) or ())


def device_bytes(arrays: Any, shardings: Any) -> int:
    """Bytes that each device holds of a tree of arrays (or of their shapes) under a tree of shardings."""
    held = jax.tree.map(
        lambda array, sharding: math.prod(sharding.shard_shape(array.shape)) * array.dtype.itemsize, arrays, shardings
    )
    return sum(jax.tree.leaves(held))


def _name(path: tuple) -> str:
    """A parameter's name in messages, e.g. `layers.0.mlp.up.kernel`."""
    return ".".join(map(str, path))


def _only(cut: str | tuple[str, ...] | None, free: set[str]) -> str | tuple[str, ...] | None:
    """Of the mesh axes that a dimension is cut along, those in `free`."""
    if cut is None or isinstance(cut, str):
        return cut if cut in free else None
    return tuple(axis for axis in cut if axis in free) or None
