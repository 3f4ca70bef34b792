"""How a process's options are declared, and spelled out as flags.

The metadata of each field is written in pydantic's words (`description`, `ge`, `le`, `multiple_of`), so that
`serving.settings` validates and documents the very same class without the process importing pydantic.
"""

from dataclasses import field, fields
from typing import Any


def option(default: Any, description: str, **limits: float) -> Any:
    """A field of a class of options."""
    return field(default=default, metadata={"description": description, **limits})


def flags_of(options: Any, prefix: str = "") -> list[str]:
    """A class of options as flags of a command line, each one spelled out."""
    arguments = []
    for choice in fields(options):
        name, value = prefix + choice.name.replace("_", "-"), getattr(options, choice.name)
        if isinstance(value, bool):
            arguments.append(f"--{name}" if value else f"--no-{name}")
        else:
            arguments += [f"--{name}", str(value)]
    return arguments
