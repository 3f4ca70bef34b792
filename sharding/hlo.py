"""A compiled program's HLO text: its computations, and how often each of them runs.

HLO is what XLA compiles (https://openxla.org/xla/operation_semantics); `compiled.as_text()` prints a program as

    %body (state: (s32[], f32[4])) -> (s32[], f32[4]) { ... }
    ENTRY %main (p: f32[4]) -> f32[4] { ... ROOT %w = ... while(%t), condition=%c, body=%body ... }
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_HEADER = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) \(.*\) -> .*\{$")
_INSTRUCTION = re.compile(r"^\s*(?P<root>ROOT )?%?(?P<name>[\w.\-]+) = (?P<text>.*)$")
_CALLEES = re.compile(
    r"\b(?:calls|to_apply|body|condition|true_computation|false_computation)=%?([\w.\-]+)"
    r"|\b(?:branch_computations|called_computations)=\{([^}]*)\}"
)
_WHILE = re.compile(r" while\(%?(?P<start>[\w.\-]+)\), condition=%?(?P<condition>[\w.\-]+)")
_KNOWN_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
_LESS_THAN = re.compile(r" compare\(%?(?P<counter>[\w.\-]+), %?(?P<end>[\w.\-]+)\), direction=LT")
_ELEMENT = re.compile(r" get-tuple-element\(.*\), index=(\d+)")
_TUPLE = re.compile(r" tuple\(([^)]*)\)")
_COPY = re.compile(r" copy\(%?([\w.\-]+)\)")
_CONSTANT = re.compile(r" constant\((-?\d+)\)")


@dataclass(slots=True)
class Computation:
    """A function of the program. `instructions` maps names to what stands behind their ` = `."""

    instructions: dict[str, str] = field(default_factory=dict)
    root: str = ""

    def constant(self, name: str) -> int | None:
        """The whole number that an instruction is, if it is one, perhaps copied."""
        text = self.instructions.get(name, "")
        if copied := _COPY.search(text):
            return self.constant(copied[1])
        found = _CONSTANT.search(text)
        return int(found[1]) if found else None


@dataclass(frozen=True, slots=True)
class Program:
    """The computations by name, in the text's order; the one that runs first; the devices that run it."""

    computations: dict[str, Computation]
    entry: str
    devices: int

    @classmethod
    def parse(cls, hlo: str) -> "Program":
        """Reads `compiled.as_text()`. Raises ValueError for anything else."""
        computations: dict[str, Computation] = {}
        entry, current = "", Computation()
        for line in hlo.splitlines():
            if header := _HEADER.match(line):
                current = computations[header["name"]] = Computation()
                entry = header["name"] if header["entry"] else entry
            elif instruction := _INSTRUCTION.match(line):
                current.instructions[instruction["name"]] = instruction["text"]
                current.root = instruction["name"] if instruction["root"] else current.root
        if not entry:
            raise ValueError("this is not the text of a compiled program: it has no ENTRY computation")
        first_line = hlo[: hlo.index("\n")]
        counts = (re.search(rf"\b{name}=(\d+)", first_line) for name in ("num_partitions", "replica_count"))
        return cls(computations, entry, math.prod(int(count[1]) for count in counts if count))

    def runs(self) -> dict[str, int]:
        """How often each computation runs in one run of the program.

        A loop whose length the compiler does not know counts once; of a conditional every branch counts.
        """
        runs = dict.fromkeys(self.computations, 0)

        def run(name: str, times: int) -> None:
            runs[name] += times
            for callee, trips in self._calls(self.computations[name]):
                run(callee, times * trips)

        run(self.entry, 1)
        return runs

    def _calls(self, caller: Computation) -> Iterator[tuple[str, int]]:
        """The computations that one runs, and how often each."""
        for text in caller.instructions.values():
            if " async-done(" in text or " async-update(" in text:
                continue  # what was started is not run again when it is awaited
            trips = self._trips(caller, text)
            for callee, callees in _CALLEES.findall(text):
                for name in [callee] if callee else callees.split(","):
                    yield name.strip().lstrip("%"), trips

    def _trips(self, caller: Computation, text: str) -> int:
        """How often a loop's body runs: as noted, or where it counts up to a constant by ones, as JAX's loops do."""
        if noted := _KNOWN_TRIPS.search(text):
            return int(noted[1])
        loop = _WHILE.search(text)
        if not loop:
            return 1
        condition = self.computations[loop["condition"]]
        test = _LESS_THAN.search(condition.instructions[condition.root])
        counter = _ELEMENT.search(condition.instructions.get(test["counter"], "")) if test else None
        start = _TUPLE.search(caller.instructions.get(loop["start"], ""))
        if not (test and counter and start):
            return 1
        first = caller.constant(start[1].split(",")[int(counter[1])].strip().lstrip("%"))
        end = condition.constant(test["end"])
        return end - first if first is not None and end is not None else 1
