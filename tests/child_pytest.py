"""A folder's tests in one child pytest, for those that want a process of their own; each reports as if it ran here.

To debug one, be the child: `TRADEWIND_TEST_CHILD=FOLDER pytest tests/FOLDER`, and whatever else its conftest.py sets.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CHILD = "TRADEWIND_TEST_CHILD"
REPORTS = "TRADEWIND_TEST_REPORTS"
LIMIT = 1500
"""Seconds after which the child is given up, as one that crashed inside a library may hang instead of ending."""


class ChildPytest:
    """Runs all tests of a folder that were asked for in a child with these environment variables."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self._folder = folder
        self._environment = {CHILD: folder.name, **environment}
        self._outcomes: dict[str, list[pytest.TestReport]] | None = None
        self._end = ""

    def report(self, item: pytest.Item) -> bool | None:
        """Hands on the child's reports of a test; for the hook `pytest_runtest_protocol`."""
        if os.environ.get(CHILD) == self._folder.name or self._folder not in item.path.parents:
            return None
        if self._outcomes is None:
            self._outcomes = self._run(item.session)
        reports = self._outcomes.get(item.nodeid, [])
        if not reports or reports[-1].when != "teardown":
            reports = [*reports, self._lost(item)]
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run(self, session: pytest.Session) -> dict[str, list[pytest.TestReport]]:
        """The reports by test; `_end` becomes how the child ended and what it printed last."""
        wanted = [item.nodeid for item in session.items if self._folder in item.path.parents]
        with tempfile.TemporaryDirectory() as folder:
            path, output = Path(folder) / "reports", Path(folder) / "output"
            path.touch()
            environment = os.environ | self._environment | {REPORTS: str(path)}
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", __name__, *wanted]
            with output.open("wb") as file:  # no pipe, which others that the child started could hold open
                child = subprocess.Popen(
                    command, cwd=session.config.rootpath, env=environment, stdout=file, stderr=subprocess.STDOUT
                )
                try:
                    self._end = f"the child ended with status {child.wait(LIMIT)}"
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
                    self._end = f"the child had not ended after {LIMIT} s"
            self._end += f" before this test did:\n{output.read_text(encoding='utf-8', errors='replace')[-4000:]}"
            lines = path.read_text(encoding="utf-8").splitlines()
        reports: dict[str, list[pytest.TestReport]] = {}
        for line in lines:
            report = session.config.hook.pytest_report_from_serializable(config=session.config, data=json.loads(line))
            reports.setdefault(report.nodeid, []).append(report)
        return reports

    def _lost(self, item: pytest.Item) -> pytest.TestReport:
        """A failure for a test that the child did not finish."""
        call = pytest.CallInfo.from_call(lambda: pytest.fail(self._end, pytrace=False), "call")
        return pytest.TestReport.from_item_and_call(item, call)


class ReportWriter:
    """The child's side: appends every report to a file, one a line."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self._config = config
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        with self._path.open("a", encoding="utf-8") as file:
            print(json.dumps(data), file=file)


def pytest_configure(config: pytest.Config) -> None:
    """In the child, whose plugin this file is."""
    if path := os.environ.get(REPORTS):
        config.pluginmanager.register(ReportWriter(config, Path(path)))
