"""READMEs of modules and roots: their examples plan, and a module's names every input and output."""

import re
import shutil
from pathlib import Path

import pytest

from tests.infra.terraform.command import MODULES, ROOTS, SOURCE, Terraform

MOCKS = """
mock_provider "google" {
  mock_data "google_project" {
    defaults = { number = "123456789012" }
  }
}
mock_provider "google-beta" {}
"""


@pytest.mark.parametrize("module", MODULES)
def test_modules_example_plans(terraform: Terraform, module: str):
    folder = terraform.copy / "examples" / f"readme_{module}"
    folder.mkdir()
    (folder / "main.tf").write_text(example(f"modules/{module}"), "utf-8")
    shutil.copy(SOURCE / "modules" / "storage" / "versions.tf", folder)  # both providers
    plan(terraform, folder)


@pytest.mark.parametrize("root", ROOTS)
def test_roots_example_plans(terraform: Terraform, root: str):
    folder = terraform.copy / "examples" / f"readme_{root}"
    shutil.copytree(SOURCE / "examples" / root, folder, ignore=shutil.ignore_patterns("tests", ".terraform*"))
    (folder / "terraform.tfvars").write_text(example(f"examples/{root}"), "utf-8")
    plan(terraform, folder)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("kind", ["variable", "output"])
def test_names_all_inputs_and_outputs(module: str, kind: str):
    heading = {"variable": "## Inputs", "output": "## Outputs"}[kind]
    section = readme(f"modules/{module}").partition(heading)[2].partition("\n## ")[0]
    files = (SOURCE / "modules" / module).glob("*.tf")
    declared = [
        name for file in files for name in re.findall(rf'^{kind} "(\w+)"', file.read_text("utf-8"), re.MULTILINE)
    ]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == declared


def readme(folder: str) -> str:
    return (SOURCE / folder / "README.md").read_text("utf-8")


def example(folder: str) -> str:
    (written,) = re.findall(r"```hcl\n(.*?)```", readme(folder), re.DOTALL)
    return written


def plan(terraform: Terraform, folder: Path) -> None:
    """Plan a folder with mocked providers. Fails where Terraform does."""
    (folder / "tests").mkdir()
    (folder / "tests" / "plan.tftest.hcl").write_text(MOCKS + 'run "plan" {\n  command = plan\n}\n', "utf-8")
    result = terraform.run(f"examples/{folder.name}", "test")
    assert "1 passed, 0 failed" in result.stdout, result.stdout + result.stderr
