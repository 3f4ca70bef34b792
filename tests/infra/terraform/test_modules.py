"""Modules and roots: formatted, valid, and planned as their own tests say (`tests/*.tftest.hcl` beside each)."""

import json
import re

import pytest

from tests.infra.terraform.command import FOLDERS, SOURCE, Terraform


def test_formatted(terraform: Terraform):
    result = terraform.run("modules/tpu_slices", "fmt", "-check", "-recursive", "-diff", "../..")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("folder", FOLDERS)
def test_valid(terraform: Terraform, folder: str):
    result = terraform.run(folder, "validate")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("folder", FOLDERS)
def test_plans(terraform: Terraform, folder: str):
    """Each run's assertions hold, and each run that expects a refusal gets it."""
    messages = terraform.test(folder)
    wrong = [message["diagnostic"] for message in messages if message["type"] == "diagnostic"]
    assert not wrong, json.dumps(wrong, indent=2)
    (summary,) = (message["test_summary"] for message in messages if message["type"] == "test_summary")
    assert summary["status"] == "pass" and summary["passed"] > 0


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_validation_is_tried(folder: str):
    """A variable is in the `expect_failures` of at least as many runs as it has validations."""
    variables = SOURCE / folder / "variables.tf"
    blocks = (
        re.split(r'^variable "', variables.read_text("utf-8"), flags=re.MULTILINE)[1:] if variables.exists() else []
    )
    validations = {block.partition('"')[0]: block.count("\n  validation {") for block in blocks}
    runs = "".join(file.read_text("utf-8") for file in (SOURCE / folder / "tests").glob("*.tftest.hcl"))
    refused = [set(re.findall(r"var\.(\w+)", names)) for names in re.findall(r"expect_failures = \[(.*?)\]", runs)]
    tried = {name: sum(name in names for names in refused) for name in validations}
    assert {name: count for name, count in validations.items() if tried[name] < count} == {}
