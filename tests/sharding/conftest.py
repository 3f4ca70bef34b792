"""This folder's tests run on eight virtual devices, in a process of their own: JAX asks for their number but once."""

from collections.abc import Iterator
from pathlib import Path

import jax
import pytest

from tests.child_pytest import ChildPytest

child = ChildPytest(Path(__file__).parent, JAX_NUM_CPU_DEVICES="8")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    return child.report(item)


@pytest.fixture
def quick_compiler() -> Iterator[None]:
    """Whole engines compile in two thirds of the time, to machine code that is slower and rounds otherwise.

    How a program is partitioned stays as it is. JAX's own tests do so too.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)
