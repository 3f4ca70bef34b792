"""Seconds from the start of `tradewind serve` to its first streamed token, with a cold and a warm compilation cache.

python -m benchmarks.startup [--model FOLDER_OR_ID]
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from typing import Annotated

import httpx
import typer
from rich.console import Console
from rich.table import Table

REQUEST = {"messages": [{"role": "user", "content": "Hello, who are you?"}], "stream": True, "max_tokens": 16}
LIMIT = 300  # seconds after which a start counts as failed


def start_to_first_token(model: str, data_dir: str) -> tuple[float, float]:
    """Starts a server; returns the seconds until it said that it was ready, and until the first streamed text."""
    command = [sys.executable, "-m", "serving.cli", "serve", "--port", "0", "--data-dir", data_dir]
    started = time.monotonic()
    process = subprocess.Popen(
        [*command, *(["--model", model] if model else [])], stderr=subprocess.PIPE, text=True, env=_environment()
    )
    try:
        for line in process.stderr:
            if address := re.search(r"http://\S+?:\d+", line):
                break
        else:
            raise RuntimeError("the server ended before it was ready")
        ready = time.monotonic() - started
        url = f"{address.group()}/v1/chat/completions"
        with httpx.stream("POST", url, json=REQUEST, timeout=LIMIT) as response:
            for line in response.iter_lines():
                chunk = line.removeprefix("data: ")
                if chunk.startswith("{") and json.loads(chunk)["choices"][0]["delta"].get("content"):
                    return ready, time.monotonic() - started
        raise RuntimeError("the reply ended without a token")
    finally:
        process.terminate()
        process.communicate()


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("TRADEWIND_", "JAX_"))}


def main(
    model: Annotated[str, typer.Option(help="Model folder or hub id; the embedded model by default.")] = "",
    starts: Annotated[int, typer.Option(min=2, help="How many starts; the first has a cold cache.")] = 3,
) -> None:
    """Print a table of starts: the first compiles everything, the others find compiled programs on disk."""
    table = Table(title=f"Start to first token: {model or 'embedded model'}, {os.cpu_count()} cores")
    for heading in ("start", "compilation cache", "ready, s", "first token, s"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="tradewind-startup-") as data_dir:
        for number in range(1, starts + 1):
            ready, first = start_to_first_token(model, data_dir)
            table.add_row(str(number), "warm" if number > 1 else "cold", f"{ready:.1f}", f"{first:.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
