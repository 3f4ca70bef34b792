"""Which engines are compiled for which slices, and how deep.

By default a few combinations that between them have every topology, shape, type of weights and layout, of full width
and with one layer a stage, as all layers add the same; with TRADEWIND_TPU_DEPTH=full all combinations, whole models.
"""

import dataclasses
import functools
import itertools
import os
import platform
import sys
from dataclasses import dataclass

import pytest

from serving.models.config import DecoderConfig
from serving.models.shapes import published_shape
from serving.plan.compiled import Steps
from serving.plan.demand import Demand
from serving.plan.parameters import parameters
from serving.plan.planner import Model, Plan, Planner
from sharding.mesh import MeshSpec
from sharding.rules import Rules
from sharding.topology import Topology

needs_libtpu = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="libtpu comes for Linux on x86-64 alone"
)

FULL = os.environ.get("TRADEWIND_TPU_DEPTH") == "full"

DEMAND = Demand(streams=16, context=8192, prompt=512, step_tokens=512, page_size=0)


@dataclass(frozen=True)
class Case:
    """An engine on a slice, all of whose chips it takes."""

    topology_name: str
    shape: str
    weights: str
    layout: str

    def __str__(self) -> str:
        return f"{self.shape} {self.weights} {self.layout} {self.topology_name}"

    @property
    def topology(self) -> Topology:
        return Topology.parse(self.topology_name)

    @property
    def mesh(self) -> MeshSpec:
        stages = 2 if self.layout == "pipeline" else 1
        return MeshSpec(pipeline=stages, tensor=self.topology.devices // stages)

    @property
    def config(self) -> DecoderConfig:
        """The whole model."""
        quantised = None if self.weights == "bf16" else self.weights
        return dataclasses.replace(published_shape(self.shape), quantised=quantised)

    @property
    def compiled_config(self) -> DecoderConfig:
        """The model that is compiled."""
        return self.config if FULL else dataclasses.replace(self.config, layers=self.mesh.pipeline)

    def plan(self, config: DecoderConfig) -> Plan:
        """The planner's word, no compiler asked."""
        return Planner(_model(config), DEMAND, Rules(), {}).plan(self.topology, self.mesh)

    def steps(self, cache_bytes: int) -> Steps:
        """Programs of a cache that takes so much of a device; of a model with few layers it has the more pages."""
        plan = self.plan(self.compiled_config)
        demand, page_bytes = plan.demand, plan.memory.token * plan.memory.page_size
        return Steps(demand.streams, demand.context, demand.blocks, demand.page_size, cache_bytes // page_bytes)


@functools.cache
def _model(config: DecoderConfig) -> Model:
    return Model("", config, parameters(config))


ALL = [
    Case(*choice)
    for choice in itertools.product(
        ("v5e:2x4", "v6e:2x4", "v6e:4x4", "v5p:2x2x2"),
        ("llama3-8b", "llama3-70b"),
        ("bf16", "int8"),
        ("tensor", "pipeline"),
    )
]

COVERING = [
    Case("v5e:2x4", "llama3-70b", "int8", "tensor"),
    Case("v6e:2x4", "llama3-8b", "bf16", "tensor"),
    Case("v6e:4x4", "llama3-70b", "bf16", "pipeline"),
    Case("v5p:2x2x2", "llama3-8b", "int8", "pipeline"),
]
"""Any two choices of shape, weights and layout are together in one of them."""

TOO_LARGE = [Case("v5e:2x4", "llama3-70b", "bf16", layout) for layout in ("tensor", "pipeline")]
"""141 GB of weights in eight times 16 GiB."""

COMPILED = [case for case in (ALL if FULL else COVERING) if case not in TOO_LARGE]
