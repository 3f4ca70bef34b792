"""What the gateway adds to an engine's answers, in time and in processor seconds.

python -m benchmarks.gateway [--output results.json]

The engine is the stand-in that the tests use, in a process of its own behind the product's gRPC server: it repeats the
prompt, a token a step. The same requests go to it directly, through the gateway's own client for engines, and through
`tradewind serve`, by turns, so that whatever else this machine does weighs on both alike.
"""

import asyncio
import contextlib
import itertools
import json
import re
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer
from rich.progress import Progress
from rich.table import Table

from benchmarks import display
from benchmarks.machine import describe, quantile, quiet, title
from serving.bench.http import HttpClient
from serving.engine.request import GenerationRequest, SamplingParams
from serving.fleet.launcher import LocalLauncher
from serving.fleet.replica import Replica, ReplicaState
from tests.server_process import ServerProcess

ECHO_ENGINE = Path(__file__).parent.parent / "tests" / "fleet" / "echo_engine.py"
ROWS = 256
STEP = 0.02  # seconds of a step of the stand-in while many streams run
WORDS = 100  # of a prompt, about as many tokens
QUIET = 30  # seconds to wait at most for others to leave the cores alone
STREAMS = 16  # that run beside the requests whose first token is measured

Advance = Callable[[], None]


@dataclass(frozen=True)
class Stand:
    """A stand-in engine, reachable directly and through a gateway process."""

    direct: Replica
    http: HttpClient
    gateway: psutil.Process

    def cpu_seconds(self) -> float:
        """What the gateway's process has used of all cores."""
        times = self.gateway.cpu_times()
        return times.user + times.system


@contextlib.asynccontextmanager
async def standing(step_seconds: float) -> AsyncIterator[Stand]:
    """A stand of an engine whose steps take so long."""
    flags = ("--exit-with-parent", "--max-rows", str(ROWS), "--step-seconds", str(step_seconds))
    launcher = LocalLauncher(lambda listen: (sys.executable, str(ECHO_ENGINE), "--listen", listen, *flags))
    engine = await launcher.start()
    ready = asyncio.Event()
    direct = Replica("direct", on_change=lambda replica: replica.state is ReplicaState.READY and ready.set())
    connection = asyncio.create_task(direct.serve(engine.target))
    try:
        await asyncio.wait_for(ready.wait(), 60)
        with tempfile.TemporaryDirectory(prefix="tradewind-bench-") as data_dir:
            server = await asyncio.to_thread(ServerProcess, Path(data_dir), "--engine-address", engine.target)
            http = HttpClient(server.url, {})
            try:
                yield Stand(direct, http, psutil.Process(server.process.pid))
            finally:
                http.close()
                await asyncio.to_thread(server.stop)
    finally:
        connection.cancel()
        await asyncio.gather(connection, return_exceptions=True)
        await engine.stop()


class Stream:
    """The answer to one streamed chat request: when each of its tokens came, in seconds of the loop's clock.

    A gateway that falls behind sends several tokens in one event, so the events name their tokens' ids.
    """

    IDS = re.compile(rb'"token_ids":\[([\d,]+)\]')

    def __init__(self) -> None:
        self.status = 0
        self.arrivals: list[float] = []
        self._rest = b""

    def begin(self, status: int) -> None:
        self.status = status

    def data(self, data: bytes, at: float) -> None:
        events, _, self._rest = (self._rest + data).rpartition(b"\n\n")
        for ids in self.IDS.findall(events):
            self.arrivals += [at] * (ids.count(b",") + 1)


async def chat(stand: Stand, tokens: int) -> tuple[float, list[float]]:
    """One request through the gateway: when it was sent, and when its tokens came."""
    body = {
        "messages": [{"role": "user", "content": "wind " * WORDS}],
        "stream": True,
        "max_tokens": tokens,
        "return_token_ids": True,
        "skip_special_tokens": False,  # the prompt begins with some, and the stand-in repeats the prompt
    }
    stream = Stream()
    sent = asyncio.get_running_loop().time()
    await stand.http.send("POST", "/v1/chat/completions", json.dumps(body).encode(), stream)
    if stream.status != 200 or len(stream.arrivals) != tokens:
        raise RuntimeError(f"status {stream.status}, {len(stream.arrivals)} tokens of {tokens}")
    return sent, stream.arrivals


_numbers = itertools.count()


async def generate(stand: Stand, tokens: int) -> tuple[float, list[float]]:
    """The same without the gateway."""
    loop = asyncio.get_running_loop()
    request = GenerationRequest(f"direct-{next(_numbers)}", (5,) * WORDS, SamplingParams(max_tokens=tokens))
    sent = loop.time()
    return sent, [loop.time() async for delta in stand.direct.generate(request) for _ in delta.tokens]


async def first_tokens(stand: Stand, count: int, advance: Advance) -> dict[str, list[float]]:
    """Seconds to the first token of `count` requests by each way, by turns."""
    found: dict[str, list[float]] = {"direct": [], "gateway": []}
    for number in range(-20, count):  # the first twenty warm everything up
        for way, ask in (("direct", generate), ("gateway", chat)):
            sent, arrivals = await ask(stand, 1)
            if number >= 0:
                found[way].append(arrivals[0] - sent)
        if number >= 0:
            advance()
    return found


async def token_delays(stand: Stand, tokens: int) -> list[float]:
    """How much later than directly each token of STREAMS streams comes through the gateway, in seconds.

    A direct stream that runs beside them tells when each step's tokens came: a stream gets a token every step, so one
    step that it shares with the direct stream tells of all of them.
    """
    direct = asyncio.create_task(generate(stand, 2 * tokens))
    streams = await asyncio.gather(*(chat(stand, tokens) for _ in range(STREAMS)))
    _, beats = await direct
    return [delay for _, arrivals in streams for delay in _behind(beats, arrivals)]


def _behind(beats: list[float], arrivals: list[float]) -> list[float]:
    """How long after its beat each arrival came, where one arrival belongs to each beat in a row from some beat on."""
    most = len(beats) - len(arrivals)
    shifted = ([a - b for a, b in zip(arrivals, beats[first:], strict=False)] for first in range(most + 1))
    return min(shifted, key=lambda delays: abs(statistics.median(delays)))


async def capacity(stand: Stand, tokens: int, clients: int, seconds: float) -> dict[str, float]:
    """Requests that `clients` at once have answered within `seconds`, and what they cost the gateway."""
    loop = asyncio.get_running_loop()
    done = 0
    await chat(stand, tokens)
    began, used = loop.time(), stand.cpu_seconds()

    async def client() -> None:
        nonlocal done
        while loop.time() - began < seconds:
            await chat(stand, tokens)
            done += 1

    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed, used = loop.time() - began, stand.cpu_seconds() - used
    return {
        "tokens": tokens,
        "requests/s": done / elapsed,
        "cores used": used / elapsed,
        "cpu per request, ms": 1000 * used / done,
        "requests/s per core": done / used,
        "tokens/s per core": done * tokens / used,
    }


async def measure(requests: int, tokens: list[int], clients: int, seconds: float, progress: Progress) -> dict[str, Any]:
    """All of it."""
    task = progress.add_task("", total=2 * requests + 4 + len(tokens))

    def advance() -> None:
        progress.advance(task)

    progress.update(task, description="wait for a quiet machine")
    others_use = await quiet(QUIET)
    progress.update(task, description="first token, nothing else running")
    async with standing(0) as stand:
        alone = await first_tokens(stand, requests, advance)
    async with standing(STEP) as stand:
        progress.update(task, description=f"first token beside {STREAMS} streams")
        others = [asyncio.create_task(_keep_chatting(stand)) for _ in range(STREAMS)]
        beside = await first_tokens(stand, requests, advance)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        progress.update(task, description="every token")
        delays = []
        for _ in range(4):
            delays += await token_delays(stand, 200)
            advance()
        capacities = []
        for count in tokens:
            progress.update(task, description=f"requests of {count} tokens, {clients} at once")
            capacities.append(await capacity(stand, count, clients, seconds))
            advance()
    return {"others use": others_use, "alone": alone, "beside": beside, "token delays": delays, "capacity": capacities}


async def _keep_chatting(stand: Stand) -> None:
    while True:
        await chat(stand, 500)


def latency_table(measured: dict[str, Any], machine: dict[str, Any]) -> Table:
    """Milliseconds by each way, and what the gateway adds."""
    others = f"others used {measured['others use']:.0%} of the cores before"
    table = Table(title="What the gateway adds, ms", caption=f"{title(machine)}; {others}")
    for heading in ("", "direct p50", "p99", "gateway p50", "p99", "added p50", "added p99"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, ways in (
        ("first token, alone", measured["alone"]),
        (f"first token beside {STREAMS} streams", measured["beside"]),
    ):
        p50, p99 = ([1000 * quantile(ways[way], share) for way in ("direct", "gateway")] for share in (0.5, 0.99))
        figures = (p50[0], p99[0], p50[1], p99[1], p50[1] - p50[0], p99[1] - p99[0])
        table.add_row(name, *(f"{figure:.2f}" for figure in figures))
    delays = [f"{1000 * quantile(measured['token delays'], share):.2f}" for share in (0.5, 0.99)]
    table.add_row(f"each token of {STREAMS} streams", "", "", "", "", *delays)
    return table


def capacity_table(measured: dict[str, Any], machine: dict[str, Any]) -> Table:
    """Requests a second, and processor time."""
    table = Table(title="Streamed chat requests", caption=title(machine))
    for heading in measured["capacity"][0]:
        table.add_column(heading, justify="right")
    for row in measured["capacity"]:
        table.add_row(*(f"{value:.4g}" for value in row.values()))
    return table


def main(
    requests: Annotated[int, typer.Option(min=20, help="Requests whose first token is measured, by each way.")] = 400,
    tokens: Annotated[list[int], typer.Option(min=1, help="Reply lengths of the capacity measurement.")] = [1, 16, 128],  # noqa: B006
    clients: Annotated[int, typer.Option(min=1, max=ROWS, help="Requests at once in it.")] = 64,
    seconds: Annotated[float, typer.Option(min=1, help="How long each length is measured.")] = 8.0,
    output: Annotated[Path | None, typer.Option(help="Write everything measured as JSON.")] = None,
) -> None:
    """Print what the gateway adds to a first token and to every token, and how many requests a core carries."""
    machine = describe()
    console = display.console()
    with display.progress() as progress:
        measured = asyncio.run(measure(requests, tokens, clients, seconds, progress))
    console.print(latency_table(measured, machine), capacity_table(measured, machine))
    if output:
        output.write_text(json.dumps({"machine": machine, "step seconds": STEP, **measured}, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
