"""One engine of several processes: they find each other by jax.distributed, and load so that they step alike."""

import socket
from collections.abc import Callable
from pathlib import Path

import jax

from serving.engine.coordinator_relay import CoordinatorRelay
from serving.engine.engine import Engine
from serving.engine.loading import plan_layout
from serving.engine.member import JOIN_SECONDS, ProcessGroup
from serving.engine.options import EngineOptions
from serving.models.config import DecoderConfig
from serving.process.progress import StartupProgress
from sharding.layout import Layout
from sharding.mesh import ShardingError

HEARTBEAT_SECONDS = 60
"""JAX ends a process whose coordinator is silent for so long; the streams between our processes notice sooner."""


def load_together(
    group: ProcessGroup, model: Path, options: EngineOptions, progress: Callable[[StartupProgress], None]
) -> Engine:
    """Loads this process's part of a model; blocks until every step program is compiled.

    Alone, an engine begins with the programs that are there and takes the smallest that fits. Processes of one replica
    must take the same, so none begins before it has them all. Raises as `Engine.load`, OSError where the processes do
    not find each other, and ShardingError where the mesh leaves one out.
    """
    initialize(group)
    require_every_process(plan_layout(DecoderConfig.from_folder(model), options, jax.devices()), group.processes)
    engine = Engine.load(model, options, progress)
    progress(StartupProgress("compiling", message="all step programs, as several hosts need them"))
    engine.wait_warm()
    return engine


def initialize(group: ProcessGroup) -> None:
    """Makes the devices of all processes one JAX system. Must come before anything that asks JAX for devices."""
    jax.config.update("jax_enable_preemption_service", False)  # it would take SIGTERM away from us
    if group.process == 0:
        _require_free(group.coordinator)
        coordinator = group.coordinator
    else:
        coordinator = CoordinatorRelay(group.coordinator).start()
    try:
        jax.distributed.initialize(
            coordinator,
            group.processes,
            group.process,
            cluster_detection_method="deactivate",
            initialization_timeout=int(JOIN_SECONDS),
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except RuntimeError as error:
        raise OSError(f"jax.distributed did not start with its coordinator at {group.coordinator}: {error}") from error
    if jax.process_count() != group.processes:
        raise OSError(
            f"--process counts {group.processes} processes, but the devices that JAX sees belong to "
            f"{jax.process_count()}: on a TPU slice, start one process on every host of the slice"
        )


def require_every_process(layout: Layout, processes: int) -> None:
    """Raises ShardingError when a process has no device in the mesh: it could neither compute nor follow."""
    held = {device.process_index for device in layout.mesh.devices.flat}
    idle = ", ".join(f"{number}/{processes}" for number in range(processes) if number not in held)
    if idle:
        raise ShardingError(
            f"mesh {layout.spec} takes {layout.mesh.size} of {jax.device_count()} devices and none of process {idle}; "
            "--mesh must name one with devices of every process, such as tensor within a host and pipeline across them"
        )


def _require_free(coordinator: str) -> None:
    """Raises OSError when JAX could not listen at the coordinator's port, of which it would die."""
    port, dual = int(coordinator.rpartition(":")[2]), socket.has_dualstack_ipv6()
    try:
        socket.create_server(
            ("", port), family=socket.AF_INET6 if dual else socket.AF_INET, dualstack_ipv6=dual
        ).close()
    except OSError as error:
        raise OSError(f"jax.distributed cannot listen at port {port} of --coordinator {coordinator}: {error}") from None
