"""The TPU compiler on a machine without a TPU: which slices it knows, and that nothing stands in its way."""

import io
import json
import subprocess
import sys

from rich.console import Console

from serving.plan.compiled import tpu_devices
from serving.plan.options import PlanOptions
from serving.plan.run import plan
from sharding.topology import Topology
from tests.tpu.cases import needs_libtpu

pytestmark = needs_libtpu


def test_it_has_the_devices_that_topologies_say():
    slices = [topology for topology in Topology.all() if topology.chip.platform == "tpu"]
    assert {topology.chip.name for topology in slices} == {"v5e", "v5p", "v6e", "tpu7x"}
    for topology in slices:
        devices = tpu_devices(topology)
        assert (len(devices), {device.platform for device in devices}) == (topology.devices, {"tpu"}), topology.name


def test_another_process_may_compile_at_the_same_time():
    """libtpu lets one process of a machine use it at a time, unless it is told otherwise."""
    device = tpu_devices(Topology.parse("v6e:1x1"))[0]
    ask = "from serving.plan.compiled import *; print(tpu_devices(Topology.parse('v6e:1x1'))[0].device_kind)"
    other = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == device.device_kind
    assert "TPU" not in other.stderr, "nor does it complain that there is none"


def test_a_plan_asks_it(tmp_path):
    config = {
        "architectures": ["LlamaForCausalLM"], "vocab_size": 2048, "hidden_size": 1024, "num_hidden_layers": 2,
        "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 2048,
        "max_position_embeddings": 4096, "rope_theta": 10_000.0, "rms_norm_eps": 1e-5,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    out = io.StringIO()
    options = PlanOptions(model=str(tmp_path), topology="tpu7x:2x2x1", streams=8, context=1024, step_tokens=256)
    assert plan(options, Console(file=out, width=200), Console(quiet=True))
    said = " ".join(out.getvalue().split())
    assert "mesh tensor=8, bfloat16" in said
    assert "by the compiler padding" in said and "estimate" not in said
    assert "collectives of a decode step, by the compiler" in said
    assert "all-reduce 5 0.1 0.1 all-gather 1 0.1 0.1" in said
