"""The notebooks' pictures: who holds what, who works when, how fast it may go. Each function draws one figure."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import jax
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

Colour = tuple[float, ...]
Bounds = tuple[tuple[int, int], ...]

PALETTE: tuple[Colour, ...] = (*plt.colormaps["Set2"].colors[:7], plt.colormaps["Set3"].colors[4])
GREY: Colour = (0.91, 0.91, 0.91)
BLANK: Colour = (0.97, 0.97, 0.97)
NOBODY = -1
"""The number of a cell that nobody has."""


def who_holds(arrays: Mapping[str, jax.Array]) -> None:
    """Arrays of two dimensions, side by side, cut as they lie: each block says which devices hold it."""
    _, panels = plt.subplots(1, len(arrays), figsize=(2.7 * len(arrays), 3), squeeze=False, layout="constrained")
    for panel, (title, array) in zip(panels[0], arrays.items(), strict=True):
        everyone = len(array.sharding.device_set)
        for (rows, columns), devices in _holders(array).items():
            if len(devices) == everyone > 1:
                _block(panel, rows, columns, GREY, f"all {everyone}")
            else:
                _block(panel, rows, columns, _mixed(devices), _in_pairs(devices))
        _frame(panel, *array.shape)
        panel.set(xlabel=f"{array.shape[1]} columns", ylabel=f"{array.shape[0]} rows", xticks=[], yticks=[])
        panel.set_title(title, fontsize=10)


def parameter_map(parameters: Mapping[str, tuple[jax.Array, Sequence[str | None]]]) -> None:
    """A line for each parameter, a column for each device: which part of which logical axis the device holds.

    Args:
        parameters: names to arrays and the logical axes of their dimensions.
    """
    names = list(parameters)
    devices = sorted({device.id for array, _ in parameters.values() for device in array.sharding.device_set})
    _, panel = plt.subplots(figsize=(1.15 * len(devices) + 2.8, 0.36 * len(names) + 0.6), layout="constrained")
    for line, (array, axes) in enumerate(parameters.values()):
        for bounds, holders in _holders(array).items():
            cut = [
                f"{axis} {start}:{stop}"
                for (start, stop), size, axis in zip(bounds, array.shape, axes, strict=True)
                if stop - start < size
            ]
            for device in holders:
                column, colour = devices.index(device), PALETTE[device % 8] if cut else GREY
                _block(panel, (line, line + 1), (column, column + 1), colour, "\n".join(cut) or "whole", size=6.5)
    _frame(panel, len(names), len(devices))
    panel.set_yticks(np.arange(len(names)) + 0.5, [f"{name} {list(parameters[name][0].shape)}" for name in names])
    panel.set_xticks(np.arange(len(devices)) + 0.5, [f"device {device}" for device in devices])
    panel.tick_params(length=0, labelsize=8, top=True, labeltop=True, bottom=False, labelbottom=False)


def grids(panels: Mapping[str, np.ndarray], *, x: str, y: str) -> None:
    """Tables of numbers as coloured cells, one below the other: a colour for each number, none for NOBODY."""
    widest, lines = max(table.shape[1] for table in panels.values()), [len(table) for table in panels.values()]
    _, axes = plt.subplots(
        len(panels),
        figsize=(max(0.42 * widest + 1, 4), sum(0.27 * count + 0.85 for count in lines)),
        height_ratios=lines,
        squeeze=False,
        layout="constrained",
    )
    for panel, (title, table) in zip(axes[:, 0], panels.items(), strict=True):
        for (line, column), number in np.ndenumerate(table):
            colour, label = (BLANK, "") if number == NOBODY else (PALETTE[number % 8], str(number))
            _block(panel, (line, line + 1), (column, column + 1), colour, label)
        _frame(panel, len(table), widest)
        panel.set(xlabel=x, ylabel=y)
        panel.set_title(title, fontsize=9, loc="left")
        panel.set_yticks(np.arange(len(table)) + 0.5, range(len(table)))
        panel.set_xticks(np.arange(table.shape[1]) + 0.5, range(table.shape[1]))
        panel.tick_params(length=0, labelsize=7)


def page_table(owners: np.ndarray, holders: np.ndarray, names: Sequence[str]) -> None:
    """The pool's pages, one a line, as time goes by from left to right.

    A page that somebody holds has its request's colour, with a number where several hold it. A pale one is held by
    nobody, but its text can still be found.

    Args:
        owners: whose text is on a page, [steps, pages]; NOBODY for a page that is free.
        holders: how many hold it, [steps, pages].
        names: of the owners.
    """
    steps, pages = owners.shape
    figure, panel = plt.subplots(figsize=(min(0.16 * steps, 9) + 1.5, 0.2 * pages + 1), layout="constrained")
    for (step, page), owner in np.ndenumerate(owners):
        colour, label = BLANK, ""
        if owner != NOBODY:
            held = int(holders[step, page])
            colour = PALETTE[owner % 8] if held else _pale(PALETTE[owner % 8])
            label = str(held) if held > 1 else ""
        _block(panel, (page, page + 1), (step, step + 1), colour, label, size=5, gap=0.4)
    _frame(panel, pages, steps)
    panel.set(xlabel="step", ylabel="page")
    panel.set_yticks(np.arange(pages) + 0.5, range(pages))
    ticks = np.arange(0, steps, max(1, steps // 12))
    panel.set_xticks(ticks + 0.5, ticks)
    panel.tick_params(length=0, labelsize=7)
    marks = [Rectangle((0, 0), 1, 1, color=PALETTE[number % 8]) for number in range(len(names))]
    figure.legend(marks, names, loc="outside upper center", ncols=len(names), fontsize=8, frameon=False)


def bars(panels: Mapping[str, Mapping[str, float]]) -> None:
    """Horizontal bars, a panel for each quantity, with the same lines in each."""
    lines = list(next(iter(panels.values())))
    figsize = (3.6 * len(panels) + 1, 0.32 * len(lines) + 0.6)
    _, axes = plt.subplots(1, len(panels), figsize=figsize, squeeze=False, layout="constrained")
    for number, (panel, (title, values)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        drawn = panel.barh(lines, [values[line] for line in lines], color=PALETTE[number % 8])
        panel.bar_label(
            drawn, fmt=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}", padding=3, fontsize=8
        )
        panel.set_title(title, fontsize=9)
        panel.set_xticks([])
        panel.set_xlim(0, max(1.25 * max(values.values()), 1e-9))
        panel.invert_yaxis()
        panel.tick_params(length=0, labelsize=8, labelleft=number == 0)
        panel.spines[["top", "right", "bottom"]].set_visible(False)


def roofline(points: Mapping[str, Sequence[tuple[float, float]]], *, bandwidth: float, rate: float, title: str) -> None:
    """A device's roof, and programs under it.

    Args:
        points: a name to (operations a byte, operations a second) of some programs, joined by a line.
        bandwidth: bytes a second that memory brings.
        rate: operations a second that the device computes at most.
    """
    ridge = rate / bandwidth
    reached = [intensity for group in points.values() for intensity, _ in group]
    span = np.geomspace(min([ridge, *reached]) / 3, max([ridge, *reached]) * 3, 200)
    _, panel = plt.subplots(figsize=(7.5, 4), layout="constrained")
    panel.loglog(span, np.minimum(span * bandwidth, rate), color="0.3", linewidth=2, label="the roof")
    panel.axvline(ridge, color="0.8", linestyle=":")
    panel.annotate(f"ridge: {ridge:.3g}", (ridge, rate), (4, 5), textcoords="offset points", fontsize=8)
    for number, (name, group) in enumerate(points.items()):
        colour = plt.colormaps["Dark2"].colors[number % 8]
        panel.plot(*zip(*group, strict=True), "o-", color=colour, markersize=5, label=name)
    panel.set(xlabel="operations a byte", ylabel="operations a second", title=title)
    panel.margins(y=0.15)
    panel.grid(alpha=0.2)
    panel.legend(fontsize=8, frameon=False)


def _holders(array: jax.Array) -> dict[Bounds, list[int]]:
    """The devices by the block that they hold."""
    holders: dict[Bounds, list[int]] = {}
    for device, index in array.sharding.devices_indices_map(array.shape).items():
        bounds = tuple(cut.indices(size)[:2] for cut, size in zip(index, array.shape, strict=True))
        holders.setdefault(bounds, []).append(device.id)
    return {bounds: sorted(devices) for bounds, devices in holders.items()}


def _mixed(devices: Sequence[int]) -> Colour:
    """The mean of some devices' colours."""
    return tuple(np.mean([PALETTE[device % 8] for device in devices], axis=0))


def _pale(colour: Colour) -> Colour:
    return tuple(0.7 + 0.3 * np.asarray(colour))


def _in_pairs(devices: Sequence[int]) -> str:
    """Numbers in lines of two, so that they fit into small blocks."""
    cuts = [*range(0, len(devices), 2), len(devices)]
    return "\n".join(" ".join(map(str, devices[start:end])) for start, end in pairwise(cuts))


def _block(
    panel: Axes,
    rows: tuple[int, int],
    columns: tuple[int, int],
    colour: Colour,
    label: str,
    *,
    size: float = 8,
    gap: float = 1,
) -> None:
    """A coloured rectangle with words in its middle."""
    wide, high = columns[1] - columns[0], rows[1] - rows[0]
    panel.add_patch(Rectangle((columns[0], rows[0]), wide, high, facecolor=colour, edgecolor="white", linewidth=gap))
    if label:
        panel.text(sum(columns) / 2, sum(rows) / 2, label, ha="center", va="center", fontsize=size)


def _frame(panel: Axes, rows: int, columns: int) -> None:
    """Line 0 on top, as tables are read."""
    panel.set(xlim=(0, columns), ylim=(rows, 0))
    panel.spines[:].set_visible(False)
