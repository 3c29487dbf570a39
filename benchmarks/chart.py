# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Charts as SVG, written by hand: lines over a scale of powers of ten, and bars.

They are read on light and on dark pages, so they bring their own ground. Heights begin
at zero: what is flat looks flat. Nothing here measures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import floor, log10

Point = tuple[float, float]

_WIDTH, _HEIGHT = 400, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 24, 80, 46
_LEGEND_ROW = 18
_STEPS = 5
_BAR, _GAP, _WORDS = 18, 8, 190
_COLOURS = 4
_STYLE = """
  .ground { fill: #ffffff } text { fill: #1f2328; font: 12px system-ui, sans-serif }
  .title { font-weight: 600; font-size: 14px } .quiet { fill: #59636e }
  .rule { stroke: #d1d9e0 } .line { fill: none; stroke-width: 2 }
  .s0 { --c: #0969da } .s1 { --c: #bc4c00 } .s2 { --c: #1a7f37 } .s3 { --c: #8250df }
  .line { stroke: var(--c) } .dot, .bar { fill: var(--c) }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117 } text { fill: #f0f6fc } .quiet { fill: #9198a1 }
    .rule { stroke: #3d444d }
    .s0 { --c: #4493f8 } .s1 { --c: #f0883e } .s2 { --c: #3fb950 } .s3 { --c: #ab7df8 }
  }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart of lines.

    Attributes:
        title: What the heights are.
        below: What the scale from left to right is.
        lines: By their names, points with the left one first.
    """

    title: str
    below: str
    lines: Mapping[str, Sequence[Point]]


def steps(highest: float) -> list[float]:
    """Return round numbers from zero to at least the highest value."""
    if highest <= 0:
        return [0.0, 1.0]
    power: float = 10.0 ** floor(log10(highest / _STEPS))
    step = next(f * power for f in (1, 2, 5, 10) if f * power * _STEPS >= highest)
    count = 1
    while count * step < highest * (1 - 1e-9):
        count += 1
    return [n * step for n in range(count + 1)]


def short(number: float) -> str:
    """Write a number for the edge of a chart: 10 M, 2.5 k, 40."""
    for size, letter in ((1e6, " M"), (1e3, " k"), (1, "")):
        if number >= size:
            return f"{number / size:.3g}{letter}"
    return f"{number:.3g}"


def line_chart(panels: Sequence[Panel]) -> str:
    """Return panels side by side."""
    parts: list[str] = []
    for index, panel in enumerate(panels):
        parts.append(f'<g transform="translate({index * _WIDTH} 0)">')
        parts += _panel(panel)
        parts.append("</g>")
    names = "; ".join(panel.title for panel in panels)
    return _svg(_WIDTH * len(panels), _HEIGHT, names, parts)


def bar_chart(title: str, bars: Sequence[tuple[str, float]], ours: str) -> str:
    """Return bars below one another; of those that begin with `ours` in one colour."""
    height = 40 + len(bars) * (_BAR + _GAP)
    highest = max((value for _, value in bars), default=1) or 1
    parts = [f'<text class="title" x="12" y="22">{escape(title)}</text>']
    for index, (name, value) in enumerate(bars):
        y = 36 + index * (_BAR + _GAP)
        length = max(1, value / highest * (2 * _WIDTH - _WORDS - 80))
        colour = 0 if name.startswith(ours) else 1
        middle = y + _BAR - 5
        parts += [
            f'<text x="{_WORDS}" y="{middle}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="bar s{colour}" x="{_WORDS + 8}" y="{y}" '
            f'width="{length:.1f}" height="{_BAR}" rx="2"/>',
            f'<text class="quiet" x="{_WORDS + 14 + length:.1f}" y="{middle}">'
            f"{short(value)}</text>",
        ]
    return _svg(2 * _WIDTH, height, title, parts)


def _svg(width: int, height: int, name: str, parts: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img">',
            f"<title>{escape(name)}</title>",
            f"<style>{_STYLE}</style>",
            f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(panel: Panel) -> Iterator[str]:
    points = [point for line in panel.lines.values() for point in line]
    first, last = min(x for x, _ in points), max(x for x, _ in points)
    marks = steps(max(y for _, y in points))
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def across(x: float) -> float:
        return _LEFT + wide * log10(x / first) / (log10(last / first) or 1)

    def down(y: float) -> float:
        return _TOP + high * (1 - y / marks[-1])

    yield f'<text class="title" x="12" y="22">{escape(panel.title)}</text>'
    yield from _legend(list(panel.lines))
    for mark in marks:
        y = down(mark)
        yield f'<path class="rule" d="M{_LEFT} {y:.1f}h{wide}"/>'
        yield (
            f'<text class="quiet" x="{_LEFT - 8}" y="{y + 4:.1f}" '
            f'text-anchor="end">{short(mark)}</text>'
        )
    for x in sorted({x for x, _ in points}):
        yield (
            f'<text class="quiet" x="{across(x):.1f}" y="{_HEIGHT - _BOTTOM + 18}" '
            f'text-anchor="middle">{short(x)}</text>'
        )
    yield (
        f'<text class="quiet" x="{_LEFT + wide / 2}" y="{_HEIGHT - 10}" '
        f'text-anchor="middle">{escape(panel.below)}</text>'
    )
    for index, line in enumerate(panel.lines.values()):
        places = [(across(x), down(y)) for x, y in line]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        yield f'<g class="s{index % _COLOURS}">'
        yield f'<polyline class="line" points="{path}"/>'
        for x, y in places:
            yield f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="3"/>'
        yield "</g>"


def _legend(names: Sequence[str]) -> Iterator[str]:
    for index, name in enumerate(names):
        x = _LEFT + index % 2 * (_WIDTH - _LEFT - _RIGHT) // 2
        y = 34 + index // 2 * _LEGEND_ROW
        yield (
            f'<g class="s{index % _COLOURS}">'
            f'<rect class="bar" x="{x}" y="{y}" width="12" height="12" rx="2"/></g>'
            f'<text x="{x + 17}" y="{y + 10}">{escape(name)}</text>'
        )
