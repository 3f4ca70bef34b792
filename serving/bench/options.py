"""What a person may say about a run. Every field is a flag of `tradewind bench`, with this metadata as its help."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from serving.bench.endpoint import ENDPOINTS, EndpointName
from serving.bench.errors import BenchError
from serving.bench.slo import Slo
from serving.bench.trace import Replay
from serving.bench.workload import Lengths, Workload

WHOM, LOAD, WHAT, LIMITS, RESULTS = "Whom", "When", "What", "How much", "Results"
SYNTHETIC = ("input_tokens", "output_tokens", "turns", "think", "prefix_tokens", "prefixes")
TRACED = ("time_scale", "length_scale")


def _option(default, panel: str, metavar: str, description: str, *, repr: bool = True, **typer_option):
    metadata = {"panel": panel, "metavar": metavar, "description": description, **typer_option}
    return field(default=default, repr=repr, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """The options of a run. None is a choice that was not made; `workload` and `loop` make it.

    Raises BenchError for options that exclude each other or cannot be read.
    """

    url: str = _option("http://127.0.0.1:8000", WHOM, "URL", "Address of a server that speaks OpenAI's protocol.")
    model: str | None = _option(None, WHOM, "NAME", "Model to ask; by default the first that the server lists.")
    api: EndpointName = _option("chat", WHOM, "NAME", f"Endpoint to ask: {' or '.join(ENDPOINTS)}.")
    api_key: str = _option(
        "", WHOM, "KEY", "Sent as bearer token.", repr=False, envvar="OPENAI_API_KEY", show_default=False
    )
    body: str = _option(
        '{"ignore_eos": true}', WHOM, "JSON", "Fields that every request carries; null takes one of ours out."
    )

    concurrency: int | None = _option(
        None, LOAD, "N", "So many conversations at once; the next begins when one ends. \\[default: 8]", min=1
    )
    rate: float | None = _option(None, LOAD, "N", "So many a second arrive, by chance (Poisson).", min=1e-6)
    trace: Path | None = _option(None, LOAD, "FILE", "As an Azure (CSV) or Mooncake (JSONL) trace has them.")
    time_scale: float | None = _option(None, LOAD, "N", "Multiplies the trace's times; 10 is ten times slower.", min=0)
    length_scale: float | None = _option(None, LOAD, "N", "Multiplies the trace's token counts.", min=1e-6)

    input_tokens: str | None = _option(None, WHAT, "LENGTHS", "New tokens in each turn. \\[default: 128]")
    output_tokens: str | None = _option(None, WHAT, "LENGTHS", "Tokens in each answer. \\[default: 64]")
    turns: str | None = _option(None, WHAT, "LENGTHS", "Turns in a conversation. \\[default: 1]")
    think: float | None = _option(None, WHAT, "SECONDS", "Mean pause before a further turn. \\[default: 0]", min=0)
    prefix_tokens: int | None = _option(None, WHAT, "N", "Length of a shared system prompt. \\[default: 0]", min=0)
    prefixes: int | None = _option(None, WHAT, "N", "How many different ones there are. \\[default: 1]", min=1)
    seed: int = _option(0, WHAT, "N", "The same asks the same again, which a prefix cache then remembers.")

    requests: int = _option(100, LIMITS, "N", "Ends after so many requests.", min=1)
    seconds: float = _option(60.0, LIMITS, "N", "Ends after so many seconds, and hangs up on the rest.", min=0.1)
    timeout: float = _option(60.0, LIMITS, "SECONDS", "Longest wait for one answer.", min=0.1)

    slo_ttft: float | None = _option(None, RESULTS, "MS", "Time to first token of a good request, at most.", min=0)
    slo_itl: float | None = _option(None, RESULTS, "MS", "Its mean time per further token, at most.", min=0)
    output: Path | None = _option(None, RESULTS, "FILE", "Write JSON here.")
    plot: Path | None = _option(None, RESULTS, "FILE", "Draw a picture here: .png, .svg or .pdf.")

    def __post_init__(self) -> None:
        if len(chosen := self._given(("concurrency", "rate", "trace"))) > 1:
            raise BenchError(f"{' and '.join(map(_flag, chosen))} exclude each other; give one of them")
        useless = self._given(SYNTHETIC) if self.trace else self._given(TRACED)
        if useless:
            reason = "a trace has its own" if self.trace else "there is no --trace"
            raise BenchError(f"{', '.join(map(_flag, useless))}: {reason}")
        if self.api not in ENDPOINTS:
            raise BenchError(f"--api {self.api}: accepted are {' and '.join(ENDPOINTS)}")
        for flag, file in (("--output", self.output), ("--plot", self.plot)):
            if file and not file.parent.is_dir():
                raise BenchError(f"{flag} {file}: there is no folder {file.parent}")
        self.fields()
        self.workload()

    def workload(self) -> Workload | Replay:
        """What is asked, and in an open loop when."""
        if self.trace:
            return Replay(self.trace, _or(self.time_scale, 1.0), _or(self.length_scale, 1.0))
        return Workload(
            input_tokens=self._lengths("input_tokens", "128"),
            output_tokens=self._lengths("output_tokens", "64"),
            turns=self._lengths("turns", "1"),
            prefix_tokens=self.prefix_tokens or 0,
            prefixes=self.prefixes or 1,
            pause=self.think or 0.0,
            rate=self.rate,
        )

    def loop(self) -> int | None:
        """The concurrency of a closed loop; None for an open one."""
        return None if self.rate or self.trace else self.concurrency or 8

    def slo(self) -> Slo:
        """In seconds."""
        return Slo(*(None if bound is None else bound / 1000 for bound in (self.slo_ttft, self.slo_itl)))

    def fields(self) -> dict[str, Any]:
        """Of every request."""
        try:
            fields = json.loads(self.body)
        except ValueError as error:
            raise BenchError(f"--body {self.body!r} is no JSON: {error}") from None
        if not isinstance(fields, dict):
            raise BenchError(f'--body {self.body!r} is no JSON object, such as {{"temperature": 0}}')
        return fields

    def as_json(self) -> dict[str, Any]:
        """All but the key."""
        values = {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}
        del values["api_key"]
        return values

    def _lengths(self, name: str, default: str) -> Lengths:
        text = getattr(self, name)
        try:
            return Lengths.parse(default if text is None else text)
        except BenchError as error:
            raise BenchError(f"{_flag(name)}: {error}") from None

    def _given(self, names: tuple[str, ...]) -> list[str]:
        return [name for name in names if getattr(self, name) is not None]


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
