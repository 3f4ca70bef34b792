"""Terraform as a command, in a copy of `infra/terraform`."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[3] / "infra" / "terraform"
MODULES = tuple(sorted(folder.name for folder in (SOURCE / "modules").iterdir()))
ROOTS = tuple(sorted(folder.name for folder in (SOURCE / "examples").iterdir()))
FOLDERS = (*(f"modules/{name}" for name in MODULES), *(f"examples/{name}" for name in ROOTS))


@dataclass(slots=True)
class Terraform:
    """The command, the copy that it works in, and how it finds providers.

    `initialising` is the environment of `init`, which installs providers; `environment` that of all other commands.
    """

    binary: str
    copy: Path
    initialising: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    _initialised: set[str] = field(default_factory=set)
    _tests: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def run(self, folder: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `terraform ARGUMENTS` in a folder of the copy, which is initialised first where it was not."""
        if folder not in self._initialised:
            result = self._call(folder, self.initialising, "init", "-backend=false", "-input=false")
            assert result.returncode == 0, f"terraform init in {folder}:\n{result.stdout}{result.stderr}"
            self._initialised.add(folder)
        return self._call(folder, self.environment, *arguments)

    def test(self, folder: str) -> list[dict[str, Any]]:
        """The messages of `terraform test`, with the state that each of its runs leaves. Run once in a session."""
        if folder not in self._tests:
            result = self.run(folder, "test", "-json", "-verbose")
            self._tests[folder] = [json.loads(line) for line in result.stdout.splitlines()]
        return self._tests[folder]

    def states(self, folder: str) -> dict[str, dict[str, Any]]:
        """The state that each run of a folder's tests leaves, by the run's name."""
        messages = self.test(folder)
        return {message["@testrun"]: message["test_state"] for message in messages if message["type"] == "test_state"}

    def can_initialise(self, folder: str) -> bool:
        """Whether `init` finds the providers that the folder wants."""
        return self._call(folder, self.initialising, "init", "-backend=false", "-input=false").returncode == 0

    def _call(self, folder: str, extra: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **extra}
        command = [self.binary, arguments[0], "-no-color", *arguments[1:]]
        return subprocess.run(
            command, cwd=self.copy / folder, env=environment, capture_output=True, text=True, check=False, timeout=300
        )
