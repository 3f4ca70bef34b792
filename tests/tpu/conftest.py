"""This folder's tests run in a process of their own, as libtpu has crashed in some."""

from pathlib import Path

import pytest

from tests.child_pytest import ChildPytest
from tests.tpu.cases import FULL

child = ChildPytest(Path(__file__).parent)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Whole models' tests stay here, as they print while they run."""
    return None if FULL else child.report(item)
