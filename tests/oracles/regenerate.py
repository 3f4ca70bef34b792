"""Writes the golden fixtures anew: `pip install torch==2.13.0 transformers && python -m tests.oracles.regenerate`."""

import shutil
from pathlib import Path

import numpy as np

from tests.oracles.families import FAMILIES, write_model

GOLDEN = Path(__file__).parent / "golden"


def main() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    for name in FAMILIES:
        reference = write_model(name, GOLDEN / name)
        np.savez_compressed(
            GOLDEN / name / "reference.npz", prompt=reference.prompt, reply=reference.reply, logits=reference.logits
        )
        print(name, sorted(path.name for path in (GOLDEN / name).iterdir()))


if __name__ == "__main__":
    main()
