"""What the terminal shows: how the run is going while it goes, and what came of it at the end."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engage.core.measure import Nps, nps
from engage.store.insight.progress import JourneyTotals, Progress

_ZONE = ZoneInfo("Asia/Shanghai")
_REFRESH = 0.15  # seconds of real time between two looks at the database
_CHANNELS = {"wechat": "WeChat", "sms": "SMS", "email": "email"}
_RESPONSES = {
    "clicked": "clicks",
    "replied": "replies",
    "answered": "answers",
    "unsubscribed": "opt-outs",
    "bounced": "bounces",
}


class DemoScreen:
    """Live on a terminal; elsewhere one line for each week of virtual time."""

    def __init__(self, console: Console, start: datetime, end: datetime) -> None:
        self._console = console
        self._start = start
        self._end = end
        self._live: Live | None = None
        self._shown_at = 0.0
        self._week = -1

    @contextmanager
    def running(self) -> Iterator[None]:
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=8, transient=True) as self._live:
            yield
        self._live = None

    def wants_to_show(self, now: datetime) -> bool:
        """Whether it is time to look again: often enough to be live, seldom enough to cost nothing."""
        if self._live is None:
            return (now - self._start).days // 7 > self._week
        return time.monotonic() - self._shown_at > _REFRESH

    def show(self, now: datetime, progress: Progress) -> None:
        self._shown_at = time.monotonic()
        if self._live is not None:
            self._live.update(self._panel(now, progress))
            return
        self._week = (now - self._start).days // 7
        words = (_sent_words(progress), _response_words(progress), _nps_words(progress), _not_sent(progress))
        self._console.print(f"{_local(now)}  sent: {' · '.join(words)}", soft_wrap=True)

    def _panel(self, now: datetime, progress: Progress) -> Group:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim", no_wrap=True)
        table.add_column()
        share = (now - self._start) / (self._end - self._start)
        table.add_row("virtual date", Text(_local(now), style="bold"))
        table.add_row("", ProgressBar(total=100, completed=share * 100, width=48))
        table.add_row("members", f"{progress.members} · in journeys {progress.entered}")
        table.add_row("sent", _sent_words(progress))
        table.add_row("came back", _response_words(progress))
        table.add_row("NPS so far", _nps_words(progress))
        table.add_row("not sent", _skip_words(progress, 3))
        return Group(Text(), table, Text())

    def summary(
        self, now: datetime, progress: Progress, totals: list[JourneyTotals], shut: Counter[tuple[str, str]]
    ) -> None:
        """What came of it."""
        console = self._console
        console.print()
        console.print(f"[bold]{_local(self._start)} → {_local(now)}[/bold]  {progress.members} members")
        table = Table(show_edge=False, pad_edge=False, header_style="dim", box=None, padding=(0, 2, 0, 0))
        table.add_column("journey")
        for name in ("entered", "goal", "exit", "completed", "live", *_CHANNELS.values()):
            table.add_column(name, justify="right")
        for row in totals:
            counts = (row.entered, row.goal, row.exit, row.completed, row.live)
            sent = (row.sent.get(name, 0) for name in _CHANNELS)
            table.add_row(row.journey_id, *(str(count) if count else "–" for count in (*counts, *sent)))
        console.print(table)
        console.print()
        console.print(f"came back   {_response_words(progress)}")
        console.print(f"NPS         {_nps_words(progress)}")
        console.print(f"not sent    {_skip_words(progress, 6)}")
        console.print(f"because     {_shut_words(shut, 6)}")
        odd = {name: progress.by_status.get(name, 0) for name in ("ambiguous", "failed", "cancelled")}
        console.print("also        " + " · ".join(f"{name} {count}" for name, count in odd.items()))
        console.print(f"for people  {progress.open_tasks} open tasks")


def _local(moment: datetime) -> str:
    return f"{moment.astimezone(_ZONE):%a %Y-%m-%d %H:%M}"


def _sent_words(progress: Progress) -> str:
    return " · ".join(f"{label} {progress.sent.get(name, 0)}" for name, label in _CHANNELS.items())


def _response_words(progress: Progress) -> str:
    return " · ".join(f"{label} {progress.responses.get(name, 0)}" for name, label in _RESPONSES.items())


def _nps_words(progress: Progress) -> str:
    found: Nps = nps(progress.nps_scores)
    if found.value is None:
        return "no answers yet"
    counts = f"{found.promoters} promoters, {found.passives} passives, {found.detractors} detractors"
    return f"{found.value:+.0f}  ({found.n} answers: {counts})"


def _shut_words(shut: Counter[tuple[str, str]], most: int) -> str:
    """Which channel was shut for whom, of messages that no channel could carry."""
    shown = [f"{count} × {_CHANNELS.get(channel, channel)}: {why}" for (channel, why), count in shut.most_common(most)]
    return "\n            ".join(shown) or "nothing was in the way"


def _not_sent(progress: Progress) -> str:
    """How many messages were skipped so far, and the reason of most of them."""
    if not progress.skipped:
        return "not sent 0"
    reason, count = next(iter(progress.skipped.items()))
    return f"not sent {sum(progress.skipped.values())} ({count} × {reason})"


def _skip_words(progress: Progress, most: int) -> str:
    reasons = list(progress.skipped.items())
    shown = [f"{count} × {reason}" for reason, count in reasons[:most]]
    rest = sum(count for _, count in reasons[most:])
    return "\n            ".join([*shown, *([f"{rest} × other reasons"] if rest else [])]) or "nothing"
