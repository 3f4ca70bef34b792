"""The turns of an engine's loop: what callers ask of it meanwhile, and what one turn obeys. Plain values, no JAX."""

import queue
from dataclasses import dataclass

from serving.engine.request import GenerationRequest


@dataclass(frozen=True, slots=True)
class Cancel:
    """The command that ends one request early."""

    id: str


Command = GenerationRequest | Cancel


@dataclass(frozen=True, slots=True)
class Turn:
    """All that decides what the loop does next, beside the turns before it.

    Engines with the same weights and options that obey the same turns make the same plans, whatever their clocks say.
    """

    commands: tuple[Command, ...]
    decode_steps: int  # in one dispatch at most


class CommandQueue:
    """What callers asked for and the loop has not taken yet. Thread-safe."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()

    def put(self, command: Command) -> None:
        """Adds a command behind the others."""
        self._commands.put(command)

    def close(self) -> None:
        """Makes this the end: `take` gives None once it comes here."""
        self._commands.put(None)

    def take(self, *, wait: bool) -> tuple[Command, ...] | None:
        """All commands there are; with `wait`, waits for the first. None at the end."""
        taken: list[Command] = []
        while wait or not self._commands.empty():
            command = self._commands.get()
            if command is None:
                return None
            taken.append(command)
            wait = False
        return tuple(taken)
