"""llama.cpp, built for this very processor from the sources that come with `llama-cpp-python`."""

import asyncio
import json
import os
import socket
import subprocess
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.contender import PROMPT, Model, Prompt
from benchmarks.machine import peak_memory
from benchmarks.peers.environment import BRIEF_SPIN, python_with, run
from serving.bench.http import HttpClient

PACKAGE = "llama-cpp-python==0.3.36"
TARGETS = ("llama-server", "llama-batched-bench")
CMAKE_OPTIONS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DGGML_NATIVE=ON",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
    "-DLLAMA_OPENSSL=OFF",
)
SLOTS = 16
SLOT_TOKENS = 1024
START_LIMIT = 120  # seconds
KINDS = {"float32": "F32", "bfloat16": "BF16"}


@dataclass(frozen=True)
class LlamaCpp:
    """Its programs, and the interpreter that writes its files."""

    programs: Path
    python: Path

    @classmethod
    def prepare(cls, cache: Path) -> "LlamaCpp":
        """Fetches and builds what `cache` does not hold yet, which takes many minutes on two cores."""
        build = cache / "build"
        if not all((build / "bin" / name).exists() for name in TARGETS):
            sources = _sources(cache)
            run("cmake", "-S", str(sources), "-B", str(build), *CMAKE_OPTIONS)
            run("cmake", "--build", str(build), "-j", str(os.cpu_count()), "--target", *TARGETS)
        return cls(build / "bin", python_with(cache / "environments" / "gguf", "gguf"))

    def convert(self, model: Model, dtype: str, folder: Path) -> Path:
        """The model as a GGUF file in `folder`."""
        file = folder / f"{model.name.replace(' ', '-')}-{dtype}.gguf"
        if not file.exists():
            script = Path(__file__).with_name("write_gguf.py")
            run(str(self.python), str(script), str(model.folder), str(file), KINDS[dtype])
        return file

    def bench(self, file: Path, prompt: int, reply: int, streams: int, patience: float) -> dict[str, float]:
        """One line of llama-batched-bench: a bare loop without server or sampler, which flatters it.

        Empty when it took longer than `patience` seconds.
        """
        tokens = streams * (prompt + reply)
        sizes = ["-c", str(tokens), "-npp", str(prompt), "-ntg", str(reply), "-npl", str(streams)]
        command = [str(self.programs / "llama-batched-bench"), "-m", str(file), *sizes, "-t", str(os.cpu_count())]
        try:
            done = subprocess.run(
                [*command, "--output-format", "jsonl"],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                timeout=patience,
                env=BRIEF_SPIN,
                check=True,
            )
        except subprocess.TimeoutExpired:
            return {}
        return next(json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))

    def decode_rate(self, file: Path, streams: int, tokens: int, patience: float) -> float | None:
        """Tokens a second of `streams` streams."""
        return self.bench(file, PROMPT, tokens, streams, patience).get("speed_tg")

    def prefill_rate(self, file: Path, length: int, patience: float) -> float | None:
        """Prompt tokens a second of one prompt."""
        return self.bench(file, length, 1, 1, patience).get("speed_pp")


def _sources(cache: Path) -> Path:
    """The sources of llama.cpp, from the package index."""
    folder = cache / "sources"
    if not folder.exists():
        pip = python_with(cache / "environments" / "pip")
        run(str(pip), "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", PACKAGE, "-d", str(cache))
        with tarfile.open(next(cache.glob("llama_cpp_python-*.tar.gz"))) as archive:
            archive.extractall(folder, filter="data")
    return next(folder.glob("*/vendor/llama.cpp"))


class LlamaServer:
    """llama-server with continuous batching, reached by HTTP as its users reach it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, seconds: float) -> None:
        self.start_seconds = seconds
        self._process = process
        self._http = HttpClient(f"http://127.0.0.1:{port}", {})

    @classmethod
    async def start(cls, llama: LlamaCpp, file: Path) -> "LlamaServer":
        """Ready when it says that it is."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        cores = str(os.cpu_count())
        sizes = ["-np", str(SLOTS), "-c", str(SLOTS * SLOT_TOKENS), "-t", cores, "--host", "127.0.0.1"]
        command = [str(llama.programs / "llama-server"), "-m", str(file), *sizes, "--port", str(port)]
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: ASYNC220
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=BRIEF_SPIN
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                if process.poll() is not None or time.monotonic() - began > START_LIMIT:
                    process.kill()
                    raise RuntimeError(f"llama-server did not start: {' '.join(command)}")
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.02)
        return cls(process, port, time.monotonic() - began)

    async def stream(self, prompt: Prompt, tokens: int, arrivals: list[float]) -> None:
        """See `StreamingEngine`."""
        events = _Events(arrivals)
        await self._http.send("POST", "/completion", _body(prompt, tokens, stream=True), events)
        if events.status != 200 or len(arrivals) != tokens:
            raise RuntimeError(f"llama-server: status {events.status}, {len(arrivals)} tokens of {tokens}")

    async def reply(self, prompt: Prompt, tokens: int) -> list[int]:
        """The greedy continuation."""
        whole = _Whole()
        await self._http.send("POST", "/completion", _body(prompt, tokens, stream=False), whole)
        return json.loads(whole.body)["tokens"]

    def peak_memory(self) -> int:
        """Bytes."""
        return peak_memory(self._process.pid)

    async def stop(self) -> None:
        """End the process."""
        self._http.close()
        self._process.terminate()
        await asyncio.to_thread(self._process.wait)


def _body(prompt: Prompt, tokens: int, *, stream: bool) -> bytes:
    greedy = {"samplers": ["top_k"], "top_k": 1, "ignore_eos": True, "cache_prompt": False, "return_tokens": True}
    return json.dumps({"prompt": list(prompt), "n_predict": tokens, "stream": stream, **greedy}).encode()


class _Events:
    """Notes when each token of a stream came: an event each, and one without tokens at the end."""

    MARKS = (b'"tokens":[', b'"tokens":[]')

    def __init__(self, arrivals: list[float]) -> None:
        self.status = 0
        self._arrivals = arrivals
        self._rest = b""

    def begin(self, status: int) -> None:
        self.status = status

    def data(self, data: bytes, at: float) -> None:
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if self.MARKS[0] in event and self.MARKS[1] not in event:
                self._arrivals.append(at)


class _Whole:
    def __init__(self) -> None:
        self.body = b""

    def begin(self, status: int) -> None:
        pass

    def data(self, data: bytes, at: float) -> None:
        self.body += data
