"""How far a process has come."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartupProgress:
    """How far a process has come on its way to serving. `stage` is loading, compiling, ready or failed."""

    stage: str
    done: int = 0
    total: int = 0
    message: str = ""
