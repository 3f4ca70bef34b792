"""The start-up script of a TPU VM, run by bash against a metadata server and a bucket on loopback.

What would change the machine itself (systemctl, useradd, uv) is a command that writes down how it was called.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.main import get_command

from serving.cli import app
from serving.settings import load_settings
from tests.infra.terraform.command import SOURCE
from tests.infra.terraform.google_machine import Surroundings, surroundings

SCRIPT = SOURCE / "modules" / "tpu_vm" / "startup.sh"
RECORDER = '#!/bin/sh\necho "$(basename "$0") $*" >>"$CALLS"\n'


@dataclass(slots=True)
class Host:
    """One host of a slice: its root, and the calls that the script made."""

    root: Path
    around: Surroundings
    commands: Path

    def boot(self) -> subprocess.CompletedProcess[str]:
        """Run the script as at boot."""
        environment = {
            "PATH": f"{self.commands}:{os.environ['PATH']}",
            "DESTDIR": str(self.root),
            "CALLS": str(self.commands / "calls"),
            **self.around.environment,
        }
        return subprocess.run(["bash", SCRIPT], env=environment, capture_output=True, text=True, check=False)

    def calls(self, command: str) -> list[str]:
        """How a command was called so far."""
        lines = (self.commands / "calls").read_text("utf-8").splitlines()
        return [line.removeprefix(f"{command} ") for line in lines if line.startswith(f"{command} ")]

    def services(self) -> dict[str, list[str]]:
        """The command line of each service that is installed."""
        files = (self.root / "etc" / "systemd" / "system").iterdir()
        found = {file.name: re.search(r"^ExecStart=(.*)$", file.read_text("utf-8"), re.MULTILINE) for file in files}
        return {name: shlex.split(match[1]) for name, match in found.items() if match}


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A slice's only host, with release 0.1.0 in a bucket."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name in ("systemctl", "useradd"):
        write_command(commands / name, RECORDER)
    with surroundings() as around:
        around.attributes = {
            "tradewind-release": "gs://my-releases/tradewind/0.1.0",
            "tradewind-environment": "TRADEWIND_MODEL=gs://my-models/llama\nTRADEWIND_ENGINE__MAX_ROWS=32",
            "agent-worker-number": "0",
            "worker-network-endpoints": "unknown:unknown:10.0.0.2",
        }
        put_release(around, "0.1.0")
        yield Host(tmp_path / "root", around, commands)


def write_command(path: Path, script: str) -> None:
    path.write_text(script, "utf-8")
    path.chmod(0o755)


def put_release(around: Surroundings, version: str) -> None:
    folder = f"my-releases/tradewind/{version}"
    around.objects |= {
        f"{folder}/uv": RECORDER.encode(),
        f"{folder}/requirements.txt": b"jax==0.12.0.1\n",
        f"{folder}/tradewind-{version}-py3-none-any.whl": b"a wheel",
    }


def test_installs_a_release_and_serves_it(host: Host):
    result = host.boot()
    assert result.returncode == 0, result.stderr
    folder = host.root / "opt" / "tradewind" / "0.1.0"
    assert (host.root / "opt" / "tradewind" / "current").resolve() == folder
    assert (folder / "requirements.txt").read_bytes() == b"jax==0.12.0.1\n"
    assert host.calls("uv") == [
        f"venv --quiet --python 3.12 {folder}/venv",
        f"pip install --quiet --python {folder}/venv/bin/python --requirement {folder}/requirements.txt "
        f"tradewind[tpu] @ file://{folder}/tradewind-0.1.0-py3-none-any.whl",
    ]
    assert host.services() == {
        "tradewind.service": [
            *("/opt/tradewind/current/venv/bin/tradewind", "serve"),
            *("--host", "0.0.0.0", "--port", "8000"),
        ]
    }
    assert host.calls("systemctl") == ["daemon-reload", "enable tradewind.service", "restart tradewind.service"]


def test_settings_are_the_servers_own(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The environment that the services get is one that `tradewind` starts with."""
    assert host.boot().returncode == 0
    for line in (host.root / "etc" / "tradewind" / "environment").read_text("utf-8").splitlines():
        name, _, value = line.partition("=")
        monkeypatch.setenv(name, value.replace("/var/lib/tradewind", str(tmp_path)))
    settings = load_settings().settings
    assert (settings.model, settings.engine.max_rows, settings.data_dir) == ("gs://my-models/llama", 32, tmp_path)


def test_a_second_boot_installs_nothing(host: Host):
    assert host.boot().returncode == 0
    installed = host.calls("uv")
    assert host.boot().returncode == 0
    assert host.calls("uv") == installed
    assert host.calls("systemctl").count("restart tradewind.service") == 2


def test_another_release_takes_the_place_of_the_first(host: Host):
    assert host.boot().returncode == 0
    put_release(host.around, "0.2.0")
    host.around.attributes["tradewind-release"] = "gs://my-releases/tradewind/0.2.0"
    assert host.boot().returncode == 0
    assert (host.root / "opt" / "tradewind" / "current").readlink() == Path("0.2.0")
    assert "tradewind-0.2.0-py3-none-any.whl" in host.calls("uv")[-1]


def test_half_a_release_is_not_run(host: Host):
    """A wheel is missing: the boot fails, and what ran before goes on."""
    assert host.boot().returncode == 0
    put_release(host.around, "0.2.0")
    del host.around.objects["my-releases/tradewind/0.2.0/tradewind-0.2.0-py3-none-any.whl"]
    host.around.attributes["tradewind-release"] = "gs://my-releases/tradewind/0.2.0"
    result = host.boot()
    assert result.returncode != 0 and "404" in result.stderr
    assert (host.root / "opt" / "tradewind" / "current").readlink() == Path("0.1.0")
    assert host.calls("systemctl").count("restart tradewind.service") == 1


def test_the_first_of_several_hosts_leads_and_serves(host: Host):
    host.around.attributes["worker-network-endpoints"] = ",".join(f"unknown:unknown:10.0.0.{n}" for n in (2, 3, 4, 5))
    assert host.boot().returncode == 0
    services = host.services()
    assert options("engine", services["tradewind-engine.service"]) == {
        "listen": "0.0.0.0:9100",
        "coordinator": "10.0.0.2:8482",
        "process": "0/4",
    }
    assert options("serve", services["tradewind.service"]) == {
        "host": "0.0.0.0",
        "port": 8000,
        "engine_address": "10.0.0.2:9100",
    }
    assert host.calls("systemctl")[-1] == "restart tradewind-engine.service tradewind.service"


def test_the_other_hosts_follow(host: Host):
    host.around.attributes["agent-worker-number"] = "2"
    host.around.attributes["worker-network-endpoints"] = ",".join(f"unknown:unknown:10.0.0.{n}" for n in (2, 3, 4, 5))
    assert host.boot().returncode == 0
    services = host.services()
    assert list(services) == ["tradewind-engine.service"]
    assert options("engine", services["tradewind-engine.service"])["process"] == "2/4"


def options(command: str, line: list[str]) -> dict[str, object]:
    """What `tradewind COMMAND` itself understands by a service's command line. Fails where it knows a flag no more."""
    program, name, *arguments = line
    assert (program, name) == ("/opt/tradewind/current/venv/bin/tradewind", command)
    parsed = get_command(app).commands[command].make_context(command, arguments)
    given = parsed.params
    return {name: value for name, value in given.items() if parsed.get_parameter_source(name).name == "COMMANDLINE"}
