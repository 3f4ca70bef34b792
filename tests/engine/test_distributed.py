"""How jax.distributed is started; what it then does is in test_multi_host.py."""

import socket
from pathlib import Path

import jax
import pytest

from serving.engine.distributed import initialize, require_every_process
from serving.engine.loading import plan_layout
from serving.engine.member import ProcessGroup
from serving.engine.options import EngineOptions
from serving.models.config import DecoderConfig
from sharding.mesh import ShardingError

FOLDER = Path(__file__).parent.parent / "oracles" / "golden" / "grouped_tied"


def test_a_coordinator_s_port_in_use_is_named():
    """JAX itself would end the process with a segmentation fault."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        coordinator = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"cannot listen at port .* of --coordinator {coordinator}: .*in use"):
            initialize(ProcessGroup(0, 2, coordinator, "127.0.0.1:9100"))


def test_a_mesh_that_leaves_a_process_out_is_refused():
    layout = plan_layout(DecoderConfig.from_folder(FOLDER), EngineOptions(mesh="tensor=1"), jax.devices())
    require_every_process(layout, 1)
    with pytest.raises(ShardingError, match="mesh tensor=1 takes 1 of .* and none of process 1/3, 2/3; --mesh must"):
        require_every_process(layout, 3)
