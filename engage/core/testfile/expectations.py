"""`expect`: what the timeline must hold, in order, and what it must never hold; in the journey's own verbs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from engage.core.journey import misfits, scalars
from engage.core.journey import mistakes as form
from engage.core.journey.nodes import Listing, Node, Scalar, Table
from engage.core.journey.options import Options, read_table
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Problem, Said
from engage.core.testfile import mistakes
from engage.core.testfile.known import Known
from engage.core.testfile.model import Expected, Verb
from engage.core.testfile.moments import read_day_time

# verb → its own options; `at` goes with every one.
OPTIONS: Mapping[Verb, tuple[str, ...]] = {
    Verb.ENTER: (),
    Verb.SEND: ("via",),
    Verb.ASK: ("via",),
    Verb.SKIPPED: ("why",),
    Verb.DEFERRED: ("until",),
    Verb.CANCELLED: ("why",),
    Verb.ANSWERED: (),
    Verb.NO_ANSWER: (),
    Verb.UPDATE: (),
    Verb.NOTIFY: ("task", "due", "urgent"),
    Verb.ENROLL: ("why",),
    Verb.WEBHOOK: (),
    Verb.SPLIT: ("way",),
    Verb.PASSED_OVER: (),
    Verb.EXIT: ("counts",),
}
_FLAGS = ("urgent", "counts")
_VERBS = tuple(verb.value for verb in Verb)
_EXAMPLE = "{ at: day 0 10:00, send: welcome, via: wechat }"


def read_expected(node: Node, known: Known, problems: list[Problem]) -> list[Expected]:
    if not isinstance(node, Listing) or not node.items:
        wanted = Said("a list of what is expected", "一列期望的结果")
        problems.append(form.wrong_shape(node.span, form.word("expect"), wanted))
        return []
    read = (_line(item, known, problems) for item in node.items)
    return [expected for expected in read if expected is not None]


def _line(node: Node, known: Known, problems: list[Problem]) -> Expected | None:
    table = read_table(node, form.word("expect"), problems, _EXAMPLE)
    never = table.entry("never") if table is not None else None
    if table is None or never is None:
        return _expected(table, known, problems) if table is not None else None
    Options(table, ("never",), Said("`expect`", "`expect` 里"), problems)
    inner = read_table(never.value, form.word("never"), problems, "never: { send: winback_last }")
    expected = _expected(inner, known, problems) if inner is not None else None
    return replace(expected, never=True, span=table.span) if expected is not None else None


def _expected(table: Table, known: Known, problems: list[Problem]) -> Expected | None:
    verbs = [entry.key.text for entry in table.entries if entry.key.text in _VERBS]
    if len(verbs) != 1:
        say = mistakes.one_verb(table.span, tuple(verbs)) if verbs else mistakes.what_happens(table.span, _VERBS)
        problems.append(say)
        return None
    verb = Verb(verbs[0])
    options = Options(table, (verb, "at", *OPTIONS[verb]), Said(f"`{verb}`", f"`{verb}` 里"), problems)
    value = options.node(verb)
    if value is None:
        return None
    changes = _changes(value, problems) if verb is Verb.UPDATE else frozenset()
    return Expected(
        verb=verb,
        name=_name(verb, value, known, problems),
        span=table.span,
        at=options.read("at", read_day_time),
        via=options.read("via", _channel),
        why=options.read("why", scalars.text),
        until=options.read("due" if verb is Verb.NOTIFY else "until", read_day_time),
        words=options.read("task" if verb is Verb.NOTIFY else "way", scalars.text),
        flags={word: truth for word in _FLAGS if (truth := options.read(word, scalars.yes_no)) is not None},
        changes=changes or frozenset(),
    )


def _name(verb: Verb, node: Node, known: Known, problems: list[Problem]) -> str | None:
    if verb is Verb.UPDATE:
        return None
    found = scalars.scalar(node, form.word(verb), problems)
    names = known.names_for(verb)
    if found is not None and found.text not in names:
        problems.append(mistakes.unknown_name(found.span, verb, found.text, names))
    return found.text if found is not None else None


def _channel(node: Node, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, form.word("via"), problems)
    if found is not None and found.text not in CHANNELS:
        problems.append(misfits.unknown("channel", found.span, found.text, CHANNELS))
    return found.text if found is not None else None


# --- changes ----------------------------------------------------------------------------------------------------

_CHANGE = re.compile(r"(set|add|remove) ([^\s=]+)=(.+)")


def _changes(node: Node, problems: list[Problem]) -> frozenset[str] | None:
    """`{ add: { tag: 推荐官, points: 200 } }`, as the step writes it, or “add tag=推荐官; add points=200”."""
    if isinstance(node, Scalar):
        parts = [part.strip() for part in node.text.split(";") if part.strip()]
        if parts and all(_CHANGE.fullmatch(part) for part in parts):
            return frozenset(parts)
        problems.append(mistakes.not_changes(node.span, node.text))
        return None
    table = read_table(node, form.word("update"), problems, "update: { add: { tag: VIP } }")
    if table is None:
        return None
    options = Options(table, ("set", "add", "remove"), Said("`update`", "`update` 里"), problems)
    return frozenset(change for kind in ("set", "add", "remove") for change in _of_kind(options, kind))


def _of_kind(options: Options, kind: str) -> list[str]:
    table = options.read(kind, lambda node, found: read_table(node, form.word(kind), found, f"{kind}: {{ tag: VIP }}"))
    changes = []
    for entry in table.entries if table is not None else ():
        values = scalars.scalars(entry.value, form.word(entry.key.text), Said("a value", "一个值"), options.problems)
        changes += [f"{kind} {entry.key.text}={value.text}" for value in values or ()]
    return changes
