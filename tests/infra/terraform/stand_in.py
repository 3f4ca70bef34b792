"""Stand-ins for the Google providers: their schemas from PyPI, served to Terraform by `stand_in_provider.py`."""

import json
import platform
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.infra.terraform.isolated_python import download, python_with
from tests.infra.terraform.provider_schemas import BINDINGS, Kind, read_schema

PROVIDER = Path(__file__).with_name("stand_in_provider.py")
FRAMEWORK = "tf==1.2.0"

_WANTED = re.compile(r'^(?:mock_)?(resource|data) "(google_\w+)"', re.MULTILINE)


def wanted_types(source: Path) -> set[tuple[Kind, str]]:
    """Every resource and data source of Google's that is named under a folder."""
    return {(kind, name) for file in source.rglob("*.tf") for kind, name in _WANTED.findall(file.read_text("utf-8"))}


def write_mirror(folder: Path, wanted: set[tuple[Kind, str]]) -> tuple[Path, dict[str, list[str]]]:
    """Lay out a filesystem mirror of both stand-ins.

    Returns Terraform's configuration that installs from it, and the command line of each stand-in.
    """
    python = python_with(FRAMEWORK)
    commands = {}
    for name, binding in BINDINGS.items():
        schema = folder / f"{name}.json"
        schema.write_text(json.dumps(read_schema(download(binding.requirement, python), binding, wanted)), "utf-8")
        commands[name] = [str(python), str(PROVIDER), name, str(schema)]
        place = folder / "mirror" / "registry.terraform.io" / "hashicorp" / name / binding.version / _platform()
        place.mkdir(parents=True)
        executable = place / f"terraform-provider-{name}_v{binding.version}"
        executable.write_text(f"#!/bin/sh\nexec {shlex.join(commands[name])}\n", "utf-8")
        executable.chmod(0o755)
    configuration = folder / "terraform.rc"
    mirror = json.dumps(str(folder / "mirror"))
    configuration.write_text(f"provider_installation {{\n  filesystem_mirror {{ path = {mirror} }}\n}}\n", "utf-8")
    return configuration, commands


@contextmanager
def running(commands: Mapping[str, list[str]]) -> Iterator[dict[str, str]]:
    """Keep the stand-ins running, so that Terraform need not start them several times in each of its runs.

    Gives the variable that tells Terraform where they are.
    """
    with ExitStack() as stack:
        started = [stack.enter_context(_started(command)) for command in commands.values()]
        addresses: dict[str, object] = {}
        for process in started:
            assert process.stdout is not None
            line = next((line for line in process.stdout if "TF_REATTACH_PROVIDERS=" in line), "")
            assert line, f"{process.args} ended with status {process.wait()}"
            addresses |= json.loads(line[line.index("{") : line.rindex("}") + 1])
        yield {"TF_REATTACH_PROVIDERS": json.dumps(addresses)}


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([command[0], "-u", *command[1:], "--dev"], stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return f"{platform.system().lower()}_{machine}"
