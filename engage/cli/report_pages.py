"""A report as tables for people."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen, local
from engage.core.measure import Csat, Interval, Nps
from engage.core.split import Ruling
from engage.runtime.insight.report import Report
from engage.store.splits import SplitState

_MOST_REASONS = 12
_NONE = "–"


def show_report(screen: Screen, told: Report) -> None:
    start, end = local(told.period.since, told.zone), local(told.period.until, told.zone)
    screen.say(f"{start} – {end}", f"{start} 至 {end}", "bold")
    _messages(screen, told)
    _skipped(screen, told)
    _enrolments(screen, told)
    _goals(screen, told)
    _splits(screen, told)
    _nps(screen, told)
    _csat(screen, told)
    _opt_outs(screen, told)
    _tasks(screen, told)


def _messages(screen: Screen, told: Report) -> None:
    word = screen.word
    screen.heading("Messages", "消息")
    if not told.messages:
        screen.say("none", "没有")
        return
    names = ("sent", "delivered", "bounced", "failed", "ambiguous", "clicked", "replied", "answered")
    zh = ("已发", "送达", "退回", "失败", "不明", "点击", "回复", "作答")
    headings = [word("journey", "旅程"), word("channel", "渠道"), *map(word, names, zh), word("cost", "费用")]
    rows = [
        (m.journey_id or _NONE, m.channel or _NONE, *(f"{getattr(m, name):,}" for name in names), f"¥{m.cost:,.2f}")
        for m in told.messages
    ]
    total = [f"{sum(getattr(m, name) for m in told.messages):,}" for name in names]
    rows.append((word("all", "合计"), "", *total, f"¥{sum(m.cost for m in told.messages):,.2f}"))
    screen.table(headings, rows, right=range(2, len(headings)))


def _skipped(screen: Screen, told: Report) -> None:
    if not told.skipped:
        return
    screen.heading("Skipped, and why", "跳过的消息和原因")
    by_reason: Counter[str] = Counter()
    for skipped in told.skipped:
        by_reason[reason_in(skipped.reason, screen.lang)] += skipped.count
    rows = [(f"{count:,}", reason) for reason, count in by_reason.most_common(_MOST_REASONS)]
    screen.table((screen.word("messages", "条数"), screen.word("reason", "原因")), rows, right=(0,))
    more = len(by_reason) - len(rows)
    if more:
        screen.say(f"and {more} other reasons (--json has all)", f"另有 {more} 种原因（--json 列出全部）", "dim")


def _enrolments(screen: Screen, told: Report) -> None:
    if not told.enrolments:
        return
    word = screen.word
    screen.heading("Runs of journeys", "旅程")
    headings = (
        word("journey", "旅程"),
        word("entered", "进入"),
        word("holdout", "对照组"),
        word("ended by goal", "达成目标"),
        word("by exit", "中途退出"),
        word("at their end", "走完"),
        word("live now", "进行中"),
    )
    rows = [
        (e.journey_id, *(f"{n:,}" for n in (e.entered, e.held_out, e.goal, e.exit, e.completed, e.live)))
        for e in told.enrolments
    ]
    screen.table(headings, rows, right=range(1, len(headings)))


def _goals(screen: Screen, told: Report) -> None:
    if not told.goals:
        return
    word = screen.word
    screen.heading("Goals, of the runs that entered", "目标达成（按进入的会员）")
    headings = (
        word("journey", "旅程"),
        word("reached", "达成"),
        word("of", "人数"),
        word("rate", "比例"),
        word("holdout", "对照组"),
        word("added by the journey", "旅程带来的增量"),
    )
    rows = [
        (
            g.journey_id,
            f"{g.reached:,}",
            f"{g.entered:,}",
            _share(Decimal(g.reached) / g.entered if g.entered else None),
            f"{g.control_reached:,}/{g.control:,}" if g.control else _NONE,
            _added(g.lift.difference, g.lift.interval) if g.lift is not None else _NONE,
        )
        for g in told.goals
    ]
    screen.table(headings, rows, right=(1, 2, 3, 4))


def _splits(screen: Screen, told: Report) -> None:
    if not told.ways:
        return
    word = screen.word
    screen.heading("Splits, of the members who passed them", "分流（按走过的会员）")
    headings = (
        word("journey", "旅程"),
        word("split", "分流"),
        word("way", "路"),
        word("members", "人数"),
        word("goal", "达成目标"),
        word("clicked", "点击"),
        word("replied", "回复"),
    )
    rows = [
        (w.journey_id, w.split_id, w.way, *(f"{n:,}" for n in (w.members, w.goal, w.clicked, w.replied)))
        for w in told.ways
    ]
    screen.table(headings, rows, right=range(3, len(headings)))
    for decided in told.decisions:
        screen.line(f"  {decided.journey_id} / {decided.split_id}: {_ruling(screen, told, decided)}")


def _ruling(screen: Screen, told: Report, decided: SplitState) -> str:
    at = local(decided.decided_at, told.zone) if decided.decided_at is not None else ""
    figures = decided.figures or {}
    match decided.ruling:
        case Ruling.WON:
            return screen.word(f"{decided.winner} has won ({at})", f"{decided.winner} 胜出（{at}）")
        case Ruling.TOO_FEW:
            least = figures.get("at_least")
            return screen.word(
                f"no winner ({at}): some way had fewer than {least} members", f"没有胜出（{at}）：有一路不足 {least} 人"
            )
        case _:
            sure = figures.get("confidence")
            return screen.word(
                f"no winner ({at}): no difference that is sure at {sure}%",
                f"没有胜出（{at}）：差别达不到 {sure}% 的把握",
            )


def _nps(screen: Screen, told: Report) -> None:
    overall = told.nps[None]
    if not overall.n:
        return
    screen.heading("NPS", "NPS")
    screen.line(f"{_nps_value(overall)}  {_nps_parts(screen, overall)}")
    for journey_id, value in told.nps.items():
        if journey_id is not None:
            screen.line(f"  {journey_id}: {_nps_value(value)}  n={value.n}")


def _nps_value(value: Nps) -> str:
    interval = f" [{value.interval.low:+.0f}, {value.interval.high:+.0f}]" if value.interval is not None else ""
    return f"{value.value:+.1f}{interval}" if value.value is not None else _NONE


def _nps_parts(screen: Screen, value: Nps) -> str:
    return screen.word(
        f"n={value.n}: {value.promoters} promoters, {value.passives} passives, {value.detractors} detractors",
        f"n={value.n}：推荐者 {value.promoters}，中立 {value.passives}，贬损者 {value.detractors}",
    )


def _csat(screen: Screen, told: Report) -> None:
    if not told.csat[None].n:
        return
    screen.heading("CSAT", "满意度")
    for journey_id, value in told.csat.items():
        screen.line(f"  {journey_id or screen.word('all', '合计')}: {_csat_value(screen, value)}")


def _csat_value(screen: Screen, value: Csat) -> str:
    mean = f"{value.mean:.2f}" if value.mean is not None else _NONE
    return screen.word(
        f"{_share(value.share)} satisfied (4 or 5), mean {mean}, n={value.n}",
        f"满意（4、5 分）{_share(value.share)}，平均 {mean}，n={value.n}",
    )


def _opt_outs(screen: Screen, told: Report) -> None:
    if told.opt_outs:
        screen.heading("Opt-outs", "退订")
        screen.line("  " + " · ".join(f"{channel} {count:,}" for channel, count in told.opt_outs.items()))


def _tasks(screen: Screen, told: Report) -> None:
    if not told.tasks:
        return
    word = screen.word
    screen.heading("Tasks", "任务")
    headings = (
        word("team", "团队"),
        word("opened", "新开"),
        word("closed", "关闭"),
        word("open now", "待办"),
        word("overdue", "逾期"),
    )
    rows = [
        (t.team or word("inbox", "收件箱"), *(f"{n:,}" for n in (t.opened, t.closed, t.open, t.overdue)))
        for t in told.tasks
    ]
    screen.table(headings, rows, right=range(1, len(headings)))


def _share(value: Decimal | None) -> str:
    return f"{value:.1%}" if value is not None else _NONE


def _added(difference: Decimal | None, interval: Interval | None) -> str:
    if difference is None or interval is None:
        return _NONE
    return f"{difference * 100:+.1f} pp [{interval.low * 100:+.1f}, {interval.high * 100:+.1f}]"
