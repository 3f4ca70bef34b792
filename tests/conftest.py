"""Servers for every room's tests. JAX is told of its platform before anything imports it."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server_process import ServerProcess


@pytest.fixture(scope="session")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that all servers of this run share, so that the step programs are compiled once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def server(server_data: Path) -> Iterator[ServerProcess]:
    """The server that most tests share, with the embedded model and every default."""
    process = ServerProcess(server_data)
    yield process
    process.stop()


@pytest.fixture
def start_server(server_data: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of the test's own: `start_server("--max-rows", "4")`. They end with the test."""
    started: list[ServerProcess] = []

    def start(*flags: str) -> ServerProcess:
        started.append(ServerProcess(server_data, *flags))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()
