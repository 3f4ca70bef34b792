"""`tradewind encoder` that is not ready before every program is compiled, so that no measurement meets a compile.

python -m benchmarks.warm_encoder FOLDER ADDRESS OPTIONS_AS_JSON
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from serving.encoder import loading
from serving.encoder.embedder import Embedder
from serving.encoder.options import EncoderOptions
from serving.encoder.server import serve_process
from serving.process.progress import StartupProgress


def main() -> None:
    """Serve until standard input ends."""
    folder, listen, options = sys.argv[1:]

    def load(report: Callable[[StartupProgress], None]) -> Embedder:
        embedder = loading.load(Path(folder), EncoderOptions(**json.loads(options)), report)
        embedder.wait_warm()
        return embedder

    serve_process(listen, load, exit_with_parent=True)


if __name__ == "__main__":
    main()
