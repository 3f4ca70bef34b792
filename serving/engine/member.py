"""The processes that run one replica over several hosts: which one this is, and where it finds the others. No JAX."""

import re
import socket
from dataclasses import asdict, dataclass, field

from serving import __version__
from serving.engine.options import EngineOptions
from serving.engine.request import EngineDescription

JOIN_SECONDS = 300.0
"""How long processes that are started together may take to find each other."""

OF_ONE_HOST = {"compile_threads", "compilation_cache_dir", "kv_memory"}
"""Options that may differ from host to host: what is computed does not hang on them."""


class ProcessGroupError(ValueError):
    """Flags that describe no group of processes; the message says what was given and what is accepted."""


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process's number among those of its replica, and the two addresses that they meet at.

    Attributes:
        process: from 0, which leads.
        processes: how many there are.
        coordinator: `host:port` of JAX's coordinator, inside process 0.
        leader: where the gRPC server of process 0 is reached: at the coordinator's host, or by a socket file.
    """

    process: int
    processes: int
    coordinator: str
    leader: str

    @classmethod
    def parse(cls, coordinator: str, process: str, listen: str) -> "ProcessGroup":
        """Reads `host0:8482` and `1/2`; `listen` is where process 0 serves. Raises ProcessGroupError."""
        if not coordinator or not process:
            given, missing = ("--coordinator", "--process") if coordinator else ("--process", "--coordinator")
            raise ProcessGroupError(
                f"{given} needs {missing} beside it: a replica over several hosts takes both, such as "
                "--coordinator host0:8482 --process 0/2"
            )
        number = re.fullmatch(r"([0-9]+)/([0-9]+)", process, re.ASCII)
        if not number or int(number[1]) >= int(number[2]):
            raise ProcessGroupError(
                f"--process is {process!r}; accepted is I/N: this process's number I, from 0 to N-1, of N processes, "
                "such as 0/2 on one host and 1/2 on the other"
            )
        host, _, port = coordinator.rpartition(":")
        if not host or not _is_port(port):
            raise ProcessGroupError(
                f"--coordinator is {coordinator!r}; accepted is HOST:PORT: the host of process 0 and a port that is "
                "free there, such as host0:8482"
            )
        leader = listen
        if not listen.startswith("unix:"):
            served = listen.rpartition(":")[2]
            if not _is_port(served):
                raise ProcessGroupError(
                    f"--listen is {listen!r}; with --coordinator, accepted is HOST:PORT with a port from 1 to 65535, "
                    f"alike on every host: process 0 serves there, and the others reach it at {host}"
                )
            leader = f"{host}:{served}"
        return cls(int(number[1]), int(number[2]), coordinator, leader)


@dataclass(frozen=True, slots=True)
class Member:
    """One process as it introduces itself to the leader."""

    process: int = 0
    processes: int = 1
    host: str = ""
    version: str = ""
    options: dict[str, str] = field(default_factory=dict)  # those that all processes must have alike

    @classmethod
    def of(cls, group: ProcessGroup, options: EngineOptions) -> "Member":
        """This process."""
        alike = {name: str(value) for name, value in asdict(options).items() if name not in OF_ONE_HOST}
        return cls(group.process, group.processes, socket.gethostname(), __version__, alike)

    def misfit(self, leader: "Member") -> str:
        """Why this process cannot follow `leader`, or nothing."""
        if self.processes != leader.processes or not 0 < self.process < leader.processes:
            followers = ", ".join(f"{number}/{leader.processes}" for number in range(1, leader.processes)) or "none"
            return f"{self} is not of this replica, whose followers are {followers}"
        if self.version != leader.version:
            return f"{self} runs version {self.version}, the leader {leader.version}; all must run the same"
        differing = _differences(self.options, leader.options)
        return f"{self} was started with {differing}; all processes take the same options" if differing else ""

    def __str__(self) -> str:
        return f"process {self.process}/{self.processes} (host {self.host})"


@dataclass(frozen=True, slots=True)
class Leaving:
    """The last that a follower says: why it ends."""

    reason: str


Report = Member | EngineDescription | Leaving
"""What a follower tells its leader: who it is, then what it loaded, in the end perhaps why it leaves."""


def load_misfit(follower: EngineDescription, leader: EngineDescription) -> str:
    """What a follower loaded otherwise than its leader did, or nothing. A folder's name does not matter."""
    loaded, expected = asdict(follower), asdict(leader)
    return _differences(loaded | {"model": leader.model}, expected)


def _differences(values: dict, expected: dict) -> str:
    """`max_rows 8 (the leader: 4), ...` for each name whose values differ."""
    names = sorted(name for name in values.keys() | expected.keys() if values.get(name) != expected.get(name))
    return ", ".join(f"{name} {values.get(name)} (the leader: {expected.get(name)})" for name in names)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and 0 < int(text) < 65536
