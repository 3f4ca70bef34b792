"""Meshes: how many devices stand along which axis, as people write it and as JAX takes it."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
from jax.experimental.mesh_utils import create_device_mesh
from jax.sharding import Mesh

AXES = ("data", "pipeline", "expert", "sequence", "tensor")
"""The axes of every mesh, outermost first: neighbours along the last one talk most and get the fastest links."""


class ShardingError(ValueError):
    """A mesh, a rule or a layout that cannot work; the message says what was given and what is accepted."""


@dataclass(frozen=True, slots=True)
class MeshSpec:
    """How many devices stand along each axis."""

    data: int = 1
    pipeline: int = 1
    expert: int = 1
    sequence: int = 1
    tensor: int = 1

    @classmethod
    def parse(cls, text: str) -> "MeshSpec":
        """Reads `tensor=4,pipeline=2`; axes that are not named have one device. Raises ShardingError."""
        sizes: dict[str, int] = {}
        for part in text.split(","):
            axis, equals, size = (piece.strip() for piece in part.partition("="))
            if axis not in AXES or not equals:
                raise ShardingError(
                    f"mesh {text!r}: {part.strip()!r} is not an axis and its size; accepted are "
                    f"{', '.join(f'{name}=N' for name in AXES)}, joined by commas"
                )
            if not (size.isascii() and size.isdecimal() and int(size) > 0):
                raise ShardingError(f"mesh {text!r}: {axis} is {size!r}; accepted are whole numbers from 1 on")
            if axis in sizes:
                raise ShardingError(f"mesh {text!r}: {axis} is given twice")
            sizes[axis] = int(size)
        return cls(**sizes)

    @property
    def sizes(self) -> dict[str, int]:
        """Devices along each axis, in the mesh's order."""
        return {axis: getattr(self, axis) for axis in AXES}

    @property
    def devices(self) -> int:
        """Devices in all."""
        return math.prod(self.sizes.values())

    @property
    def replica(self) -> "MeshSpec":
        """The mesh of one of the `data` replicas, each of which is an engine of its own."""
        return dataclasses.replace(self, data=1)

    def __str__(self) -> str:
        """As `parse` reads it, without axes of one device."""
        return ",".join(f"{axis}={size}" for axis, size in self.sizes.items() if size > 1) or "tensor=1"


def build_mesh(spec: MeshSpec, devices: Sequence[jax.Device]) -> Mesh:
    """A mesh with every axis of AXES over the first `spec.devices` of `devices`.

    On TPUs the order follows the links between the chips. Raises ShardingError where there are too few devices.
    """
    if spec.devices > len(devices):
        factors = " x ".join(str(size) for size in spec.sizes.values() if size > 1)
        needed = f"{factors} = {spec.devices}" if " " in factors else str(spec.devices)
        raise ShardingError(f"mesh {spec} needs {needed} devices; there are {len(devices)} ({_kinds(devices)})")
    shape = tuple(spec.sizes.values())
    return Mesh(create_device_mesh(shape, devices[: spec.devices], allow_split_physical_axes=True), AXES)


def replica_devices(spec: MeshSpec, devices: Sequence[jax.Device]) -> list[list[jax.Device]]:
    """The devices of each data-parallel replica, close to each other; each replica's mesh is `spec.replica`."""
    return [list(block.flat) for block in build_mesh(spec, devices).devices]


def _kinds(devices: Sequence[jax.Device]) -> str:
    return ", ".join(sorted({device.device_kind for device in devices})) or "none"
