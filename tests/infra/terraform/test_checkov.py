"""checkov's rules for Terraform: each is kept, or set aside beside the resource with a reason that still holds."""

import json
import re
import subprocess
from collections import Counter
from typing import Any

import pytest

from tests.infra.terraform.command import SOURCE
from tests.infra.terraform.isolated_python import python_with

CHECKOV = "checkov==3.3.30"
RULE_SET_ASIDE = re.compile(r"#checkov:skip=(\w+):(.+)")


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """What checkov says of modules and roots, offline."""
    command = [python_with(CHECKOV), "-m", "checkov.main", "--directory", SOURCE, "--framework", "terraform"]
    options = ["--skip-download", "--compact", "--output", "json", "--soft-fail"]
    result = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_rules_are_kept(report: dict[str, Any]):
    failed = [(check["check_id"], check["resource"]) for check in report["results"]["failed_checks"]]
    assert failed == []
    assert report["summary"]["passed"] >= 100 and report["summary"]["parsing_errors"] == 0


def test_each_exception_is_needed_and_explained(report: dict[str, Any]):
    written = Counter[tuple[str, str]]()
    for file in SOURCE.rglob("*.tf"):
        for rule, reason in RULE_SET_ASIDE.findall(file.read_text("utf-8")):
            assert len(reason.split()) >= 5, f"{file}: {rule} needs a reason"
            written[rule, f"/{file.relative_to(SOURCE)}"] += 1
    used = {(check["check_id"], check["file_path"]) for check in report["results"]["skipped_checks"]}
    assert used == written.keys()
