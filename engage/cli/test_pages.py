"""What `engage test` shows: a line for each test, and for one that fails the timeline beside what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from engage.cli.explain_words import WITHHELD
from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.core.problem import Lang
from engage.core.testfile.model import Expected, Verb
from engage.simulation.coverage import Coverage
from engage.simulation.matching import Found, differences
from engage.simulation.playing import Played
from engage.simulation.timeline import Happening

_WIDEST = 60  # columns of what was expected; a longer line pushes its neighbour


def show_case(screen: Screen, played: Played) -> None:
    if played.passed:
        screen.line(Text("  ✓ ", "green").append(played.case.name, "default"))
        return
    screen.line(Text("  ✗ ", "bold red").append(played.case.name, "bold"))
    for fault in played.faults:
        screen.line(f"      {fault.in_(screen.lang)}", "red")
    _show_side_by_side(screen, played)
    for found in played.found:
        if not found.met:
            place = f"{played.file.path}:{found.expected.span.line}"
            screen.line(Text(f"      {place}  ", "dim").append(_why(screen, found, played.timeline), "red"))
    screen.line()


def show_coverage(screen: Screen, walked: Sequence[Coverage]) -> None:
    if not walked:
        return
    screen.heading("Coverage", "覆盖率")
    for journey in walked:
        counted = f"{len(journey.arms) - len(journey.missing)}/{len(journey.arms)}"
        screen.line(
            f"  {journey.percent:>3}%  {counted:>7}  {journey.journey}", "green" if not journey.missing else "yellow"
        )
        for arm in journey.missing:
            screen.line(f"        {arm.span.file}:{arm.span.line}  {arm.step_id}  {arm.name}")


def show_totals(screen: Screen, played: Sequence[Played]) -> None:
    failed = sum(not done.passed for done in played)
    passed = len(played) - failed
    screen.line()
    if failed:
        screen.say(f"{failed} failed, {passed} passed", f"{failed} 个没通过，{passed} 个通过", "bold red")
    else:
        screen.say(f"{passed} passed", f"{passed} 个全部通过", "bold green")


# --- side by side -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    left: Found | None
    right: Happening | None


def _show_side_by_side(screen: Screen, played: Played) -> None:
    rows = list(_rows(played))
    titles = screen.word("expected", "期望"), screen.word("what happened", "实际发生")
    width = min(max([cell_len(titles[0]), *(cell_len(_left(row.left)) for row in rows)]), _WIDEST)
    screen.line(Text(f"      {set_cell_size(titles[0], width)}   {titles[1]}", "dim"))
    for row in rows:
        screen.line(_line(screen, row, width))


def _rows(played: Played) -> Iterator[_Row]:
    """The timeline, each happening beside the expectation that it meets, or comes nearest to; what nothing comes near
    stands where it was expected."""
    beside: dict[int, Found] = {}
    before: dict[int, list[Found]] = {}
    after = 0
    for found in played.found:
        at = found.by if found.by is not None else found.nearest
        if at is not None and at not in beside:
            beside[at] = found
        else:
            before.setdefault(after, []).append(found)
        if found.met and found.by is not None:
            after = found.by + 1
    for place, happening in enumerate(played.timeline):
        yield from (_Row(found, None) for found in before.get(place, ()))
        yield _Row(beside.get(place), happening)
    for place, lines in before.items():
        if place >= len(played.timeline):
            yield from (_Row(found, None) for found in lines)


def _line(screen: Screen, row: _Row, width: int) -> Text:
    left = _left(row.left)
    style = "default" if row.left is None or row.left.met else "bold red"
    text = Text("      ").append(left + " " * max(width - cell_len(left), 0), style).append(" │ ", "dim")
    if row.right is not None:
        text.append(happening_words(row.right, screen.lang), "default" if row.left is not None else "dim")
    return text


def _left(found: Found | None) -> str:
    return f"{'✓' if found.met else '✗'} {expected_words(found.expected)}" if found is not None else ""


# --- words ------------------------------------------------------------------------------------------------------


def expected_words(line: Expected) -> str:
    """As the journey would say it; the language's own words are the same for everybody."""
    parts = ["never"] * line.never + [str(line.at)] * (line.at is not None)
    parts += [line.verb.value, line.name or "", *sorted(line.changes)]
    parts += [f"via {line.via}"] * (line.via is not None)
    parts += [f"way {line.words}"] * (line.words is not None and line.verb is Verb.SPLIT)
    parts += [f"“…{line.words}…”"] * (line.words is not None and line.verb is Verb.NOTIFY)
    until = "due" if line.verb is Verb.NOTIFY else "until"
    parts += [f"{until} {line.until}"] * (line.until is not None)
    parts += [f"{word}: {'yes' if wanted else 'no'}" for word, wanted in line.flags.items()]
    parts += [f"why …{line.why}…"] * (line.why is not None)
    return " ".join(part for part in parts if part)


def happening_words(line: Happening, lang: Lang) -> str:
    parts = [str(line.moment), line.verb, line.name or "", *sorted(line.changes)]
    parts += [f"via {line.via}"] * (line.via is not None)
    parts += [line.detail or "", f"way {line.words}" if line.words and line.verb == Verb.SPLIT else ""]
    until = "due" if line.verb == Verb.NOTIFY else "until"
    parts += [f"{until} {line.until}"] * (line.until is not None) + sorted(line.yes)
    said = " ".join(part for part in parts if part)
    if line.words and line.verb == Verb.NOTIFY:
        said += f" “{line.words}”"
    said += WITHHELD.in_(lang) if line.withheld else ""
    reasons = "; ".join(reason_in(why, lang) for why in line.why)
    return f"{said} — {reasons}" if reasons else said


def _why(screen: Screen, found: Found, timeline: Sequence[Happening]) -> str:
    wanted = expected_words(found.expected)
    if found.expected.never and found.by is not None:
        at = timeline[found.by].moment
        return screen.word(f"{wanted}: it happened at {at}", f"{wanted}：却在 {at} 发生了")
    if found.nearest is None:
        return screen.word(f"{wanted}: nothing like it happened", f"{wanted}：没有发生过类似的事")
    nearest = timeline[found.nearest]
    if found.late:
        return screen.word(
            f"{wanted}: it happened at {nearest.moment}, before the line above it",
            f"{wanted}：发生在 {nearest.moment}，早于上一行",
        )
    shown = happening_words(nearest, screen.lang)
    differs = ", ".join(differences(nearest, found.expected))
    if not differs:
        return screen.word(f"{wanted}: instead, {shown}", f"{wanted}：实际是 {shown}")
    return screen.word(
        f"{wanted}: nearest is {shown}; another {differs}", f"{wanted}：最接近的是 {shown}；不同的是 {differs}"
    )
