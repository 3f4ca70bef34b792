"""transformers' `generate` on torch, in a process and an environment of its own."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.contender import Model, Prompt
from benchmarks.machine import peak_memory
from benchmarks.peers.environment import BRIEF_SPIN, python_with

PACKAGES = ("torch==2.13.0", "transformers")
LINE_LIMIT = 2**24  # bytes of an answer
START_LIMIT = 300  # seconds


class TransformersEngine:
    """One static batch at a time: it has no streams and no continuous batching to measure."""

    def __init__(self, process: asyncio.subprocess.Process, seconds: float) -> None:
        self.start_seconds = seconds
        self._process = process

    @staticmethod
    def prepare(cache: Path) -> Path:
        """The interpreter that has it."""
        return python_with(cache / "environments" / "transformers", *PACKAGES)

    @classmethod
    async def start(cls, python: Path, model: Model, dtype: str) -> "TransformersEngine":
        """Ready when it has generated a little."""
        began = time.monotonic()
        script = str(Path(__file__).with_name("transformers_worker.py"))
        process = await asyncio.create_subprocess_exec(
            *(str(python), script, str(model.folder), dtype),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_LIMIT,
            env=BRIEF_SPIN,
        )
        engine = cls(process, 0.0)
        await asyncio.wait_for(engine._answer(), START_LIMIT)
        engine.start_seconds = time.monotonic() - began
        return engine

    async def generate(self, prompts: list[Prompt], tokens: int, patience: float) -> dict[str, Any]:
        """Seconds to the `first` token and of the `rest`, `steps`, and the `replies`."""
        request = {"prompts": [list(prompt) for prompt in prompts], "tokens": tokens, "patience": patience}
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the transformers process ended")
        return json.loads(line)

    def peak_memory(self) -> int:
        """Bytes."""
        return peak_memory(self._process.pid)

    async def stop(self) -> None:
        """End the process."""
        self._process.stdin.close()
        await self._process.wait()
