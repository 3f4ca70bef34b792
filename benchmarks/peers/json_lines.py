"""A peer in a process and an environment of its own: a request a line, an answer a line, both JSON."""

import asyncio
import json
from pathlib import Path
from typing import Any

from benchmarks.machine import peak_memory
from benchmarks.peers.environment import BRIEF_SPIN

LINE_LIMIT = 2**24  # bytes of an answer
START_LIMIT = 300  # seconds


class JsonLines:
    """A script of this folder that answers `{"ready": true}` first, and then each request."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, python: Path, script: str, *arguments: str) -> "JsonLines":
        """Started by an environment's interpreter; returns when it is ready."""
        process = await asyncio.create_subprocess_exec(
            *(str(python), str(Path(__file__).with_name(script)), *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=LINE_LIMIT,
            env=BRIEF_SPIN,
        )
        peer = cls(process)
        await asyncio.wait_for(peer._answer(), START_LIMIT)
        return peer

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request."""
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        await self._process.stdin.drain()
        return await self._answer()

    def peak_memory(self) -> int:
        """Bytes."""
        return peak_memory(self._process.pid)

    async def stop(self) -> None:
        """End the process."""
        self._process.stdin.close()
        await self._process.wait()

    async def _answer(self) -> dict[str, Any]:
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError("the peer's process ended")
        return json.loads(line)
