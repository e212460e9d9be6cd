"""A forecast as a table for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.cli.simulate_data import Row, Source, channels, reasons, rows
from engage.core.measure import Nps
from engage.simulation.forecast import Forecast
from engage.store.holding import Foreseen

_NONE = "–"
_MOST_REASONS = 6
_MOST_STARTS = 5


def show_forecast(screen: Screen, told: Forecast, source: Source, seconds: float) -> None:
    _headline(screen, told, source, seconds)
    _journeys(screen, told)
    screen.line()
    _splits(screen, told)
    _nps(screen, told.report.nps[None])
    _not_sent(screen, told)
    _unreached(screen, told)
    show_foreseen(screen, told.held)
    _load(screen, told)


def _headline(screen: Screen, told: Forecast, source: Source, seconds: float) -> None:
    period = told.scenario.period
    start, end = period.since.astimezone(told.report.zone).date(), period.until.astimezone(told.report.zone).date()
    people = screen.word("real", "真实会员") if source.real else screen.word("synthetic", "虚拟会员")
    screen.say(
        f"  virtual {start} → {end} · {told.happenings:,} journey events · {seconds:.2f}s   "
        f"(population: {people}, {told.members:,}; behaviour: {source.behaviour})",
        f"  虚拟 {start} → {end} · 旅程事件 {told.happenings:,} · {seconds:.2f} 秒   "
        f"（人群：{people} {told.members:,} 人；行为：{source.behaviour}）",
        "bold",
    )
    screen.line()


def _journeys(screen: Screen, told: Forecast) -> None:
    word, named = screen.word, channels(told)
    headings = [
        word("journey", "旅程"),
        word("entered", "进入"),
        word("messages", "消息"),
        *named,
        word("skipped", "跳过"),
        word("goal", "达成"),
        word("control", "对照组"),
        word("cost ¥", "费用 ¥"),
    ]
    found = list(rows(told))
    total = Row(
        word("all", "合计"),
        sum(row.entered for row in found),
        sum(row.messages for row in found),
        dict(sum((Counter(row.by_channel) for row in found), Counter())),
        sum(row.skipped for row in found),
        None,
        None,
        sum(row.cost for row in found),
    )
    screen.table(headings, [_cells(row, named) for row in [*found, total]], right=range(1, len(headings)))


def _cells(row: Row, named: list[str]) -> list[str]:
    by_channel = [f"{row.by_channel.get(channel, 0):,}" for channel in named]
    rates = [_share(row.goal), _share(row.control), f"{row.cost:,.1f}"]
    return [row.journey, f"{row.entered:,}", f"{row.messages:,}", *by_channel, f"{row.skipped:,}", *rates]


def _share(value: float | None) -> str:
    return f"{value:.1%}" if value is not None else _NONE


def _splits(screen: Screen, told: Forecast) -> None:
    for way in told.report.ways:
        screen.say(
            f"  {way.journey_id} / {way.split_id}: {way.way} {way.members:,} members, goal {way.goal:,}, "
            f"clicked {way.clicked:,}, replied {way.replied:,}",
            f"  {way.journey_id} / {way.split_id}：{way.way} {way.members:,} 人，达成 {way.goal:,}，"
            f"点击 {way.clicked:,}，回复 {way.replied:,}",
        )
    for decided in told.report.decisions:
        winner = decided.winner or screen.word("no winner", "没有胜出")
        screen.line(f"  {decided.journey_id} / {decided.split_id} → {winner}")


def _nps(screen: Screen, value: Nps) -> None:
    if value.value is not None:
        screen.say(
            f"  NPS answers {value.n:,}: promoters {value.promoters:,}, passives {value.passives:,}, "
            f"detractors {value.detractors:,} → NPS {value.value:+.0f}",
            f"  NPS 作答 {value.n:,}：推荐者 {value.promoters:,}，中立 {value.passives:,}，"
            f"贬损者 {value.detractors:,} → NPS {value.value:+.0f}",
        )


def _not_sent(screen: Screen, told: Forecast) -> None:
    counted: Counter[str] = Counter()
    for reason, count in reasons(told).items():
        counted[reason_in(reason, screen.lang)] += count
    if counted:
        listed = " · ".join(f"{reason} {count:,}" for reason, count in counted.most_common(_MOST_REASONS))
        screen.say(f"  not sent: {listed}", f"  没有发出：{listed}")
    if told.put_off:
        screen.say(f"  put off to lawful hours: {told.put_off:,}", f"  推迟到可发送时段：{told.put_off:,}")


def _unreached(screen: Screen, told: Forecast) -> None:
    if not told.unreached.members:
        return
    found: Counter[str] = Counter()
    for (channel, why), count in told.unreached.why.items():
        found[f"{channel}: {reason_in(why, screen.lang)}"] += count
    listed = " · ".join(f"{why} {count:,}" for why, count in found.most_common(_MOST_REASONS))
    screen.say(
        f"  members some message could not reach: {told.unreached.members:,}   ({listed})",
        f"  有消息送不到的会员：{told.unreached.members:,} 人   （{listed}）",
    )


def show_foreseen(screen: Screen, held: Sequence[Foreseen]) -> None:
    for start in held[:_MOST_STARTS]:
        why = reason_in(start.why, screen.lang)
        screen.say(
            f"  held back in life, not here: {start.journey_id}, {start.members:,} members, {start.start} ({why})",
            f"  实际运行时会被暂缓（这里没有）：{start.journey_id}，{start.members:,} 位会员，{start.start}（{why}）",
            "yellow",
        )
    more = len(held) - _MOST_STARTS
    if more > 0:
        screen.say(f"  and {more:,} more such starts", f"  另有 {more:,} 次这样的启动", "yellow")


def _load(screen: Screen, told: Forecast) -> None:
    busiest, hours = told.tally.busiest, sorted(told.tally.hours)
    if busiest is not None:
        screen.say(
            f"  busiest member-day: {busiest.messages} messages to {busiest.who} on {busiest.day}"
            f"   · hours used: {hours[0]}:00–{hours[-1]}:59",
            f"  一位会员一天最多：{busiest.day} 发给 {busiest.who} {busiest.messages} 条"
            f"   · 发送时段：{hours[0]}:00–{hours[-1]}:59",
        )
    opened = sum(t.opened for t in told.report.tasks)
    if opened:
        teams = " · ".join(f"{t.team or screen.word('inbox', '收件箱')} {t.opened:,}" for t in told.report.tasks)
        days = told.scenario.days
        screen.say(
            f"  staff load: {opened:,} tasks in {days} days ({opened / days:.1f} a day)   {teams}",
            f"  员工任务：{days} 天 {opened:,} 个（平均每天 {opened / days:.1f} 个）   {teams}",
        )
