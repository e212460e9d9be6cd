"""Steps: one verb each, options beside it. Lists of steps nest only where a choice is made.

This module walks the lists and reads what moves a run about (wait, wait_for, if, branch, goto, exit; `switching` and
`splitting` have modules of their own); `actions` reads what is done for the member.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

from engage.core.catalog import Catalog
from engage.core.condition import Condition, ValueType
from engage.core.journey import keyboard, misfits, mistakes, never_comes, scalars
from engage.core.journey.conditions import NOBODY, Asked, Scope, condition_option, read_event_name
from engage.core.journey.editing import read_was
from engage.core.journey.ids import StepIds, verb_of
from engage.core.journey.model import Arm, Ask, Branch, Exit, Goto, Since, Step, Wait, WaitFor, blocks_of
from engage.core.journey.nodes import Entry, Listing, Node, Scalar, Table
from engage.core.journey.options import Options, is_empty
from engage.core.journey.starts import read_where
from engage.core.journey.vocabulary import STEP_OPTIONS, VERBS
from engage.core.problem import Problem, Said, Span
from engage.core.timing import UntilField, WaitSpec

_BLOCK = Said("a list of steps", "一列步骤")
MOST_JUMPS = 1000  # a slip of the keyboard otherwise


class Common(TypedDict):
    """What every step has."""

    id: str
    span: Span
    was: tuple[str, ...]
    label: str | None
    only_if: Condition | None


@dataclass(frozen=True, slots=True)
class Here:
    """One step while it is being read."""

    verb: Entry
    options: Options
    common: Common
    scope: Scope
    catalog: Catalog
    problems: list[Problem]
    block: Callable[[Node | None], tuple[Step, ...]]  # reads a nested list of steps
    step_ids: Collection[str]  # of the whole journey

    @property
    def verb_span(self) -> Span:
        return self.verb.key.span

    def value(self, wanted: Said) -> Scalar | None:
        """What stands beside the verb, as one value."""
        if is_empty(self.verb.value):
            self.problems.append(mistakes.no_value(self.verb_span, self.verb.key.text))
            return None
        return scalars.scalar(self.verb.value, mistakes.word(self.verb.key.text), self.problems, wanted)


StepKind = Callable[[Here], Step | None]


class StepReader:
    """Reads the steps of one journey. `kinds` has a reader for every verb."""

    def __init__(self, kinds: Mapping[str, StepKind], catalog: Catalog, ids: StepIds, problems: list[Problem]) -> None:
        self._kinds = kinds
        self._catalog = catalog
        self._ids = ids
        self._problems = problems

    def read(self, node: Node | None, scope: Scope) -> tuple[Step, ...]:
        """A list of steps; each step sees the answers to what is asked before it."""
        if node is None:
            return ()
        if not isinstance(node, Listing):
            help = Said("put “- ” in front of each step", "请在每个步骤前面加上“- ”")
            self._problems.append(mistakes.wrong_shape(node.span, Said("this", "这里"), _BLOCK, help))
            return ()
        steps: list[Step] = []
        for item in node.items:
            step = self._step(item, scope)
            if step is not None:
                steps.append(step)
                scope = replace(scope, asked={**scope.asked, **asked_in([step])})
        return tuple(steps)

    def _step(self, node: Node, scope: Scope) -> Step | None:
        verb = verb_of(node)
        if not isinstance(node, Table) or verb is None:
            self._problems.append(_without_verb(node))
            return None
        word = verb.key.text
        own = (*STEP_OPTIONS, word, *VERBS[word])
        place = Said(f"this `{word}` step", f"这个 `{word}` 步骤里")
        options = Options(self._without_other_verbs(node, verb), own, place, self._problems, _belongs_to_another)
        here = Here(
            verb=verb,
            options=options,
            common=self._common(node, verb, options, scope),
            scope=scope,
            catalog=self._catalog,
            problems=self._problems,
            block=lambda block: self.read(block, scope),
            step_ids=self._ids.of.values(),
        )
        return self._kinds[word](here)

    def _without_other_verbs(self, node: Table, verb: Entry) -> Table:
        """A second verb is reported once; its own value is not read as an option."""
        kept: list[Entry] = []
        for entry in node.entries:
            word = entry.key.text
            if entry is verb:
                if not is_empty(entry.value):  # an empty verb is reported by its reader
                    kept.append(entry)
            elif word in VERBS:
                self._problems.append(mistakes.two_verbs(verb.key.span, verb.key.text, entry.key.span, word))
            else:
                kept.append(entry)
        return Table(tuple(kept), node.span)

    def _common(self, node: Table, verb: Entry, options: Options, scope: Scope) -> Common:
        names_something = isinstance(verb.value, Scalar) and not is_empty(verb.value)
        return Common(
            id=self._ids.of.get(node.span, ""),
            span=verb.value.span if names_something else verb.key.span,
            was=read_was(options, self._ids.of.values()),
            label=options.read("label", scalars.text),
            only_if=condition_option(options, "only_if", scope),
        )


_ELSE_IF = ("elif", "elseif", "else if")


def _belongs_to_another(word: str) -> Said | None:
    """An option of other verbs than the one it stands beside."""
    if word == "fallback":
        return Said("write channels: { try: auto, fallback: 1d }", "请写 channels: { try: auto, fallback: 1d }")
    if word in _ELSE_IF:
        return Said("for more than two ways write a `branch`", "两路以上请用 `branch`")
    verbs = mistakes.listed(f"`{verb}`" for verb, own in VERBS.items() if word in own)
    return Said(f"`{word}` is an option of {verbs}", f"`{word}` 是 {verbs} 的选项") if verbs else None


def _without_verb(node: Node) -> Problem:
    verbs = tuple(VERBS)
    match node:
        case Scalar(text):
            if (glued := keyboard.glued_pair(text, node.span)) and glued.key in verbs:  # `- send：welcome`
                return glued.problem
            return mistakes.step_needs_a_verb(node.span, text)
        case Table(entries) if entries:
            known = {*STEP_OPTIONS, *(option for own in VERBS.values() for option in own)}
            strange = next((entry.key for entry in entries if entry.key.text not in known), None)
            if entries[0].key.text in ("then", "else", *_ELSE_IF):
                return mistakes.way_without_its_step(entries[0].key.span, entries[0].key.text)
            if strange:
                return mistakes.unknown_verb(strange.span, strange.text, verbs)
            return mistakes.step_needs_a_verb(entries[0].key.span, "")
        case _:
            return mistakes.step_needs_a_verb(node.span, "")


def asked_in(steps: Iterable[Step]) -> dict[str, Asked]:
    """Every ask in these steps and under them."""
    found: dict[str, Asked] = {}
    for step in steps:
        if isinstance(step, Ask):
            found[step.id] = Asked(step.survey, step.options)
        for _, block in blocks_of(step):
            found |= asked_in(block)
    return found


# --- waiting ----------------------------------------------------------------------------------------------------


def read_wait(here: Here) -> Step | None:
    found = here.value(Said("one wait, e.g. 3d", "一个等待，例如 3d"))
    until = scalars.wait(found, here.problems) if found else None
    if found is None or until is None or not _field_is_a_date(until, found, here):
        return None
    return Wait(**here.common, until=until)


def _field_is_a_date(until: WaitSpec, found: Scalar, here: Here) -> bool:
    if not isinstance(until, UntilField):
        return True
    start = found.text.find(until.field)
    span = found.part(start, start + len(until.field)) if start >= 0 else found.span
    field = here.scope.fields.get(until.field)
    dates = [name for name, one in here.scope.fields.items() if one.type in (ValueType.DATE, ValueType.INSTANT)]
    if field is None and until.field[:1].isdigit():  # `until 8pm`: meant for a time or a date, not for a field
        here.problems.append(scalars.not_a_wait(found))
    elif field is None:
        here.problems.append(misfits.unknown("field", span, until.field, dates))
    elif field.type is ValueType.ANNIVERSARY:
        here.problems.append(misfits.comes_every_year(span, field.name))
    elif field.name not in dates:
        here.problems.append(misfits.wrong_type(span, field.name, field.type, mistakes.listed(dates)))
    return field is not None and field.name in dates


def read_wait_for(here: Here) -> Step | None:
    options = here.options
    help = Said(
        "waiting for an event without a limit would hold customers forever — write e.g. `up_to: 7d`",
        "没有期限的等待会让客户永远停在这里，请写上期限，例如 `up_to: 7d`",
    )
    options.require("up_to", here.verb_span, help)
    events = _events(here)
    up_to = options.read("up_to", scalars.duration)
    where = read_where(options, events, here.scope)
    if where is not None and len(events) > 1:
        carried = {event: here.scope.events[event] for event in events}
        here.problems.extend(never_comes.lacks_what_is_asked(options.key_span("where"), where, carried))
    since = options.read(
        "since",
        lambda node, problems: scalars.choice(node, Since, Said("a value of `since`", "`since` 的值"), problems),
    )
    then, otherwise = here.block(options.node("then")), here.block(options.node("else"))
    if not events or up_to is None:
        return None
    return WaitFor(**here.common, events=events, up_to=up_to, where=where, since=since, then=then, otherwise=otherwise)


def _events(here: Here) -> tuple[str, ...]:
    wanted = Said("an event, or a list of events", "一个事件或一列事件")
    if is_empty(here.verb.value):
        here.problems.append(mistakes.no_value(here.verb_span, "wait_for"))
        return ()
    found = scalars.scalars(here.verb.value, mistakes.word("wait_for"), wanted, here.problems) or ()
    names = (read_event_name(item, here.scope.events, here.problems) for item in found)
    return tuple(dict.fromkeys(name for name in names if name is not None))


# --- choosing ---------------------------------------------------------------------------------------------------


def read_if(here: Here) -> Step | None:
    if is_empty(here.verb.value):
        here.problems.append(mistakes.no_value(here.verb_span, "if"))
    here.options.require("then", here.verb_span)
    condition = condition_option(here.options, "if", here.scope)
    arms = [Arm("then", condition or NOBODY, here.block(here.options.node("then")))]
    if "else" in here.options:
        arms.append(Arm("else", None, here.block(here.options.node("else"))))
    return Branch(**here.common, arms=tuple(arms))


def read_branch(here: Here) -> Step | None:
    value = here.verb.value
    if not isinstance(value, Listing) or not value.items:
        wanted = Said("a list of { if, then } and at most one else", "一列 { if, then }，最后可以有一个 else")
        help = Said("write  - if: { … }  then  then:", "请写  - if: { … }  和  then:")
        here.problems.append(mistakes.wrong_shape(here.verb_span, mistakes.word("branch"), wanted, help))
        return None
    arms = tuple(_arm(item, number, len(value.items), here) for number, item in enumerate(value.items, start=1))
    return Branch(**here.common, arms=tuple(arm for arm in arms if arm is not None))


def _arm(node: Node, number: int, count: int, here: Here) -> Arm | None:
    place = Said("this `branch`", "这个 `branch` 里")
    if not isinstance(node, Table) or not node.entries:
        wanted = Said("{ if, then } or { else }", " { if, then } 或 { else }")
        here.problems.append(
            mistakes.wrong_shape(node.span, Said("each way of a `branch`", "`branch` 的每一路"), wanted)
        )
        return None
    if (otherwise := node.entry("else")) and node.entry("if") is None:
        options = Options(node, ("else",), place, here.problems)
        if number < count:
            said = Said("`else` must be the last way", "`else` 必须是最后一路")
            help = Said("what stands below it is never reached", "它后面的内容永远不会走到")
            here.problems.append(mistakes.contradiction(otherwise.key.span, said, help))
        return Arm("else", None, here.block(options.node("else")))
    if node.entries[0].key.text in _ELSE_IF:
        help = Said("each way but the last begins with  - if: { … }", "除了最后一路，每一路都写成  - if: { … }")
        key = node.entries[0].key
        here.problems.append(mistakes.unknown_option(key.span, key.text, place, ("if", "then"), help))
        return None
    options = Options(node, ("if", "then"), place, here.problems)
    options.require("if", node.entries[0].key.span)
    options.require("then", node.entries[0].key.span)
    condition = condition_option(options, "if", here.scope)
    return Arm(str(number), condition or NOBODY, here.block(options.node("then")))


def read_goto(here: Here) -> Step | None:
    """Which way the target lies is known only when all steps are: see `paths`."""
    found = here.value(Said("the id of a step", "一个步骤的 id"))
    if found and found.text not in here.step_ids:
        here.problems.append(misfits.unknown("step", found.span, found.text, here.step_ids))
    at_most = here.options.read("at_most", lambda node, problems: scalars.count(node, problems, MOST_JUMPS))
    return Goto(**here.common, target=found.text, at_most=at_most) if found else None


def read_exit(here: Here) -> Step | None:
    found = here.value(Said("a reason", "一个原因"))
    reason = scalars.text(found, here.problems, limit=100) if found else None
    return Exit(**here.common, reason=reason) if reason else None
