"""Servers for every room's tests, and what must be said to JAX and Hypothesis before they are used."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.server_process import ServerProcess

TESTS = Path(__file__).parent

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Engines inside the tests share compiled programs, with each other and with the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(TESTS.parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

hypothesis.settings.register_profile("shared-machine", deadline=None)  # tests assert no times
hypothesis.settings.load_profile("shared-machine")


class FolderScheduling(LoadScopeScheduling):
    """Keeps a folder's tests in one process, where several run them (`make test`): they share servers and programs."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("/")[1]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderScheduling:
    """How tests are handed out to processes."""
    return FolderScheduling(config, log)


@pytest.fixture(scope="session")
def server_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder that servers without documents of their own share."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def server(server_data: Path) -> Iterator[ServerProcess]:
    """The server that most tests share, with the embedded model and every default but patience; at HOST and PORT of
    `make test`."""
    host = os.environ.get("TRADEWIND_TEST_HOST") or "127.0.0.1"
    patience = ("--retrieval-deadline", "30")  # a loaded machine is no reason to answer without documents
    process = ServerProcess(server_data, *patience, host=host, port=os.environ.get("TRADEWIND_TEST_PORT") or "0")
    process.wait_for("embeddings by")
    process.wait_for("retrieval by")
    yield process
    process.stop()


@pytest.fixture
def start_server(server_data: Path) -> Iterator[Callable[..., ServerProcess]]:
    """Starts servers of the test's own: `start_server("--max-rows", "4")`. They end with the test.

    They have no encoder unless "--embeddings" asks for one, and no retriever unless "--retrieval" does, which wants a
    "--data-dir" of its own.
    """
    started: list[ServerProcess] = []

    def start(*flags: str) -> ServerProcess:
        started.append(ServerProcess(server_data, "--no-embeddings", "--no-retrieval", *flags))
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            process.kill()


@pytest.fixture
def echo_encoder(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen]]:
    """`echo_encoder(*flags)`: a stand-in encoder of the golden BERT's shape, which listens at unix:TMP_PATH/encoder."""
    started: list[subprocess.Popen] = []
    root = Path(__file__).parents[1]
    like_bert = ("--dimensions", "32", "--vocabulary", "93")

    def start(*flags: str) -> subprocess.Popen:
        command = [sys.executable, str(root / "tests" / "fleet" / "echo_encoder.py"), *like_bert, *flags]
        started.append(subprocess.Popen([*command, "--listen", f"unix:{tmp_path}/encoder"], cwd=root))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
