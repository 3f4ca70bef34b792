"""The arithmetic of a plan: memory, least times and price of a model that serves a demand on a topology."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import jax.numpy as jnp

from serving.engine.attention import backend as attention
from serving.engine.attention.choice import choose
from serving.engine.programs import step_shapes
from serving.models.config import DecoderConfig
from serving.plan.compiled import Compiled
from sharding.chips import Chip
from sharding.collectives import Collective
from sharding.fit import widest
from sharding.footprint import FLOAT32_BYTES, Footprint, Parameter
from sharding.mesh import MeshSpec, ShardingError
from sharding.roofline import Bound, Work, first_token_seconds
from sharding.rules import Rules
from sharding.topology import Topology

MEMORY_SHARE = 0.9
"""Of a device's memory that a plan fills; the rest is for the runtime and for what lies between arrays."""

LIVE_ACTIVATIONS, LIVE_SCORES = 8, 6
"""Arrays of a token's channels, and of a row's scores, that are taken to live at once where no compiler says."""


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
class Demand:
    """What it is to serve, and how the engine is set.

    Attributes:
        streams: that run at once.
        context: tokens of prompt and reply of each.
        prompt: tokens of the prompt whose time to first token is asked for.
        step_tokens: prompt tokens that one step reads.
        page_size: tokens in a page of the cache.
    """

    streams: int
    context: int
    prompt: int
    step_tokens: int
    page_size: int


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan has to reach to be good enough.

    Attributes:
        tokens_per_second: of each stream, at least.
        first_token: seconds, at most.
        efficiency: share of the roofline that is counted on.
    """

    tokens_per_second: float = 0.0
    first_token: float = float("inf")
    efficiency: float = 1.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What lies in the memory of one device, in bytes.

    Attributes:
        limit: of the device.
        weights: its part of them.
        tables: of every slot: tokens that were said, bias of each.
        temporaries: that a step needs at once.
        padding: that the device's tiles add to what is kept.
        programs: of all steps that an engine compiles, were each as large as the largest of its kind.
        measured: whether a compiler said the last three; else temporaries are estimated and the others left out.
        token: keys and values of one token.
        needed_tokens: of all streams at their longest, in whole pages.
        page_size: tokens in a page.
    """

    limit: float
    weights: int
    tables: int
    temporaries: int
    padding: int
    programs: int
    measured: bool
    token: int
    needed_tokens: int
    page_size: int

    @property
    def usable(self) -> float:
        """What is filled."""
        return self.limit * MEMORY_SHARE

    @property
    def around(self) -> int:
        """Bytes of everything but weights and cache."""
        return self.tables + self.temporaries + self.padding + self.programs

    @property
    def pool_tokens(self) -> int:
        """Tokens that the page pool holds; 0 where the rest leaves no room."""
        left = self.usable - self.weights - self.around
        return max(0, int(left // (self.token * self.page_size))) * self.page_size

    @property
    def needed(self) -> int:
        """Bytes of everything, with the cache of all streams at their longest."""
        return self.weights + self.around + self.needed_tokens * self.token

    @property
    def fits(self) -> bool:
        """Whether all streams have room at their longest."""
        return self.pool_tokens >= self.needed_tokens


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
        demand, streams = self.demand, -(-self.demand.streams // mesh.data)
        footprint = Footprint.of(self.model.config, self.model.parameters, mesh.replica, self.rules)
        footprint, remarks = self._with_cache(footprint, topology.chip, streams)
        work = Work.of(footprint, rows=streams, context=demand.context, page_size=demand.page_size)
        idle = topology.devices - mesh.devices
        idleness = [f"{idle} of {topology.devices} devices are idle"] if idle else []
        return Plan(
            demand=demand,
            topology=topology,
            mesh=mesh,
            footprint=footprint,
            streams=streams,
            memory=self._memory(topology, footprint, streams, compiled),
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

    def _with_cache(self, footprint: Footprint, chip: Chip, streams: int) -> tuple[Footprint, list[str]]:
        """The same with keys and values as the platform's attention holds them, and what is to say of that."""
        config, page_size = footprint.fitted.config, self.demand.page_size
        asked = attention.Demand(
            config=config,
            kv_heads=footprint.kv_heads,
            page_size=page_size,
            dtype=jnp.bfloat16,
            sequences=streams + self.demand.step_tokens // page_size,
            context=self.demand.context,
        )
        backend, remarks = choose("auto", chip.platform, asked)
        heads = config.layers * page_size * config.kv_heads
        held = attention.page_bytes(backend, config, page_size, jnp.bfloat16) // heads
        return dataclasses.replace(footprint, kv_head_bytes=held), remarks

    def _memory(self, topology: Topology, footprint: Footprint, streams: int, compiled: Compiled | None) -> Memory:
        demand, config = self.demand, footprint.fitted.config
        longest = -(-demand.context // demand.page_size) * demand.page_size
        estimate = Memory(
            limit=topology.memory,
            weights=footprint.weight_bytes,
            tables=(streams + 1) * config.vocab_size * 2 * FLOAT32_BYTES,
            temporaries=self._temporaries(footprint, streams),
            padding=0,
            programs=0,
            measured=False,
            token=footprint.kv_bytes,
            needed_tokens=streams * longest,
            page_size=demand.page_size,
        )
        if compiled is None:
            return estimate
        kept = estimate.weights + estimate.tables + estimate.needed_tokens * estimate.token
        shapes = step_shapes(max_rows=streams, max_blocks=-(-demand.step_tokens // demand.page_size))
        return dataclasses.replace(
            estimate,
            temporaries=compiled.temporaries,
            padding=max(0, compiled.arguments - kept),
            programs=sum(compiled.mixed_code if shape.blocks else compiled.decode_code for shape in shapes),
            measured=True,
        )

    def _temporaries(self, footprint: Footprint, streams: int) -> int:
        """About what a step needs beside what it keeps, at its largest: activations of a layer, scores of the rows."""
        config, tokens = footprint.fitted.config, streams + self.demand.step_tokens
        width = config.experts.mlp_size * config.experts.per_token if config.experts else config.mlp_size
        width //= footprint.fitted.rules.parts("mlp", footprint.mesh)
        activations = tokens * (LIVE_ACTIVATIONS * config.hidden_size + 2 * width) * FLOAT32_BYTES
        return activations + LIVE_SCORES * streams * config.vocab_size * FLOAT32_BYTES

    def _price(self, topology: Topology) -> float | None:
        listed = topology.chip.price if topology.machines else None  # there is no list price for what is not let
        price = self.prices.get(topology.chip.name, listed)
        return None if price is None else topology.chips * price
