"""Our engine in a process of its own, reached as gateways reach it."""

import asyncio
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path

from benchmarks.contender import Model, Prompt
from benchmarks.machine import peak_memory
from serving.engine.options import EngineOptions
from serving.engine.request import GenerationRequest, SamplingParams
from serving.fleet.launcher import LocalLauncher, LocalProcess, engine_command
from serving.fleet.replica import Replica, ReplicaState

START_LIMIT = 900  # seconds; a bfloat16 model of many shapes compiles long on two cores


class TradewindEngine:
    """An engine process, and the gateway's own client of it."""

    def __init__(self, engine: LocalProcess, replica: Replica, connection: asyncio.Task[str], seconds: float) -> None:
        self.start_seconds = seconds  # until requests were taken
        self._engine = engine
        self._replica = replica
        self._connection = connection
        self._numbers = itertools.count()

    @classmethod
    async def start(cls, model: Model, options: EngineOptions) -> "TradewindEngine":
        """As `tradewind serve` starts it: ready when any request can be served."""
        return await cls._start(engine_command(model.folder, options))

    @classmethod
    async def start_warm(cls, model: Model, options: EngineOptions) -> "TradewindEngine":
        """Ready when everything is compiled."""
        return await cls._start(lambda listen: warm_command(model.folder, listen, options))

    @classmethod
    async def _start(cls, command: Callable[[str], Sequence[str]]) -> "TradewindEngine":
        loop = asyncio.get_running_loop()
        began = loop.time()
        engine = await LocalLauncher(command).start()
        ready = asyncio.Event()
        replica = Replica("engine", on_change=lambda replica: replica.state is ReplicaState.READY and ready.set())
        connection = asyncio.create_task(replica.serve(engine.target))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait((connection, waiting), timeout=START_LIMIT, return_when=asyncio.FIRST_COMPLETED)
        if not ready.is_set():
            waiting.cancel()
            await engine.stop()
            raise RuntimeError(f"the engine did not start: {engine.last_line}")
        return cls(engine, replica, connection, loop.time() - began)

    async def stream(self, prompt: Prompt, tokens: int, arrivals: list[float]) -> None:
        """See `StreamingEngine`. Greedy, as are the peers."""
        sampling = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        request = GenerationRequest(f"bench-{next(self._numbers)}", tuple(prompt), sampling)
        now = asyncio.get_running_loop().time
        async with aclosing(self._replica.generate(request)) as deltas:
            async for delta in deltas:
                if delta.error:
                    raise RuntimeError(delta.error)
                arrivals += [now()] * len(delta.tokens)

    async def reply(self, prompt: Prompt, tokens: int) -> list[int]:
        """The greedy continuation."""
        sampling = SamplingParams(max_tokens=tokens, temperature=0, ignore_eos=True)
        request = GenerationRequest(f"bench-{next(self._numbers)}", tuple(prompt), sampling)
        return [token async for delta in self._replica.generate(request) for token in delta.tokens]

    @property
    def compiles_after_warmup(self) -> int:
        """Programs that were compiled although everything had been."""
        return self._replica.stats.compiles_after_warmup

    def peak_memory(self) -> int:
        """Bytes."""
        return peak_memory(self._engine.pid)

    async def stop(self) -> None:
        """End the process."""
        self._connection.cancel()
        await asyncio.gather(self._connection, return_exceptions=True)
        await self._engine.stop()


def warm_command(folder: Path, listen: str, options: EngineOptions) -> Sequence[str]:
    """The command line of `benchmarks.warm_engine`."""
    return [sys.executable, "-m", "benchmarks.warm_engine", str(folder), listen, json.dumps(asdict(options))]
