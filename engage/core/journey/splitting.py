"""`split`: members part by a stable hash, each way with its share; a winner may be decided, once."""

from __future__ import annotations

from engage.core.journey import mistakes, scalars, wrong_turns
from engage.core.journey.model import Split, Step, Way, WinBy, WinnerRule
from engage.core.journey.nodes import Entry, Node, Table
from engage.core.journey.options import Options, read_table
from engage.core.journey.steps import Here
from engage.core.problem import Problem, Said

_EXAMPLE = "ways: { A: { share: 50%, steps: […] }, B: { share: 50%, steps: […] } }"
_WINNER = ("by", "after", "at_least", "confidence", "keep_exploring")
_MOST_MEMBERS = 10_000_000


def read_split(here: Here) -> Step | None:
    found = here.value(Said("the name of the split", "这次分流的名字"))
    name = scalars.name(found, Said("a split's name", "分流的名字"), here.problems) if found else None
    here.options.require("ways", here.verb_span)
    ways = here.options.read("ways", lambda node, problems: _ways(node, here))
    winner = here.options.read("winner", _winner)
    return Split(**here.common, ways=ways, winner=winner) if name and ways else None


# --- ways -------------------------------------------------------------------------------------------------------


def _ways(node: Node, here: Here) -> tuple[Way, ...] | None:
    table = read_table(node, mistakes.word("ways"), here.problems, _EXAMPLE)
    if table is None:
        return None
    if len(table.entries) < 2:
        wanted = Said("at least two ways", "至少两路")
        help = Said(f"write {_EXAMPLE}", f"请写 {_EXAMPLE}")
        here.problems.append(mistakes.wrong_shape(here.options.key_span("ways"), mistakes.word("ways"), wanted, help))
    ways = [_way(entry, here) for entry in table.entries]
    readable = [way for way in ways if way is not None]
    if len(readable) == len(ways) >= 2 and (total := sum(way.share for way in readable)) != 100:
        here.problems.append(wrong_turns.shares_do_not_add(here.options.key_span("ways"), total))
    return tuple(readable)


def _way(entry: Entry, here: Here) -> Way | None:
    """None if its share could not be read; its steps are read all the same."""
    name = scalars.name(entry.key, Said("the name of a way", "一路的名字"), here.problems)
    table = read_table(entry.value, mistakes.word(entry.key.text), here.problems, "{ share: 50%, steps: […] }")
    if name is None or table is None:
        return None
    place = Said(f"the way `{name.text}`", f"`{name.text}` 这一路里")
    options = Options(table, ("share", "steps"), place, here.problems)
    options.require("share", name.span, Said("say how many take it, e.g. `share: 50%`", "写上比例，例如 `share: 50%`"))
    options.require(
        "steps", name.span, Said("write `steps: []` if nothing is to happen", "如果什么都不做，请写 `steps: []`")
    )
    share = options.read("share", scalars.percent)
    steps = here.block(options.node("steps"))
    return None if share is None else Way(name.text, share, steps)


# --- the winner -------------------------------------------------------------------------------------------------


def _winner(node: Node, problems: list[Problem]) -> WinnerRule | None:
    table = read_table(node, mistakes.word("winner"), problems, "winner: { by: goal, after: 14d }")
    return _winner_rule(table, problems) if table is not None else None


def _winner_rule(table: Table, problems: list[Problem]) -> WinnerRule | None:
    options = Options(table, _WINNER, Said("`winner`", "`winner` 里"), problems)
    options.require("by", table.span, Said("by what: goal, clicked or replied", "按什么选优：goal、clicked 或 replied"))
    options.require("after", table.span, Said("when to decide, e.g. `after: 14d`", "什么时候决定，例如 `after: 14d`"))
    what = Said("what a winner is chosen by", "选优的依据")
    by = options.read("by", lambda value, found: scalars.choice(value, WinBy, what, found))
    after = options.read("after", scalars.duration)
    at_least = options.read("at_least", lambda value, found: scalars.count(value, found, _MOST_MEMBERS))
    confidence = options.read("confidence", lambda value, found: scalars.percent(value, found, low=50, high=99))
    exploring = options.read("keep_exploring", scalars.percent)
    if by is None or after is None:
        return None
    usual = WinnerRule(by=by, after=after)
    return WinnerRule(
        by=by,
        after=after,
        at_least=usual.at_least if at_least is None else at_least,
        confidence=usual.confidence if confidence is None else confidence,
        keep_exploring=usual.keep_exploring if exploring is None else exploring,
    )
