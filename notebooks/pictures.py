"""The notebooks' pictures: who holds what, who works when, how fast it may go. Each function draws one figure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import jax
import matplotlib.pyplot as plt
import numpy as np
from flax import nnx
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sharding.roofline import Bound

Colour = tuple[float, ...]
Range = tuple[int, int]
Blocks = dict[tuple[Range, ...], list[int]]
"""The devices by what they hold: a range of each dimension."""

PALETTE: tuple[Colour, ...] = (*plt.colormaps["Set2"].colors[:7], plt.colormaps["Set3"].colors[4])
GREY: Colour = (0.91, 0.91, 0.91)
BLANK: Colour = (0.97, 0.97, 0.97)
NOBODY = -1
"""The number of a cell that nobody has."""

MATRICES = ("embed", "query", "key", "value", "out", "router", "gate", "up", "down", "head")
"""A decoder's, in the order in which tokens meet them."""

DPI = 90


def who_holds(arrays: Mapping[str, jax.Array]) -> None:
    """Arrays of two dimensions, side by side, cut as they lie: each block says which devices hold it."""
    _, panels = _figure(1, len(arrays), figsize=(2.1 * len(arrays), 2.3))
    for panel, (title, array) in zip(panels[0], arrays.items(), strict=True):
        everyone = len(array.sharding.device_set)
        for (rows, columns), devices in _blocks(array).items():
            _held(panel, rows, columns, devices, everyone, size=8)
        _frame(panel, *array.shape)
        panel.set(xlabel=f"{array.shape[1]} columns", ylabel=f"{array.shape[0]} rows", xticks=[], yticks=[])
        panel.set_title(title, fontsize=9)


def matrices(weights: nnx.State, stages: int = 1) -> None:
    """A decoder's matrices to scale, cut as they lie, a line for each layer. Norms are left out.

    Args:
        weights: of the decoder; a mixture's experts are drawn one below the other.
        stages: of the pipeline, whose layers' weights have a first dimension of one entry a stage.
    """
    gap, margin = 10, 55  # between matrices; for the layers' names
    found = _matrices(weights, stages)
    size = {place: [max(ends) for ends in zip(*map(_ends, blocks), strict=True)] for place, blocks in found.items()}
    lines = sorted({line for line, _ in found if line is not None})
    high = [max(rows for (other, _), (rows, _) in size.items() if other == line) for line in lines]
    top = {line: sum(high[:number]) + gap * number for number, line in enumerate(lines)}
    whole = sum(high) + gap * (len(high) - 1)
    tall = max(whole, *(rows for rows, _ in size.values()))
    everyone = len(jax.tree.leaves(weights)[0].sharding.device_set)
    figure, panels = _figure(1, 1, figsize=(8.5, 1))
    panel, left = panels[0, 0], 0
    for name in MATRICES:
        places = [place for place in found if place[1] == name]
        if name == "query":
            left += margin
            for line, rows in zip(lines, high, strict=True):
                panel.text(left - gap, top[line] + rows / 2, f"layer {line}", ha="right", va="center", fontsize=7)
        for place in places:
            rows, columns = size[place]
            begin = (tall - rows) / 2 if place[0] is None else top[place[0]] + (high[place[0]] - rows) / 2
            for ((first, last), (start, end)), devices in found[place].items():
                where = (begin + first, begin + last), (left + start, left + end)
                _held(panel, *where, devices, everyone, size=5.5, gap=0.5)
            if not place[0]:
                above = begin if place[0] is None else 0
                panel.text(left + columns / 2, above - 4, name, ha="center", va="bottom", fontsize=7.5)
        left += max((size[place][1] + gap for place in places), default=0)
    figure.set_size_inches(8.5, 8.5 * (tall + 30) / left)
    _frame(panel, tall, left)
    panel.set(ylim=(tall, -20), xticks=[], yticks=[])


def grids(panels: Mapping[str, np.ndarray], *, x: str, y: str, across: bool = False) -> None:
    """Tables of numbers as coloured cells, below each other or side by side. A colour for each, none for NOBODY."""
    tables = list(panels.values())
    widest, lines = max(table.shape[1] for table in tables), [len(table) for table in tables]
    if across:
        _, axes = _figure(1, len(tables), figsize=(len(tables) * (0.42 * widest + 0.9), 0.3 * max(lines) + 0.9))
    else:
        figsize = max(0.42 * widest + 1, 4), sum(0.27 * count + 0.85 for count in lines)
        _, axes = _figure(len(tables), 1, figsize=figsize, height_ratios=lines)
    for panel, (title, table) in zip(axes.flat, panels.items(), strict=True):
        for (line, column), number in np.ndenumerate(table):
            colour, label = (BLANK, "") if number == NOBODY else (PALETTE[number % 8], str(number))
            _block(panel, (line, line + 1), (column, column + 1), colour, label)
        _frame(panel, len(table), widest)
        panel.set(xlabel=x, ylabel=y)
        panel.set_title(title, fontsize=9, loc="left")
        panel.set_yticks(np.arange(len(table)) + 0.5, range(len(table)))
        panel.set_xticks(np.arange(table.shape[1]) + 0.5, range(table.shape[1]))
        panel.tick_params(length=0, labelsize=7)


def paged_text(pieces: Sequence[str], page_size: int) -> None:
    """A text's tokens, a page a line."""
    pages = -(-len(pieces) // page_size)
    _, panels = _figure(1, 1, figsize=(0.9 * page_size + 0.7, 0.34 * pages + 0.2))
    panel = panels[0, 0]
    for number, piece in enumerate(pieces):
        page, column = divmod(number, page_size)
        label = piece.replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}").replace(" ", "\N{OPEN BOX}")
        _block(panel, (page, page + 1), (column, column + 1), PALETTE[page % 8], label, size=7.5)
    _frame(panel, pages, page_size)
    panel.set_yticks(np.arange(pages) + 0.5, [f"page {page}" for page in range(pages)])
    panel.set_xticks([])
    panel.tick_params(length=0, labelsize=8)


def page_holders(holders: Mapping[str, Sequence[int]], pages: int) -> None:
    """Who holds which pages: a line for each holder, a column for each page."""
    _, panels = _figure(1, 1, figsize=(0.2 * pages + 1.6, 0.27 * len(holders) + 0.6))
    panel = panels[0, 0]
    for line, held in enumerate(holders.values()):
        for page in range(pages):
            colour = PALETTE[line % 8] if page in held else BLANK
            _block(panel, (line, line + 1), (page, page + 1), colour, "")
    _frame(panel, len(holders), pages)
    panel.set(xlabel="page")
    panel.set_yticks(np.arange(len(holders)) + 0.5, holders)
    panel.set_xticks(np.arange(0, pages, 2) + 0.5, range(0, pages, 2))
    panel.tick_params(length=0, labelsize=7)


def keys(panels: Mapping[str, np.ndarray]) -> None:
    """What lies in the cache, side by side. What was never written is pale.

    Args:
        panels: titles to the length of each token's key, [pages, page]; 0 where nothing was written.
    """
    pages, page_size = next(iter(panels.values())).shape
    _, axes = _figure(1, len(panels), figsize=(2.3 * len(panels) + 0.3, 0.1 * pages + 0.7))
    longest = max(lengths.max() for lengths in panels.values())
    colours = plt.colormaps["YlGnBu"].with_extremes(bad=BLANK)
    for panel, (title, lengths) in zip(axes[0], panels.items(), strict=True):
        written = np.ma.masked_equal(lengths, 0)
        panel.imshow(written, aspect="auto", cmap=colours, vmin=0, vmax=longest, extent=(0, page_size, pages, 0))
        _frame(panel, pages, page_size)
        panel.set(xlabel="token of the page", ylabel="page", xticks=[])
        panel.set_title(title, fontsize=9)
        panel.tick_params(length=0, labelsize=7)


def page_table(owners: np.ndarray, holders: np.ndarray, names: Sequence[str]) -> None:
    """The pool's pages, one a line, as time goes by from left to right.

    A page that somebody holds has its writer's colour, with a number where several hold it. A pale one is held by
    nobody, but its text can still be found.

    Args:
        owners: who wrote what is on a page, [steps, pages]; NOBODY for a page that is free.
        holders: how many hold it, [steps, pages].
        names: of the owners.
    """
    steps, pages = owners.shape
    figure, panels = _figure(1, 1, figsize=(min(max(0.14 * steps, 3.5), 7) + 1.2, 0.15 * pages + 0.9))
    panel = panels[0, 0]
    strong = np.array([*PALETTE, BLANK])  # the last is NOBODY's
    numbers = np.where(owners == NOBODY, NOBODY, owners % len(PALETTE))
    colours = np.where(holders[..., None] > 0, strong[numbers], 0.65 + 0.35 * strong[numbers])
    panel.imshow(colours.transpose(1, 0, 2), aspect="auto", interpolation="none", extent=(0, steps, pages, 0))
    for page in range(1, pages):
        panel.axhline(page, color="white", linewidth=1)
    for page, (start, end), count in _shared(holders):
        panel.text((start + end) / 2, page + 0.55, str(count), ha="center", va="center", fontsize=7)
    _frame(panel, pages, steps)
    panel.set(xlabel="step", ylabel="page")
    panel.set_yticks(np.arange(0, pages, 2) + 0.5, range(0, pages, 2))
    panel.tick_params(length=0, labelsize=7)
    marks = [Rectangle((0, 0), 1, 1, color=PALETTE[number % 8]) for number in range(len(names))]
    figure.legend(marks, names, loc="outside upper center", ncols=len(names), fontsize=8, frameon=False)


def bars(panels: Mapping[str, Mapping[str, float]]) -> None:
    """Horizontal bars, a panel for each quantity, with the same lines in each."""
    lines = list(next(iter(panels.values())))
    _, axes = _figure(1, len(panels), figsize=(2.3 * len(panels) + 1.3, 0.27 * len(lines) + 0.5))
    for number, (panel, (title, values)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        drawn = panel.barh(lines, [values[line] for line in lines], color=PALETTE[number % 8])
        panel.bar_label(drawn, fmt=_rounded, padding=3, fontsize=8)
        panel.set_title(title, fontsize=9)
        panel.set_xlim(0, 1.3 * max(values.values()))
        panel.tick_params(labelleft=number == 0)
        _plain(panel)


def waits(panels: Mapping[str, Mapping[str, Bound]]) -> None:
    """Steps' least times by what they may wait for, in ms, side by side: three bars a line, and a scale a panel."""
    count = len(next(iter(panels.values())))
    figure, axes = _figure(1, len(panels), figsize=(3.3 * len(panels) + 1.3, 0.6 * count + 0.8))
    for number, (panel, (title, bounds)) in enumerate(zip(axes[0], panels.items(), strict=True)):
        times = {
            "memory": [bound.weights + bound.cache for bound in bounds.values()],
            "compute": [bound.compute for bound in bounds.values()],
            "links": [bound.links for bound in bounds.values()],
        }
        for place, (name, seconds) in enumerate(times.items()):
            where = np.arange(count) + 0.28 * (place - 1)
            drawn = panel.barh(where, 1e3 * np.array(seconds), 0.26, color=PALETTE[place], label=name)
            panel.bar_label(drawn, fmt=_rounded, padding=3, fontsize=7)
        panel.set_title(f"{title}, ms", fontsize=9)
        panel.set_yticks(range(count), bounds if number == 0 else [""] * count)
        panel.set_xlim(0, 1.2e3 * max(map(max, times.values())))
        _plain(panel)
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8, frameon=False
    )


def roofline(
    roofs: Mapping[str, tuple[float, float]], points: Mapping[str, Mapping[str, tuple[float, float]]], title: str
) -> None:
    """Devices' roofs, and programs under them.

    Args:
        roofs: a device's name to the bytes a second that its memory brings and the operations a second that it
            computes.
        points: a name to some programs, joined by a line: their labels to (operations a byte, operations a second).
    """
    ridges = {name: rate / bandwidth for name, (bandwidth, rate) in roofs.items()}
    reached = [intensity for group in points.values() for intensity, _ in group.values()]
    span = np.geomspace(min([*ridges.values(), *reached]) / 3, max([*ridges.values(), *reached]) * 3, 300)
    _, panels = _figure(1, 1, figsize=(7, 3.8))
    panel = panels[0, 0]
    for number, (name, (bandwidth, rate)) in enumerate(roofs.items()):
        colour = "0.35" if len(roofs) == 1 else plt.colormaps["tab10"].colors[number % 10]
        label = f"{name}: ridge at {ridges[name]:.3g}"
        panel.loglog(span, np.minimum(span * bandwidth, rate), color=colour, linewidth=1.5, label=label)
    for number, (name, group) in enumerate(points.items()):
        colour = plt.colormaps["Dark2"].colors[number % 8]
        shift, side, edge = ((4, -3), "left", "top") if number % 2 else ((-4, 3), "right", "bottom")
        panel.plot(*zip(*group.values(), strict=True), "o-", color=colour, markersize=5, linewidth=1, label=name)
        for label, place in group.items():
            panel.annotate(label, place, shift, textcoords="offset points", color=colour, size=8, ha=side, va=edge)
    panel.set(xlabel="operations a byte", ylabel="operations a second")
    panel.set_title(title, fontsize=10)
    panel.margins(y=0.12)
    panel.grid(alpha=0.2)
    panel.legend(fontsize=8, frameon=False)


def _figure(lines: int, columns: int, *, figsize: tuple[float, float], **more: Any) -> tuple[Figure, np.ndarray]:
    """A figure and its panels, [lines, columns]."""
    return plt.subplots(lines, columns, figsize=figsize, dpi=DPI, squeeze=False, layout="constrained", **more)


def _blocks(array: jax.Array) -> Blocks:
    """Which devices hold which part of an array."""
    found: Blocks = {}
    for device, index in array.sharding.devices_indices_map(array.shape).items():
        bounds = tuple(cut.indices(size)[:2] for cut, size in zip(index, array.shape, strict=True))
        found.setdefault(bounds, []).append(device.id)
    return {bounds: sorted(devices) for bounds, devices in found.items()}


def _matrices(weights: nnx.State, stages: int) -> dict[tuple[int | None, str], Blocks]:
    """The blocks of each matrix of a decoder, by layer and name; None for what is in no layer."""
    flat = nnx.to_flat_state(weights)
    length = 1 + max(path[1] for path, _ in flat if path[0] == "layers")
    found: dict[tuple[int | None, str], Blocks] = {}
    for path, variable in flat:
        array, layered = variable.get_value(), path[0] == "layers"
        stacked = int(layered and stages > 1)
        if array.ndim - stacked < 2:
            continue
        for bounds, devices in _blocks(array).items():
            for stage in range(*bounds[0]) if stacked else (0,):
                place = (stage * length + path[1], path[-2]) if layered else (None, path[0])
                found.setdefault(place, {}).update(
                    (block, devices) for block in _below_each_other(bounds[stacked:], array.shape[-2])
                )
    return found


def _below_each_other(bounds: tuple[Range, ...], height: int) -> Iterator[tuple[Range, Range]]:
    """The same block in a matrix, or in several matrices of so many rows each that are put one below the other."""
    *above, (start, end), columns = bounds
    for number in range(*above[0]) if above else (0,):
        yield (number * height + start, number * height + end), columns


def _ends(block: tuple[Range, ...]) -> tuple[int, ...]:
    return tuple(end for _, end in block)


def _shared(holders: np.ndarray) -> Iterator[tuple[int, Range, int]]:
    """Where a page has several holders, equally many from one step to another: the page, the steps, how many."""
    for page, line in enumerate(holders.T):
        for start, end in pairwise([0, *(np.flatnonzero(np.diff(line)) + 1).tolist(), len(line)]):
            if line[start] > 1:
                yield page, (start, end), int(line[start])


def _held(
    panel: Axes, rows: Range, columns: Range, devices: Sequence[int], everyone: int, *, size: float, gap: float = 1
) -> None:
    """A block in its devices' mixed colours, with their numbers in it; grey where all have it."""
    if len(devices) == everyone > 1:
        _block(panel, rows, columns, GREY, f"all {everyone}", size=size, gap=gap)
        return
    mixed = tuple(np.mean([PALETTE[device % 8] for device in devices], axis=0))
    cuts = [*range(0, len(devices), 2), len(devices)]  # lines of two numbers fit into small blocks
    label = "\n".join(" ".join(map(str, devices[start:end])) for start, end in pairwise(cuts))
    _block(panel, rows, columns, mixed, label, size=size, gap=gap)


def _block(
    panel: Axes, rows: Range, columns: Range, colour: Colour, label: str, *, size: float = 8, gap: float = 1
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


def _plain(panel: Axes) -> None:
    """Bars from top to bottom, whose lengths are written beside them."""
    panel.invert_yaxis()
    panel.set_xticks([])
    panel.tick_params(length=0, labelsize=8)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
