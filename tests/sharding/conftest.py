"""Runs this folder's tests on eight virtual devices, all in one child pytest: JAX asks for their number but once.

Each test reports as if it ran here. To debug one, be the child: `JAX_NUM_CPU_DEVICES=8 pytest tests/sharding`.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

DEVICES = "8"
REPORTS = "TRADEWIND_TEST_REPORTS"
HERE = Path(__file__).parent
OUTCOMES = pytest.StashKey[tuple[dict[str, list[pytest.TestReport]], str]]()


@pytest.fixture
def quick_compiler() -> Iterator[None]:
    """Whole engines compile in two thirds of the time, to machine code that is slower and rounds otherwise.

    How a program is partitioned stays as it is. JAX's own tests do so too.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Hands on the child's reports of a test in this folder."""
    if os.environ.get("JAX_NUM_CPU_DEVICES") == DEVICES or HERE not in item.path.parents:
        return None
    if OUTCOMES not in item.session.stash:
        item.session.stash[OUTCOMES] = _run_child(item.session)
    outcomes, output = item.session.stash[OUTCOMES]
    reports = outcomes.get(item.nodeid, [])
    if not reports or reports[-1].when != "teardown":
        reports = [*reports, _lost(item, output)]
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_configure(config: pytest.Config) -> None:
    if path := os.environ.get(REPORTS):
        config.pluginmanager.register(ReportWriter(config, Path(path)))


class ReportWriter:
    """The child's side: appends every report to a file, one a line."""

    def __init__(self, config: pytest.Config, path: Path):
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            print(json.dumps(data), file=file)


def _run_child(session: pytest.Session) -> tuple[dict[str, list[pytest.TestReport]], str]:
    """Runs all tests of this folder that were asked for; returns their reports by test, and what the child printed."""
    wanted = [item.nodeid for item in session.items if HERE in item.path.parents]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reports"
        path.touch()
        environment = os.environ | {"JAX_NUM_CPU_DEVICES": DEVICES, REPORTS: str(path)}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *wanted]
        child = subprocess.run(command, cwd=session.config.rootpath, env=environment, capture_output=True, text=True)
        lines = path.read_text(encoding="utf-8").splitlines()
    reports: dict[str, list[pytest.TestReport]] = {}
    for line in lines:
        report = session.config.hook.pytest_report_from_serializable(config=session.config, data=json.loads(line))
        reports.setdefault(report.nodeid, []).append(report)
    return reports, child.stdout + child.stderr


def _lost(item: pytest.Item, output: str) -> pytest.TestReport:
    """A failure for a test that the child did not finish."""
    reason = f"the child process ended before this test did:\n{output[-4000:]}"
    call = pytest.CallInfo.from_call(lambda: pytest.fail(reason, pytrace=False), "call")
    return pytest.TestReport.from_item_and_call(item, call)
