"""A forecast as one page with charts, to be sent around as a file: no script, nothing fetched from anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from engage.cli.reasons import reason_in
from engage.cli.simulate_data import Source, capped, channels, reasons, rows
from engage.core.problem import Lang, Said
from engage.simulation.forecast import Forecast

_MOST = 10  # bars of reasons
_WIDTH, _HEIGHT = 960, 220
_FOLDER = Path(__file__).parent / "pages"


def page(told: Forecast, source: Source, lang: Lang) -> str:
    templates = Environment(loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined)
    period, nps = told.scenario.period, told.report.nps[None]

    def word(en: str, zh: str) -> str:
        return Said(en, zh).in_(lang)

    not_sent: Counter[str] = Counter()
    for reason, count in reasons(told).items():
        not_sent[reason_in(reason, lang)] += count
    unreached: Counter[str] = Counter()
    for (channel, why), count in told.unreached.why.items():
        unreached[f"{channel}: {reason_in(why, lang)}"] += count
    found = list(rows(told))
    return templates.get_template("forecast.html").render(
        word=word,
        lang="zh-CN" if lang is Lang.ZH else "en",
        start=period.since.astimezone(told.report.zone).date(),
        end=period.until.astimezone(told.report.zone).date(),
        told=told,
        source=source,
        nps=nps,
        capped=capped(told),
        rows=found,
        channels=channels(told),
        messages=sum(row.messages for row in found),
        cost=sum(row.cost for row in found),
        opened=sum(tasks.opened for tasks in told.report.tasks),
        volume=_calendar(told.tally.volume, channels(told)),
        hours=_columns(told.tally.hours),
        not_sent=_bars(not_sent),
        unreached=_bars(unreached),
    )


# --- charts -----------------------------------------------------------------------------------------------------


def _calendar(volume: Mapping[date, Mapping[str, int]], named: Sequence[str]) -> str:
    """A column for each day, its channels on top of each other."""
    days = sorted(volume)
    most = max((sum(volume[day].values()) for day in days), default=0)
    if not most:
        return ""
    width = _WIDTH / len(days)
    parts = []
    for place, day in enumerate(days):
        top = float(_HEIGHT)
        for number, channel in enumerate(named):
            tall = volume[day].get(channel, 0) * _HEIGHT / most
            top -= tall
            title = f"{day} · {channel} {volume[day].get(channel, 0):,}"
            parts.append(_rect(place * width, top, max(width - 1, 0.5), tall, f"c{number}", title))
    return _svg(parts, f"{days[0]} – {days[-1]}, max {most:,}") + (
        f'<p class="axis"><span>{days[0]}</span><span>{most:,}</span><span>{days[-1]}</span></p>'
    )


def _columns(hours: Mapping[int, int]) -> str:
    most = max(hours.values(), default=0)
    if not most:
        return ""
    width = _WIDTH / 24
    parts = [
        _rect(hour * width, _HEIGHT - height, width - 3, height, "c0", f"{hour}:00 · {hours.get(hour, 0):,}")
        for hour in range(24)
        for height in [hours.get(hour, 0) * _HEIGHT / most]
    ]  # fmt: skip
    return _svg(parts, "0–23") + '<p class="axis"><span>0:00</span><span>12:00</span><span>23:59</span></p>'


def _rect(x: float, y: float, width: float, height: float, kind: str, title: str) -> str:
    shape = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {shape}><title>{escape(title)}</title></rect>'


def _svg(parts: Sequence[str], label: str) -> str:
    box = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(label)}"'
    return f"<svg {box}>{''.join(parts)}</svg>"


def _bars(counted: Counter[str]) -> list[tuple[str, int, float]]:
    """What, how many, and how long its bar is, in percent."""
    most = max(counted.values(), default=0)
    return [(what, count, 100 * count / most) for what, count in counted.most_common(_MOST)]
