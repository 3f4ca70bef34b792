"""`tradewind engine` that is not ready before every step program is compiled, so that no measurement meets a compile.

python -m benchmarks.warm_engine FOLDER ADDRESS OPTIONS_AS_JSON
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from serving.engine.engine import Engine
from serving.engine.options import EngineOptions
from serving.engine.server import serve_process
from serving.process.progress import StartupProgress


def main() -> None:
    """Serve until standard input ends."""
    folder, listen, options = sys.argv[1:]

    def load(report: Callable[[StartupProgress], None]) -> Engine:
        engine = Engine.load(Path(folder), EngineOptions(**json.loads(options)), report)
        engine.wait_warm()
        return engine

    serve_process(listen, load, exit_with_parent=True)


if __name__ == "__main__":
    main()
