"""Container files as lists of instructions."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

CONTAINERS = Path(__file__).parents[3] / "infra" / "containers"
NAMES = ("gateway", "engine")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; `stage` counts the FROM lines before it, -1 before the first."""

    stage: int
    keyword: str
    argument: str


def instructions(name: str) -> list[Instruction]:
    """The instructions of `NAME.Dockerfile`, continued lines joined and comments left out."""
    text = (CONTAINERS / f"{name}.Dockerfile").read_text("utf-8")
    lines = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    found, stage = [], -1
    for line in filter(None, map(str.strip, lines)):
        keyword, _, argument = line.partition(" ")
        stage += keyword == "FROM"
        found.append(Instruction(stage, keyword, " ".join(argument.split())))
    return found


def last(name: str, keyword: str) -> str:
    """The argument of the last instruction of a kind, which is the image's own."""
    return [found.argument for found in instructions(name) if found.keyword == keyword][-1]


def environment(name: str) -> dict[str, str]:
    """What the image's environment is set to."""
    end = max(found.stage for found in instructions(name))
    pairs = [found.argument for found in instructions(name) if (found.keyword, found.stage) == ("ENV", end)]
    return dict(pair.split("=", 1) for line in pairs for pair in shlex.split(line))


def copied(name: str) -> set[str]:
    """What is copied from the build's context, as globs."""
    sources = set()
    for found in instructions(name):
        if found.keyword == "COPY" and not found.argument.startswith("--from"):
            *paths, _ = found.argument.split()
            sources.update(re.sub(r"\$\{[A-Z]+\}", "*", path) for path in paths)
    return sources
