"""Which collectives a compiled program runs, and how many bytes they move, read from its HLO text.

    collectives(jax.jit(f).lower(...).compile().as_text())

The text is the compiler's own word: what the partitioner put in, what was merged, what runs inside loops.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from sharding.hlo import Program

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)


@dataclass(frozen=True, slots=True)
class Collective:
    """One collective instruction of a program, as each device runs it.

    Attributes:
        kind: one of KINDS.
        bytes: of the larger of what goes in and what comes out, on one device, each time.
        devices: that work together; of a permutation, all that send or receive.
        times: runs in one run of the program, see `Program.runs`.
        source: the JAX operation that it comes from, as `jit(step)/layers/...`; empty where the compiler does not say.
    """

    kind: str
    bytes: int
    devices: int
    times: int = 1
    source: str = ""

    @property
    def sent_bytes(self) -> int:
        """Bytes that each device has to send each time, whatever the algorithm.

        To sum B bytes, each of n devices sends 2 B (n - 1) / n; gathering, scattering and exchanging take half of that
        (Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce algorithms for clusters of workstations").
        """
        share = (self.devices - 1) / self.devices
        if self.kind == "all-reduce":
            return round(2 * share * self.bytes)
        if self.kind in ("collective-permute", "collective-broadcast"):
            return self.bytes
        return round(share * self.bytes)


def collectives(hlo: str) -> list[Collective]:
    """The collectives of a compiled program, in the order of its text; those of one device alone are left out."""
    program = Program.parse(hlo)
    runs = program.runs()
    return [
        collective
        for name, computation in program.computations.items()
        if runs[name]
        for text in computation.instructions.values()
        if (collective := _collective(text, runs[name], program.devices)) and collective.devices > 1
    ]


class Total(NamedTuple):
    """All collectives of one kind in one run of a program: how many, their bytes, and what a device sends for them."""

    runs: int
    bytes: int
    sent_bytes: int


def totals(found: Iterable[Collective]) -> dict[str, Total]:
    """Sums for each kind that occurs, in the order of KINDS."""
    sums: dict[str, Total] = {}
    for one in found:
        total = sums.get(one.kind, Total(0, 0, 0))
        sums[one.kind] = Total(
            total.runs + one.times,
            total.bytes + one.times * one.bytes,
            total.sent_bytes + one.times * one.sent_bytes,
        )
    return {kind: sums[kind] for kind in KINDS if kind in sums}


_COLLECTIVE = re.compile(rf"^(?P<type>.+?) (?P<kind>{'|'.join(KINDS)})(?P<start>-start)?\(")
_LAYOUT = re.compile(r"\{[^{}]*\}")
_ARRAY = re.compile(r"\b(?P<type>[a-z]+(?P<bits>\d*)\w*)\[(?P<sizes>[\d,<=]*)\]")
_GROUPS = re.compile(
    r"\breplica_groups=(?:\[\d+,(?P<size>\d+)\]<=|\{\{(?P<first>[\d,]*)\}|(?P<all>\{\})"
    r"|mesh\[(?P<mesh>[^\]]*)\][^{]*\{(?P<axes>[^}]*)\})"
)
_MESH_AXIS = re.compile(r"'([^']+)'=(\d+)")
_GROUP_AXIS = re.compile(r"'?([^',:]+)'?(?::\(\d+\)(\d+))?")  # 'axis', or 'axis':(before)size for a part of one
_PAIRS = re.compile(r"\bsource_target_pairs=\{(\{.*?\})\}")
_SOURCE = re.compile(r'\bop_name="([^"]*)"')


def _collective(text: str, times: int, all_devices: int) -> Collective | None:
    """The collective that an instruction is, if it is one."""
    found = _COLLECTIVE.search(text)
    if not found:
        return None
    kind, devices = found["kind"], _group(text) or all_devices
    size = _bytes(_result(found["type"], kind) if found["start"] else found["type"])
    if kind == "reduce-scatter":
        size *= devices  # what comes out is one part of what went in
    source = _SOURCE.search(text)
    return Collective(kind, size, devices, times, source[1] if source else "")


def _group(text: str) -> int:
    """How many devices an instruction joins; 0 for all."""
    if pairs := _PAIRS.search(text):
        ends = re.findall(r"(\d+),(\d+)", pairs[1])
        return len({device for source, target in ends if source != target for device in (source, target)}) or 1
    groups = _GROUPS.search(text)
    if not groups:
        raise ValueError(f"this collective names its devices in an unknown way: {text[:200]}")
    if groups["size"]:
        return int(groups["size"])
    if groups["mesh"]:
        sizes = dict(_MESH_AXIS.findall(groups["mesh"]))
        return math.prod(int(part or sizes[axis]) for axis, part in _GROUP_AXIS.findall(groups["axes"]))
    return groups["first"].count(",") + 1 if groups["first"] else 0


def _result(type_: str, kind: str) -> str:
    """What an instruction that only starts a collective will bring.

    Its type is (what went in, what will come out, ...), but for an all-reduce that type is the result alone.
    """
    bare = _LAYOUT.sub("", type_)
    if kind == "all-reduce" and not bare.startswith("(("):
        return bare
    return _tuple_parts(bare)[1]


def _tuple_parts(type_: str) -> list[str]:
    """The parts of a tuple type, which may be tuples."""
    parts, depth = [""], 0
    for character in type_[1:-1]:
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _bytes(type_: str) -> int:
    """Bytes of all arrays in a type, such as `(f32[8,128]{1,0}, bf16[16]{0:T(256)})`."""
    bits = 0
    for array in _ARRAY.finditer(_LAYOUT.sub("", type_)):
        width = 8 if array["type"] == "pred" else int(array["bits"] or 0)
        bits += width * math.prod(int(size.lstrip("<=")) for size in array["sizes"].split(",") if size)
    return bits // 8
