"""Rules: which mesh axis each logical axis of an array is cut along. Trying another sharding is changing one line.

Arrays are described in the model's words, `("embed", "heads")` for a query projection; the table says what that means
on a mesh. A rules file replaces single lines of it:

    mlp = ["expert", "tensor"]   # cut along both
    vocab = []                   # whole on every device
"""

import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jax.sharding import PartitionSpec

from sharding.mesh import AXES, MeshSpec, ShardingError

LogicalAxes = Iterable[str | tuple[str, ...] | None]
"""One entry a dimension: a logical axis, several that are folded into it (major first), or None."""

DEFAULT_RULES: Mapping[str, tuple[str, ...]] = {
    "embed": (),  # the residual stream
    "heads": ("tensor",),  # query heads, and what they bring to the output projection
    "kv_heads": ("tensor",),  # key and value heads, in the projections and in the cache
    "mlp": ("tensor",),  # the inner width of an MLP or of an expert
    "vocab": ("tensor",),  # rows of the embedding and columns of the head
    "layers": ("pipeline",),  # contiguous stages
    "experts": ("expert",),
    "pages": (),  # of the KV cache: any row may read any page
    "rows": (),  # the sequences of a step
}


@dataclass(frozen=True)
class Rules:
    """The table from logical axes to mesh axes."""

    table: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_RULES))

    @classmethod
    def from_file(cls, path: Path) -> "Rules":
        """The default table with the lines that the TOML file at `path` replaces. Raises ShardingError or OSError."""
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ShardingError(f"{path}: not a TOML file ({error})") from None
        return cls().replace(table)

    def replace(self, lines: Mapping[str, object]) -> "Rules":
        """These rules with some lines replaced; a value is a mesh axis or a list of them. Raises ShardingError."""
        table = dict(self.table)
        for axis, value in lines.items():
            if axis not in table:
                raise ShardingError(f"rule {axis} = {value!r}: accepted logical axes are {', '.join(table)}")
            mesh_axes = [value] if isinstance(value, str) else value
            if not isinstance(mesh_axes, list | tuple) or any(name not in AXES for name in mesh_axes):
                raise ShardingError(
                    f"rule {axis} = {value!r}: accepted are a mesh axis or a list of them, from {', '.join(AXES)}"
                )
            table[axis] = tuple(mesh_axes)
        return Rules(table)

    def parts(self, axis: str, mesh: MeshSpec) -> int:
        """Into how many parts a mesh cuts a logical axis."""
        return math.prod(mesh.sizes[name] for name in self.table[axis])

    def spec(self, axes: LogicalAxes) -> PartitionSpec:
        """Where an array with these logical axes is cut. Raises ShardingError where that needs a mesh axis twice."""
        axes, used, entries = tuple(axes), set(), []
        for entry in axes:
            names = entry if isinstance(entry, tuple) else (entry,) if entry else ()
            mesh_axes = tuple(mesh_axis for name in names for mesh_axis in self._mesh_axes(name))
            if twice := [name for name in mesh_axes if name in used or mesh_axes.count(name) > 1]:
                raise ShardingError(
                    f"an array with the axes {', '.join(map(str, axes))} would be cut along {twice[0]} twice: "
                    f"{self._lines(axes)}; change one of these rules"
                )
            used.update(mesh_axes)
            entries.append(mesh_axes[0] if len(mesh_axes) == 1 else mesh_axes or None)
        return PartitionSpec(*entries)

    def _mesh_axes(self, axis: str) -> tuple[str, ...]:
        try:
            return self.table[axis]
        except KeyError:
            raise ShardingError(f"logical axis {axis!r} has no rule; there are {', '.join(self.table)}") from None

    def _lines(self, axes: tuple[str | tuple[str, ...] | None, ...]) -> str:
        names = [name for entry in axes if entry for name in (entry if isinstance(entry, tuple) else (entry,))]
        return ", ".join(f"{name} = {list(self.table[name])}" for name in dict.fromkeys(names))
