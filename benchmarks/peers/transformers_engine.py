"""transformers' `generate` on torch, in a process and an environment of its own."""

import asyncio
from pathlib import Path
from typing import Any

from benchmarks.contender import Model, Prompt
from benchmarks.peers.environment import python_with
from benchmarks.peers.json_lines import JsonLines

PACKAGES = ("torch==2.13.0", "transformers")


class TransformersEngine:
    """One static batch at a time: it has no streams and no continuous batching to measure."""

    def __init__(self, worker: JsonLines, seconds: float) -> None:
        self.start_seconds = seconds
        self._worker = worker

    @staticmethod
    def prepare(cache: Path) -> Path:
        """The interpreter that has it."""
        return python_with(cache / "environments" / "transformers", *PACKAGES)

    @classmethod
    async def start(cls, python: Path, model: Model, dtype: str) -> "TransformersEngine":
        """Ready when it has generated a little."""
        now = asyncio.get_running_loop().time
        began = now()
        worker = await JsonLines.start(python, "transformers_worker.py", str(model.folder), dtype)
        return cls(worker, now() - began)

    async def generate(self, prompts: list[Prompt], tokens: int, patience: float) -> dict[str, Any]:
        """Seconds to the `first` token and of the `rest`, `steps`, and the `replies`."""
        return await self._worker.ask(
            {"prompts": [list(prompt) for prompt in prompts], "tokens": tokens, "patience": patience}
        )

    def peak_memory(self) -> int:
        """Bytes."""
        return self._worker.peak_memory()

    async def stop(self) -> None:
        """End the process."""
        await self._worker.stop()
