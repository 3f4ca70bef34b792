"""Terraform with the real Google providers where they can be had, else with stand-ins that know their schemas."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.infra.terraform.command import SOURCE, Terraform
from tests.infra.terraform.stand_in import running, wanted_types, write_mirror


@pytest.fixture(scope="session")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terraform]:
    """Terraform in a copy of `infra/terraform`, for all tests of a session."""
    binary = shutil.which("terraform")
    if binary is None:
        pytest.skip("no terraform on PATH, so modules and roots are not checked; 1.11 or a later 1.x would do")
    folder = tmp_path_factory.mktemp("terraform")
    cache = folder / "plugins"
    cache.mkdir()
    real = Terraform(binary, _copy(folder / "terraform"), {"TF_PLUGIN_CACHE_DIR": str(cache)})
    if real.can_initialise("examples/production"):
        yield real
        return
    configuration, commands = write_mirror(folder, wanted_types(SOURCE))
    mirror = {"TF_CLI_CONFIG_FILE": str(configuration)}
    with running(commands) as reattach:
        yield Terraform(binary, real.copy, mirror, mirror | reattach)


def _copy(to: Path) -> Path:
    return shutil.copytree(SOURCE, to, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
