"""A server whose engine is a stand-in, and whose encoder is small."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.golden_encoders import GOLDEN
from tests.server_process import ServerProcess

ECHO_ENGINE = Path(__file__).parents[1] / "fleet" / "echo_engine.py"
SMALL = ("--encoder-model", str(GOLDEN / "bert"), "--encoder-max-tokens", "40", "--encoder-batch-tokens", "64")


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """It keeps documents; its processes may be killed."""
    folder = tmp_path_factory.mktemp("keeper")
    engine = f"unix:{folder}/engine"
    with subprocess.Popen([sys.executable, str(ECHO_ENGINE), "--listen", engine], cwd=ECHO_ENGINE.parents[2]) as echo:
        process = ServerProcess(folder, "--engine-address", engine, *SMALL)
        process.wait_for("retrieval by bert")
        yield process
        process.stop()
        echo.kill()
