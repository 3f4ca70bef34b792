"""What evaluation found: rows with their bars, replies to fixed prompts, and both as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from training.evaluation.estimate import Estimate
from training.generate import Sampling


@dataclass(frozen=True, slots=True)
class Bar:
    """What a row should reach when the model was trained on two CPU cores, and when it was trained on a GPU."""

    cpu: float | None
    gpu: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement. No estimate means that there were no examples of its kind."""

    name: str
    estimate: Estimate | None
    bar: Bar | None = None
    unit: Literal["percent", "bits"] = "percent"
    lower_is_better: bool = False

    def written(self, value: float) -> str:
        """A value of this row in its unit."""
        return f"{value:.1%}" if self.unit == "percent" else f"{value:.3f}"

    def verdict(self) -> str:
        """Which bars are met, and how far off the next one is."""
        if self.estimate is None:
            return "no examples"
        if self.bar is None:
            return ""
        met = []
        for machine, bar in (("CPU", self.bar.cpu), ("GPU", self.bar.gpu)):
            if bar is None:
                continue
            gap = (self.estimate.value - bar) if self.lower_is_better else (bar - self.estimate.value)
            if gap > 0:
                off = f"{gap * 100:.1f} points" if self.unit == "percent" else f"{gap:.3f}"
                return ", ".join([*met, f"{off} off {machine}"])
            met.append(f"meets {machine}")
        return ", ".join(met)

    def cells(self) -> tuple[str, ...]:
        """The row as text: name, measured, 95% interval, n, CPU bar, GPU bar, verdict."""
        sign = "<= " if self.lower_is_better else ">= "
        bars = (self.bar.cpu, self.bar.gpu) if self.bar else (None, None)
        found = self.estimate
        return (
            self.name,
            self.written(found.value) if found else "-",
            f"{self.written(found.low)} to {self.written(found.high)}" if found else "-",
            f"{found.n:,}" if found else "0",
            *("" if bar is None else sign + self.written(bar) for bar in bars),
            self.verdict(),
        )


HEADINGS = ("held out", "measured", "95% interval", "n", "CPU bar", "GPU bar", "")


@dataclass(frozen=True, slots=True)
class Reply:
    """The first reply to a fixed prompt at the default sampling, both as a person reads them."""

    topic: str
    prompt: str
    reply: str


@dataclass(frozen=True, slots=True)
class Report:
    """A whole evaluation. `split` counts the held-out examples by source and kind; the rows measure some of them."""

    model: str
    trained_tokens: int | None
    sampling: Sampling
    rows: tuple[Row, ...]
    replies: tuple[Reply, ...]
    split: dict[str, int]

    def save(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    def title(self) -> str:
        """What was measured, and how it was sampled."""
        size = f" after {self.trained_tokens:,} tokens" if self.trained_tokens else ""
        drawn = f"temperature {self.sampling.temperature}, top_p {self.sampling.top_p}"
        return f"{self.model}{size}; default sampling: {drawn}, repetition penalty {self.sampling.repetition_penalty}"

    @classmethod
    def load(cls, path: Path, trained_tokens: int, sampling: Sampling) -> "Report":
        """Reads what `save` wrote of the checkpoint after so many tokens, sampled like this.

        Raises FileNotFoundError where there is no report or one of something else; it says how to make it.
        """
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing; `python -m training evaluate` writes it")
        found = json.loads(path.read_text(encoding="utf-8"))
        measured, asked = (found["trained_tokens"], found["sampling"]), (trained_tokens, asdict(sampling))
        if measured != asked:
            raise FileNotFoundError(
                f"{path} measures the model after {measured[0]} tokens with {measured[1]}; what is asked for is "
                f"{asked[0]} tokens with {asked[1]}, which `python -m training evaluate` measures"
            )
        return cls(
            **found
            | {
                "sampling": Sampling(**found["sampling"]),
                "rows": tuple(map(_row, found["rows"])),
                "replies": tuple(Reply(**reply) for reply in found["replies"]),
            }
        )


def _row(found: dict[str, Any]) -> Row:
    estimate, bar = found["estimate"], found["bar"]
    return Row(**found | {"estimate": estimate and Estimate(**estimate), "bar": bar and Bar(**bar)})
