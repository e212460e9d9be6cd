"""Figures as a page of `docs/`: a table for each section, and one chart of the ratios that have a goal."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path

from tests.bench.figures import Figure, Goal, Measured

_WIDTH, _ROW, _NAMES = 860, 26, 430  # pixels: of the chart, of a bar with its gap, of the names in front
_STYLE = "text{font:12px sans-serif;fill:#333}.met{fill:#2f9e6e}.not{fill:#d9534f}.goal{stroke:#333}"
_FULL = 2.0  # how many times its goal the longest bar stands for


def write(folder: Path, sections: Mapping[str, Measured]) -> None:
    """`benchmarks.md` and the chart it shows."""
    (folder / "benchmarks.md").write_text(_page(sections), encoding="utf-8")
    (folder / "images" / "benchmarks.svg").write_text(_chart(sections), encoding="utf-8")


def _page(sections: Mapping[str, Measured]) -> str:
    parts = [
        "# Benchmarks\n",
        "Written by `make bench`. What stands beside a figure was measured in the same run on the same machine: believe"
        " the ratios, not the seconds.\n",
        "![How far each figure is from its goal](images/benchmarks.svg)\n",
    ]
    return "\n".join(parts + [_section(measured) for measured in sections.values()])


def _section(measured: Measured) -> str:
    small = " A quick run: the figures say little." if measured.quick else ""
    lines = [
        f"## {measured.title}\n",
        f"{measured.about}\n",
        f"{measured.day}. {measured.machine}.{small}\n",
        "| what | measured | beside | ratio | goal | met |",
        "|---|--:|---|--:|--:|---|",
        *map(_row, measured.figures),
    ]
    return "\n".join(lines) + "\n"


def _row(figure: Figure) -> str:
    beside = f"{figure.beside.what}: {_number(figure.beside.value)} {figure.unit}" if figure.beside else ""
    ratio = f"{figure.ratio:.2f}" if figure.ratio is not None else ""
    met = {True: "yes", False: "**no**", None: ""}[figure.met]
    what = figure.what + (f" ({figure.how})" if figure.how else "")
    return f"| {what} | {_number(figure.value)} {figure.unit} | {beside} | {ratio} | {_goal(figure.goal)} | {met} |"


def _goal(goal: Goal | None) -> str:
    if goal is None:
        return ""
    return f"≥ {goal.at_least:g}" if goal.at_least is not None else f"≤ {goal.at_most:g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _chart(sections: Mapping[str, Measured]) -> str:
    """A bar for each figure with a goal; where it crosses the line, the goal is reached."""
    judged = [figure for measured in sections.values() for figure in measured.figures if figure.goal is not None]
    tall = _ROW * len(judged) + 30
    line = _NAMES + (_WIDTH - _NAMES) / _FULL
    parts = [f"<style>{_STYLE}</style>", f'<text x="{line + 4:.0f}" y="14">goal</text>']
    for number, figure in enumerate(judged):
        parts += _bar(figure, 24 + number * _ROW)
    parts.append(f'<line class="goal" x1="{line:.0f}" x2="{line:.0f}" y1="18" y2="{tall}"/>')
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {tall}" width="{_WIDTH}" height="{tall}"'
    return f"<svg {box}>{''.join(parts)}</svg>\n"


def _bar(figure: Figure, top: float) -> list[str]:
    share = min(_times_goal(figure), _FULL)
    length = share / _FULL * (_WIDTH - _NAMES)
    kind = "met" if figure.met else "not"
    return [
        f'<text x="{_NAMES - 8}" y="{top + 14:.0f}" text-anchor="end">{escape(figure.what)}</text>',
        f'<rect class="{kind}" x="{_NAMES}" y="{top:.0f}" width="{length:.0f}" height="{_ROW - 8}"/>',
    ]


def _times_goal(figure: Figure) -> float:
    """1 where the goal is just reached, more where it is passed."""
    judged = figure.ratio if figure.ratio is not None else figure.value
    goal = figure.goal
    if goal is None or judged <= 0:
        return 0.0
    if goal.at_least is not None:
        return judged / goal.at_least
    return (goal.at_most or 0.0) / judged
