"""libtpu on a machine without a TPU: real processes that ask JAX for its devices."""

import os
import subprocess
import sys

import pytest

from serving.process.libtpu import COMPILE_ONLY, keep_quiet_without_a_tpu
from tests.tpu.cases import needs_libtpu

FIRST_DEVICE = """
import jax
from serving.process.libtpu import keep_quiet_without_a_tpu
keep_quiet_without_a_tpu()
print(jax.devices()[0].platform)
"""


@needs_libtpu
def test_a_machine_without_a_tpu_is_not_complained_of():
    environment = {name: value for name, value in os.environ.items() if name not in ("JAX_PLATFORMS", *COMPILE_ONLY)}
    started = subprocess.run([sys.executable, "-c", FIRST_DEVICE], env=environment, capture_output=True, text=True)
    if started.stdout == "tpu\n":
        pytest.skip("this machine has a TPU")
    assert (started.stdout, started.stderr, started.returncode) == ("cpu\n", "", 0)


def test_where_there_is_a_tpu_nothing_is_touched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("TPU_SKIP_MDS_QUERY", raising=False)
    for name in COMPILE_ONLY:
        monkeypatch.delenv(name, raising=False)
    keep_quiet_without_a_tpu()
    assert not set(COMPILE_ONLY) & set(os.environ)
