"""Draw the dashboards from a Prometheus: `python docs/images/dashboards.py http://127.0.0.1:9090 MINUTES [END]`.

Every panel asks what it would ask in Grafana, of the MINUTES before END (seconds since the epoch; now, if it is not
given), and is drawn where it would lie. The Prometheus has to scrape a gateway under load every two seconds or so, and
to give it the label `cell`. Needs the `bench` extra. Writes dashboard-service.png and dashboard-engines.png beside
itself.
"""

import json
import re
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import matplotlib

matplotlib.use("Agg")
import matplotlib.dates
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

DASHBOARDS = Path(__file__).parents[2] / "infra" / "monitoring" / "dashboards"
VARIABLES = {"$__rate_interval": "30s", "$model": ".*", "$cell": ".*"}
COLUMNS, CELL = 24, (0.56, 0.3)  # of Grafana's grid, and inches of a cell
HEADER, GAP = 0.5, 0.05  # inches: the dashboard's title, and around each panel
MARGINS = {"timeseries": (0.65, 0.3, 0.5, 0.4), "stat": (0.1, 0.1, 0.1, 0.4)}  # inches left, right, below and above
COLOURS = ("#73bf69", "#f2cc0c", "#5794f2", "#ff9830", "#f2495c", "#b877d9")
PANEL, LINE = "#181b1f", "#2c3235"
STYLE = {
    "figure.facecolor": "#111217",
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "text.color": "#ccccdc",
    "axes.labelcolor": "#ccccdc",
    "xtick.color": "#9a9aa8",
    "ytick.color": "#9a9aa8",
    "grid.color": LINE,
    "font.size": 8,
}

Series = tuple[str, list[float], list[float]]  # legend, seconds since the epoch, values


def main(prometheus: str, minutes: float, end: float) -> None:
    """Draw every dashboard."""
    for file in sorted(DASHBOARDS.glob("*.json")):
        dashboard = json.loads(file.read_text("utf-8"))
        with plt.rc_context(STYLE):
            figure = canvas(dashboard)
            for panel in dashboard["panels"]:
                series = [line for target in panel["targets"] for line in query(prometheus, target, minutes, end)]
                axes = place(figure, panel)
                axes.set_xlim(clock(end - minutes * 60), clock(end))
                draw(axes, panel, series)
            figure.savefig(Path(__file__).with_name(f"dashboard-{file.stem}.png"), dpi=110)


def canvas(dashboard: dict[str, Any]) -> Figure:
    """An empty picture that has room for all panels, below the dashboard's title."""
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = plt.figure(figsize=(COLUMNS * CELL[0], rows * CELL[1] + HEADER))
    figure.text(0.01, 1 - HEADER / 2 / figure.get_figheight(), dashboard["title"], va="center", fontsize=13)
    return figure


def place(figure: Figure, panel: dict[str, Any]) -> Axes:
    """A panel's frame and, within it, its axes."""
    box, (width, height) = panel["gridPos"], figure.get_size_inches()
    x, y = box["x"] * CELL[0] + GAP, height - HEADER - (box["y"] + box["h"]) * CELL[1] + GAP  # the lower left corner
    w, h = box["w"] * CELL[0] - 2 * GAP, box["h"] * CELL[1] - 2 * GAP
    frame = Rectangle((x / width, y / height), w / width, h / height, facecolor=PANEL, edgecolor=LINE, zorder=-1)
    figure.add_artist(frame)
    figure.text((x + 0.12) / width, (y + h - 0.2) / height, panel["title"], va="center", fontsize=9.5)
    left, right, below, above = MARGINS[panel["type"]]
    inner = ((x + left) / width, (y + below) / height, (w - left - right) / width, (h - below - above) / height)
    return figure.add_axes(inner)


def query(prometheus: str, target: dict[str, Any], minutes: float, end: float) -> list[Series]:
    """What a panel's target gives over the minutes before `end`."""
    expression = target["expr"]
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    asked = {"query": expression, "start": end - minutes * 60, "end": end, "step": minutes * 60 / 240}
    answer = httpx.get(f"{prometheus}/api/v1/query_range", params=asked, timeout=60).raise_for_status().json()
    return [(legend(target, found["metric"]), *numbers(found["values"])) for found in answer["data"]["result"]]


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    """The target's legend with the labels of one series."""
    return re.sub(r"\{\{(\w+)\}\}", lambda name: labels.get(name[1], ""), target["legendFormat"])


def numbers(values: list[tuple[float, str]]) -> tuple[list[float], list[float]]:
    """Times and values of a series, without what is no number."""
    known = [(float(at), float(value)) for at, value in values if value != "NaN"]
    return [at for at, _ in known], [value for _, value in known]


def draw(axes: Axes, panel: dict[str, Any], series: list[Series]) -> None:
    """One panel."""
    formatter = format_of(panel["fieldConfig"]["defaults"]["unit"])
    for number, (name, at, values) in enumerate(series):
        times = [clock(moment) for moment in at]
        axes.plot(times, values, color=COLOURS[number % len(COLOURS)], linewidth=1.2, label=name)
        axes.fill_between(times, values, color=COLOURS[number % len(COLOURS)], alpha=0.08)
    axes.set_ylim(bottom=0)
    if panel["type"] == "stat":
        axes.axis("off")
        axes.set_ylim(top=3 * axes.get_ylim()[1])  # the line below, the figure above
        if series and series[0][2]:
            newest = formatter(series[0][2][-1])
            axes.text(0.5, 0.72, newest, transform=axes.transAxes, ha="center", va="center", fontsize=20)
        return
    if top := panel["fieldConfig"]["defaults"].get("max"):
        axes.set_ylim(top=top)
    axes.grid(linewidth=0.6)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: formatter(value)))
    axes.xaxis.set_major_formatter(matplotlib.dates.DateFormatter("%H:%M", tz=clock(0).tzinfo))
    axes.xaxis.set_major_locator(matplotlib.dates.AutoDateLocator(minticks=4, maxticks=8))
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(-0.01, -0.13), ncols=6, frameon=False, fontsize=8, handlelength=1)


def clock(moment: float) -> datetime:
    """The local time at so many seconds since the epoch."""
    return datetime.fromtimestamp(moment).astimezone()


def format_of(unit: str) -> Callable[[float], str]:
    """How Grafana writes a value of this unit, nearly."""
    if unit == "s":
        return lambda value: f"{value:.3g} s" if value >= 1 or value == 0 else f"{value * 1000:.3g} ms"
    return {"percentunit": "{:.0%}", "reqps": "{:.2g}/s", "short": "{:.3g}"}[unit].format


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else time.time())
