"""Writes golden fixtures anew, all or those that are named.

pip install torch==2.13.0 transformers && python -m tests.oracles.regenerate [NAME ...]
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from tests.oracles.families import FAMILIES, write_model

GOLDEN = Path(__file__).parent / "golden"


def main(names: list[str]) -> None:
    unknown = sorted(set(names) - set(FAMILIES))
    if unknown:
        sys.exit(f"there is no family {unknown[0]}; accepted are {', '.join(FAMILIES)}")
    for name in names or FAMILIES:
        shutil.rmtree(GOLDEN / name, ignore_errors=True)
        reference = write_model(name, GOLDEN / name)
        np.savez_compressed(
            GOLDEN / name / "reference.npz", prompt=reference.prompt, reply=reference.reply, logits=reference.logits
        )
        for path in (GOLDEN / name).iterdir():
            path.chmod(0o644)  # safetensors writes for the owner alone
        print(name, sorted(path.name for path in (GOLDEN / name).iterdir()))


if __name__ == "__main__":
    main(sys.argv[1:])
