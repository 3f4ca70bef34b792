"""libtpu on a machine without a TPU, where developers have it as a compiler for slices elsewhere."""

import os

COMPILE_ONLY = {
    "TPU_ACCELERATOR_TYPE": "v6e-8",  # what libtpu misses where there is no TPU; any will do,
    "TPU_WORKER_HOSTNAMES": "localhost",  # for a topology is named in full
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",  # otherwise one process of a machine may use libtpu at a time
    "TPU_LOG_DIR": "disabled",  # otherwise every process leaves a log
}
"""How libtpu is told that it is here as a compiler alone, in the environment, which it reads when it is loaded."""


def only_compile() -> None:
    """From now on libtpu looks for no TPU. To be called before it is loaded, which JAX does with its first device."""
    for name, value in COMPILE_ONLY.items():
        os.environ.setdefault(name, value)


def keep_quiet_without_a_tpu() -> None:
    """The same where JAX, when it was imported, found no TPU: libtpu would complain of that in five lines."""
    if os.environ.get("TPU_SKIP_MDS_QUERY") == "1":  # which JAX sets then, so that libtpu asks no metadata server
        only_compile()
