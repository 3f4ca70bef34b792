"""Plans: memory, least times and price of a model that serves a demand on a topology, and which topologies would do."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax.numpy as jnp

from serving.engine.attention import backend as attention
from serving.engine.attention.choice import choose
from serving.models.config import DecoderConfig
from serving.plan.compiled import Compiled
from serving.plan.demand import Demand, Target
from serving.plan.memory import Memory
from sharding.chips import Chip
from sharding.collectives import Collective
from sharding.fit import widest
from sharding.footprint import Footprint, Parameter
from sharding.mesh import MeshSpec, ShardingError
from sharding.roofline import Bound, Work, first_token_seconds
from sharding.rules import Rules
from sharding.topology import Topology


@dataclass(frozen=True, slots=True)
class Model:
    """What is served.

    Attributes:
        name: for people.
        config: its shape.
        parameters: of a decoder of that shape.
    """

    name: str
    config: DecoderConfig
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A model on a topology.

    Attributes:
        demand: that it is for.
        mesh: of all devices that are used, replicas included.
        footprint: of one device.
        streams: of one replica.
        memory: of one device.
        decode: bound of a step in which all streams of a replica draw a token.
        first_token: least seconds to first token of a prompt beside the other streams.
        collectives: of one decode step on one device.
        notes: what was repeated, kept whole or left idle.
        compiled: what the compiler said, where it was asked.
        price: US dollars an hour; None where it is not known.
    """

    demand: Demand
    topology: Topology
    mesh: MeshSpec
    footprint: Footprint
    streams: int
    memory: Memory
    work: Work
    decode: Bound
    first_token: float
    collectives: tuple[Collective, ...]
    notes: tuple[str, ...]
    compiled: Compiled | None
    price: float | None

    @property
    def tokens_per_second(self) -> float:
        """Of each stream, at most."""
        return 1 / self.decode.seconds

    @property
    def total_tokens_per_second(self) -> float:
        """Of all streams, at most."""
        return self.demand.streams * self.tokens_per_second

    def meets(self, target: Target) -> bool:
        """Whether it fits and is fast enough."""
        return (
            self.memory.fits
            and self.tokens_per_second * target.efficiency >= target.tokens_per_second
            and self.first_token / target.efficiency <= target.first_token
        )


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for one model and one demand.

    Attributes:
        prices: US dollars for an hour of a chip, where they are not the list's.
    """

    model: Model
    demand: Demand
    rules: Rules
    prices: Mapping[str, float]

    def plan(self, topology: Topology, mesh: MeshSpec, compiled: Compiled | None = None) -> Plan:
        """The plan for a mesh of a topology's devices. Raises ShardingError where that cannot work."""
        if mesh.devices > topology.devices:
            raise ShardingError(f"mesh {mesh} needs {mesh.devices} devices; {topology.name} has {topology.devices}")
        demand, streams = self.demand.on(topology.chip), -(-self.demand.streams // mesh.data)
        footprint = Footprint.of(self.model.config, self.model.parameters, mesh.replica, self.rules)
        footprint, remarks = _with_cache(footprint, topology.chip, demand, streams)
        work = Work.of(footprint, rows=streams, context=demand.context, page_size=demand.page_size)
        memory = Memory.estimated(topology.memory, footprint, demand, streams)
        idle = topology.devices - mesh.devices
        idleness = [f"{idle} of {topology.devices} devices are idle"] if idle else []
        return Plan(
            demand=demand,
            topology=topology,
            mesh=mesh,
            footprint=footprint,
            streams=streams,
            memory=memory.as_compiled(compiled, demand, streams) if compiled else memory,
            work=work,
            decode=Bound.of(work, topology),
            first_token=first_token_seconds(
                footprint,
                topology,
                prompt=demand.prompt,
                chunk=demand.step_tokens,
                rows=streams - 1,
                context=demand.context,
                page_size=demand.page_size,
            ),
            collectives=tuple(compiled.decode if compiled else footprint.collectives(streams, streams)),
            notes=(*footprint.fitted.notes, *remarks, *idleness),
            compiled=compiled,
            price=self._price(topology),
        )

    def usual_mesh(self, topology: Topology) -> MeshSpec:
        """What an engine takes when it is told nothing, and as many such engines as there are devices for."""
        mesh, _ = widest(self.model.config, topology.devices, self.rules)
        return dataclasses.replace(mesh, data=topology.devices // mesh.devices)

    def plans(self, topology: Topology) -> Iterator[Plan]:
        """A plan for each way to part a topology's devices into tensor-parallel replicas."""
        for tensor in range(1, topology.devices + 1):
            if topology.devices % tensor == 0:
                try:
                    yield self.plan(topology, MeshSpec(data=topology.devices // tensor, tensor=tensor))
                except ShardingError:
                    continue

    def cheapest(self, target: Target, most: int) -> list[Plan]:
        """The plans that meet a target for the least money, one a topology; those whose price is not known come last.

        Of a chip no further topologies are looked at than `most` that do.
        """
        best: list[Plan] = []
        found: dict[str, int] = {}
        for topology in Topology.all():
            name = topology.chip.name
            good = [plan for plan in self.plans(topology) if plan.meets(target)] if found.get(name, 0) < most else []
            if good:
                found[name] = found.get(name, 0) + 1
                best.append(max(good, key=lambda plan: plan.total_tokens_per_second))
        unknown = float("inf")
        return sorted(best, key=lambda plan: (unknown if plan.price is None else plan.price, plan.topology.chips))[
            :most
        ]

    def _price(self, topology: Topology) -> float | None:
        listed = topology.chip.price if topology.machines else None  # there is no list price for what is not let
        price = self.prices.get(topology.chip.name, listed)
        return None if price is None else topology.chips * price


def _with_cache(footprint: Footprint, chip: Chip, demand: Demand, streams: int) -> tuple[Footprint, list[str]]:
    """The same with keys and values as the platform's attention holds them, and what is to say of that."""
    config, page_size = footprint.fitted.config, demand.page_size
    asked = attention.Demand(
        config=config,
        kv_heads=footprint.kv_heads,
        page_size=page_size,
        dtype=jnp.bfloat16,
        sequences=streams + demand.step_tokens // page_size,
        context=demand.context,
    )
    backend, remarks = choose("auto", chip.platform, asked)
    heads = config.layers * page_size * config.kv_heads
    held = attention.page_bytes(backend, config, page_size, jnp.bfloat16) // heads
    return dataclasses.replace(footprint, kv_head_bytes=held), remarks
