"""Servers for every room's tests, and what must be said to JAX and Hypothesis before they are used."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.server_process import ServerProcess

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Engines inside the tests share compiled programs, with each other and with the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent.parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

hypothesis.settings.register_profile("shared-machine", deadline=None)  # tests assert no times
hypothesis.settings.load_profile("shared-machine")


@pytest.fixture(scope="session")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that all servers of this run share, so that the step programs are compiled once."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def server(server_data: Path) -> Iterator[ServerProcess]:
    """The server that most tests share, with the embedded model and every default; at HOST and PORT of `make test`."""
    host = os.environ.get("TRADEWIND_TEST_HOST") or "127.0.0.1"
    process = ServerProcess(server_data, host=host, port=os.environ.get("TRADEWIND_TEST_PORT") or "0")
    process.wait_for("embeddings by")
    yield process
    process.stop()


@pytest.fixture
def start_server(server_data: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of the test's own: `start_server("--max-rows", "4")`. They end with the test.

    They have no encoder unless "--embeddings" asks for one.
    """
    started: list[ServerProcess] = []

    def start(*flags: str) -> ServerProcess:
        started.append(ServerProcess(server_data, "--no-embeddings", *flags))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()
