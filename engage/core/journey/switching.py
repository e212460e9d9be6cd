"""`switch`: by the answer of an earlier ask. Every answer has exactly one path: gaps and overlaps are mistakes."""

from __future__ import annotations

import re

from engage.core.journey import misfits, mistakes, scalars
from engage.core.journey.conditions import Asked
from engage.core.journey.model import SCORE_RANGE, OptionCase, ScoreCase, Step, Survey, Switch
from engage.core.journey.nodes import Entry, Scalar, Table
from engage.core.journey.options import is_empty, read_table
from engage.core.journey.steps import Here
from engage.core.problem import Mend, Said

_DASHED = re.compile(r"(\d+)\s*(?:[-–—~～至到.,，]|\.{3,})\s*(\d+)")  # dashes that people type
_RESERVED = ("no_answer", "else")


def read_switch(here: Here) -> Step | None:
    found = here.value(Said("the id of an ask step", "一个 ask 步骤的 id"))
    here.options.require("cases", here.verb_span)
    cases = here.options.read(
        "cases", lambda node, problems: read_table(node, mistakes.word("cases"), problems, "cases: { 0..6: […], … }")
    )
    if found is None or cases is None:
        return None
    asked = here.scope.asked.get(found.text)
    if asked is None:
        later = found.text in here.scope.asked_later
        here.problems.append(misfits.not_an_earlier_ask(found.span, found.text, here.scope.asked, later))
    blocks = {entry.key.text: _block(entry, here) for entry in cases.entries}
    return Switch(
        **here.common,
        answer=found.text,
        cases=_cases(cases, asked, blocks, here) if asked else (),
        no_answer=blocks.get("no_answer", ()),
        otherwise=blocks.get("else", ()),
    )


def _block(entry: Entry, here: Here) -> tuple[Step, ...]:
    if is_empty(entry.value):
        said = Said(f"`{entry.key.text}` has no steps", f"`{entry.key.text}` 没有步骤")
        help = Said(
            f"write `{entry.key.text}: []` if nothing is to happen", f"如果什么都不做，请写 `{entry.key.text}: []`"
        )
        here.problems.append(mistakes.contradiction(entry.key.span, said, help))
        return ()
    return here.block(entry.value)


def _cases(
    table: Table, asked: Asked, blocks: dict[str, tuple[Step, ...]], here: Here
) -> tuple[ScoreCase | OptionCase, ...]:
    entries = [entry for entry in table.entries if entry.key.text not in _RESERVED]
    match asked.survey:
        case Survey.NPS | Survey.CSAT:
            cases: tuple[ScoreCase | OptionCase, ...] = _score_cases(entries, table, asked.survey, blocks, here)
        case Survey.CHOICE:
            cases = _option_cases(entries, table, asked.options, blocks, here)
        case Survey.TEXT:
            why = Said("an open answer has no score", "开放回答没有分数")
            test = f"if: {{ {_answer(here)}.comment: contains … }}"
            help = Said(f"look at its words: {test}", f"请看它的文字：{test}")
            here.problems.append(misfits.not_in_reach(here.verb_span, "switch", why, help))
            return ()
    if table.entry("no_answer") is None:
        here.problems.append(misfits.no_path_without_answer(here.verb_span))
    return cases


# --- scores -----------------------------------------------------------------------------------------------------


def _score_cases(
    entries: list[Entry], table: Table, survey: Survey, blocks: dict[str, tuple[Step, ...]], here: Here
) -> tuple[ScoreCase, ...]:
    lowest, highest = SCORE_RANGE[survey]
    owner: dict[int, Entry] = {}
    cases: list[ScoreCase] = []
    unreadable = False
    for entry in entries:
        ends = _scores(entry, lowest, highest, here)
        if ends is None:
            unreadable = True
            continue
        low, high = ends
        taken = next((owner[score] for score in range(low, high + 1) if score in owner), None)
        if taken:
            here.problems.append(misfits.cases_overlap(entry.key.span, entry.key.text, taken.key.span, taken.key.text))
        owner |= {score: entry for score in range(low, high + 1) if score not in owner}
        cases.append(ScoreCase(low, high, blocks[entry.key.text]))
    if not unreadable:
        _no_gaps([score for score in range(lowest, highest + 1) if score not in owner], table, survey, here)
    return tuple(cases)


def _scores(entry: Entry, lowest: int, highest: int, here: Here) -> tuple[int, int] | None:
    key = entry.key
    exact = scalars.number(key, here.problems)
    ends = (exact, exact) if exact is not None else scalars.number_range(key, here.problems)
    if ends is None or any(end is not None and end % 1 for end in ends):
        wanted = Said("scores like 0..6 or 7, `no_answer` or `else`", " 0..6 或 7 这样的分数、`no_answer` 或 `else`")
        meant = _with_dots(key.text)
        help = Said(f"write {meant}", f"请写 {meant}") if meant else None
        mend = Mend(key.span, meant) if meant else None
        here.problems.append(mistakes.wrong_shape(key.span, Said("a case", "每一项"), wanted, help, mend))
        return None
    low = lowest if ends[0] is None else int(ends[0])
    high = highest if ends[1] is None else int(ends[1])
    if low > high:
        here.problems.append(misfits.empty_range(key.span, key.text))
        return None
    if low < lowest or high > highest:
        here.problems.append(misfits.score_out_of_range(key.span, _answer(here), lowest, highest))
        return None
    return low, high


def _with_dots(text: str) -> str | None:
    """`1-3`, `1~3` → `1..3`."""
    found = _DASHED.fullmatch(text)
    return f"{found[1]}..{found[2]}" if found else None


def _no_gaps(missing: list[int], table: Table, survey: Survey, here: Here) -> None:
    otherwise = table.entry("else")
    if not missing and otherwise:
        here.problems.append(misfits.nothing_left(otherwise.key.span))
    if missing and not otherwise:
        lowest, highest = SCORE_RANGE[survey]
        here.problems.extend(
            misfits.no_path_for_answers(here.verb_span, survey, gap, f"{lowest}..{highest}") for gap in _runs(missing)
        )


def _runs(scores: list[int]) -> list[str]:
    """`[0, 1, 2, 7]` → `0..2`, `7`."""
    runs: list[list[int]] = []
    for score in scores:
        if runs and score == runs[-1][-1] + 1:
            runs[-1].append(score)
        else:
            runs.append([score])
    return [f"{run[0]}..{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs]


def _answer(here: Here) -> str:
    value = here.verb.value
    return value.text if isinstance(value, Scalar) else "switch"


# --- options ----------------------------------------------------------------------------------------------------


def _option_cases(
    entries: list[Entry], table: Table, options: tuple[str, ...], blocks: dict[str, tuple[Step, ...]], here: Here
) -> tuple[OptionCase, ...]:
    known = [entry for entry in entries if entry.key.text in options]
    for entry in entries:
        if entry not in known:
            here.problems.append(misfits.never_this_value(entry.key.span, _answer(here), entry.key.text, options))
    missing = [option for option in options if option not in {entry.key.text for entry in known}]
    otherwise = table.entry("else")
    if missing and not otherwise and len(known) == len(entries):
        here.problems.extend(misfits.no_path_for_answers(here.verb_span, Survey.CHOICE, gap, None) for gap in missing)
    if not missing and otherwise:
        here.problems.append(misfits.nothing_left(otherwise.key.span))
    return tuple(OptionCase(entry.key.text, blocks[entry.key.text]) for entry in known)
