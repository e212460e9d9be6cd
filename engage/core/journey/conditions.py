"""Conditions: a mapping of `field: test` lines, all of which must hold; `any`, `all`, `not` combine.

One spelling for audience, exclude, exit_if, only_if, if, where and segments. What may be looked at depends on the
place, so every reading has a `Scope`. A line that cannot be read becomes a condition that nobody meets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from engage.core.catalog import NEVER_RECORDED, RANK, Event, Field, ranked_by
from engage.core.condition import (
    All,
    AnswerValue,
    Any,
    Compare,
    Condition,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    Not,
    RankValue,
    Subject,
    ValueType,
)
from engage.core.journey import misfits, mistakes, nobody, scalars, slips
from engage.core.journey.comparisons import Target, read_test
from engage.core.journey.impossible import nobody_meets
from engage.core.journey.model import SCORE_RANGE, Survey
from engage.core.journey.nodes import Entry, Listing, Node, Scalar
from engage.core.journey.options import Options, is_empty, read_table
from engage.core.journey.vocabulary import nearest
from engage.core.problem import Problem, Said

NOBODY: Condition = Any(())

MAX_TAG = 64  # what the database keeps

_COMBINE = ("any", "all", "not")
_MEMBERSHIP = ("tag", "segment", "did")
_CONDITION = Said("a condition", "条件")
THE_EVENT = Said("the event that starts this journey", "开始这个旅程的事件")


@dataclass(frozen=True, slots=True)
class Asked:
    """An ask whose answers a condition may use."""

    survey: Survey
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scope:
    """What can be looked at in one place."""

    fields: Mapping[str, Field]
    events: Mapping[str, Event]
    segment: Callable[[Scalar, list[Problem]], Condition | None]  # reports an unknown name itself
    asked: Mapping[str, Asked] = field(default_factory=dict)
    asked_later: frozenset[str] = frozenset()
    event: Mapping[str, ValueType] | None = None  # what `event.<key>` may be; None: no event is in reach
    event_name: Said = THE_EVENT
    start_known: bool = True  # else its mistake is reported, and what it carries is anybody's guess
    event_only: bool = False  # `where`: it is the event that is looked at
    has_values: bool = False  # `var.<key>` may exist
    in_run: bool = False  # a run has started: `since: start` means something


def read_condition(node: Node, scope: Scope, problems: list[Problem]) -> Condition:
    """The condition; NOBODY where there is none to be read (which has then been reported)."""
    table = read_table(node, _CONDITION, problems, _probably_meant(node, scope))
    if table is None:
        return NOBODY
    if not table.entries:
        example = Said("write { city: 上海 }", "请写 { city: 上海 }")
        problems.append(mistakes.wrong_shape(table.span, _CONDITION, Said("at least one line", "至少一行"), example))
        return NOBODY
    parts = tuple(_line(entry, scope, problems) for entry in table.entries)
    return parts[0] if len(parts) == 1 else _all_of(parts, table, problems)


def _probably_meant(node: Node, scope: Scope) -> str:
    """`only_if: VIP`: a segment's name alone."""
    is_segment = isinstance(node, Scalar) and scope.segment(node, []) is not None
    return f"{{ segment: {node.text} }}" if isinstance(node, Scalar) and is_segment else "{ city: 上海 }"


def _all_of(parts: tuple[Condition, ...], node: Node, problems: list[Problem]) -> Condition:
    """NOBODY, told once, where two of them exclude each other."""
    if not nobody_meets(All(parts)):
        return All(parts)
    problems.append(nobody.nobody_meets(node.span))
    return NOBODY


def condition_option(options: Options, word: str, scope: Scope) -> Condition | None:
    """The condition given as an option; None if the option is absent."""
    node = options.node(word)
    return None if node is None else read_condition(node, scope, options.problems)


def _line(entry: Entry, scope: Scope, problems: list[Problem]) -> Condition:
    word = entry.key.text
    if is_empty(entry.value):
        help = Said("write known or unknown to ask whether it is on file", "要判断有没有资料，请写 known 或 unknown")
        problems.append(mistakes.no_value(entry.key.span, word, help))
        return NOBODY
    if word in _COMBINE:
        return _combined(word, entry.value, scope, problems)
    if word in _MEMBERSHIP and not scope.event_only:
        return _membership(word, entry, scope, problems)
    return _compare(entry, scope, problems)


def _combined(word: str, node: Node, scope: Scope, problems: list[Problem]) -> Condition:
    if word == "not":
        return Not(read_condition(node, scope, problems))
    if not isinstance(node, Listing) or not node.items:
        problems.append(
            mistakes.wrong_shape(
                node.span,
                mistakes.word(word),
                Said("a list of conditions", "一列条件"),
                Said(f"write  {word}: [ {{ … }}, {{ … }} ]", f"请写 {word}: [ {{ … }}, {{ … }} ]"),
            )
        )
        return NOBODY
    parts = tuple(read_condition(item, scope, problems) for item in node.items)
    return Any(parts) if word == "any" else _all_of(parts, node, problems)


# --- tag, segment, did ------------------------------------------------------------------------------------------


def _membership(word: str, entry: Entry, scope: Scope, problems: list[Problem]) -> Condition:
    match word:
        case "tag":
            tags = read_tags(entry.value, problems, tested=True)
            return HasTag(tags) if tags else NOBODY
        case "segment":
            return _segment(entry.value, scope, problems)
        case _:
            return _did(entry.value, scope, problems)


def read_tags(node: Node, problems: list[Problem], *, tested: bool = False) -> tuple[str, ...]:
    """`tested`: by a condition, which may have words of logic around them."""
    wanted = Said("a tag, or a list of tags", "一个标签或一列标签")
    found = scalars.scalars(node, mistakes.word("tag"), wanted, problems) or ()
    for item in found:
        around = misfits.words_around_values(item.span, "tag", item.text) if tested and not item.style else None
        if around is not None:
            problems.append(around)
        elif len(item.text) > MAX_TAG:
            problems.append(mistakes.too_long(item.span, Said("this tag", "这个标签"), MAX_TAG))
    return tuple(item.text.strip() for item in found)


def _segment(node: Node, scope: Scope, problems: list[Problem]) -> Condition:
    word, wanted = mistakes.word("segment"), Said("one segment's name", "一个人群的名字")
    if isinstance(node, Listing):
        several = "any: [ { segment: … }, { segment: … } ]"
        problems.append(mistakes.wrong_shape(node.span, word, wanted, Said(f"write  {several}", f"请写 {several}")))
        return NOBODY
    found = scalars.scalar(node, word, problems, wanted)
    condition = scope.segment(found, problems) if found else None
    return InSegment(found.text, condition) if found and condition else NOBODY


def read_event_name(found: Scalar, events: Mapping[str, Event], problems: list[Problem]) -> str | None:
    if found.text in NEVER_RECORDED:
        problems.append(misfits.never_recorded(found.span, found.text))
    if found.text in events:
        return found.text
    problems.append(misfits.unknown("event", found.span, found.text, events))
    return None


def _did(node: Node, scope: Scope, problems: list[Problem]) -> Condition:
    if isinstance(node, Scalar):
        event = read_event_name(node, scope.events, problems)
        return Did(event) if event else NOBODY
    table = read_table(node, mistakes.word("did"), problems, "did: order_paid")
    if table is not None and not table.entries:
        wanted, help = Said("an event", "一个事件"), Said("write  did: order_paid", "请写 did: order_paid")
        problems.append(mistakes.wrong_shape(table.span, mistakes.word("did"), wanted, help))
    parts = tuple(_did_event(entry, scope, problems) for entry in table.entries) if table else ()
    if not parts:
        return NOBODY
    return parts[0] if len(parts) == 1 else All(parts)


def _did_event(entry: Entry, scope: Scope, problems: list[Problem]) -> Condition:
    event = read_event_name(entry.key, scope.events, problems)
    table = read_table(entry.value, mistakes.word("did"), problems, "did: { order_paid: { times: 2.. } }")
    if event is None or table is None:
        return NOBODY
    options = Options(table, ("times", "within", "since"), Said("`did`", "`did` 里"), problems)
    times = options.read("times", _times) if "times" in options else (1, None)
    since = options.read("since", _since_start)
    if since and not scope.in_run:
        why = Said("nobody has started yet", "这时旅程还没有开始")
        help = Said("say how far back, e.g. within: 90d", "请写往前多久，例如 within: 90d")
        problems.append(misfits.not_in_reach(options.key_span("since"), "since: start", why, help))
    if times is None:
        return NOBODY
    return Did(event, times[0], times[1], options.read("within", scalars.duration), bool(since))


def _times(node: Node, problems: list[Problem]) -> tuple[int, int | None] | None:
    found = scalars.scalar(node, mistakes.word("times"), problems)
    if found is None:
        return None
    exact = scalars.number(found, problems)
    ends = (exact, exact) if exact is not None else scalars.number_range(found, problems)
    if ends is None or any(end is not None and (end < 0 or end % 1) for end in ends):
        problems.append(misfits.wrong_type(found.span, "times", ValueType.NUMBER, "2 · 2.. · ..5 · 2..5"))
        return None
    low, high = int(ends[0] or 0), None if ends[1] is None else int(ends[1])
    if high is not None and low > high:
        problems.append(misfits.empty_range(found.span, found.text))
        return None
    return low, high


def _since_start(node: Node, problems: list[Problem]) -> bool | None:
    if isinstance(node, Scalar) and node.text == "start":
        return True
    shown = node.text if isinstance(node, Scalar) else "…"
    problems.append(mistakes.not_one_of(node.span, shown, Said("a value of `since`", "`since` 的值"), ("start",)))
    return None


# --- field: test ------------------------------------------------------------------------------------------------


def _compare(entry: Entry, scope: Scope, problems: list[Problem]) -> Condition:
    target = _target(entry, scope, problems)
    test = read_test(entry.value, target, problems) if target else None
    return Compare(target.subject, test) if target and test else NOBODY


def _target(entry: Entry, scope: Scope, problems: list[Problem]) -> Target | None:
    key = entry.key
    origin, dot, part = key.text.partition(".")
    if dot and origin == "event":
        return _event_value(key, part, scope, problems)
    if scope.event_only:
        problems.append(_only_event(key, scope))
        return None
    if dot and origin == "var":
        return _passed_value(entry, part, scope, problems)
    if dot and origin == "member" and "member" not in scope.asked and part in scope.fields:
        problems.append(misfits.as_in_templates(key.span, key.text, part))
        return None
    if dot:
        return _answer_value(key, origin, part, scope, problems)
    return _field_value(key, scope, problems)


def _only_event(key: Scalar, scope: Scope) -> Problem:
    why = Said("`where` looks at the event itself, as `event.<key>`", "`where` 只看事件本身，写作 `event.<键>`")
    same = key.text if key.text in (scope.event or {}) else None
    help = (
        Said(f"write event.{same}", f"请写 event.{same}")
        if same
        else Said(
            "conditions on the member go to audience, only_if or if", "关于会员的条件请写在 audience、only_if 或 if 里"
        )
    )
    return misfits.not_in_reach(key.span, key.text, why, help)


def _event_value(key: Scalar, part: str, scope: Scope, problems: list[Problem]) -> Target | None:
    if not scope.start_known:
        return None
    if scope.event is None:
        problems.append(_no_event(key, scope))
        return None
    type = scope.event.get(part)
    if type is None:
        problems.append(misfits.unknown_key(key.span, part, scope.event_name, scope.event))
        return None
    return Target(ContextValue("event", part, type), key.text, type)


def _no_event(key: Scalar, scope: Scope) -> Problem:
    if scope.has_values:
        return misfits.no_event_starts(key.span, key.text)
    why = Said("a segment is about members, not about one event", "人群看的是会员，不是某一个事件")
    help = Said("say what they did:  did: order_paid", "请写他们做过什么：did: order_paid")
    return misfits.not_in_reach(key.span, key.text, why, help)


def _passed_value(entry: Entry, part: str, scope: Scope, problems: list[Problem]) -> Target | None:
    """Values passed by `enroll … with` are words; a range asks for them as a number."""
    if not scope.has_values:
        why = Said("only a journey has values passed to it", "只有旅程才有传入的值")
        problems.append(misfits.not_in_reach(entry.key.span, entry.key.text, why))
        return None
    value = entry.value
    is_range = isinstance(value, Scalar) and scalars.parse_range(slips.half_width(value.text)) is not None
    type = ValueType.NUMBER if is_range else ValueType.TEXT
    return Target(ContextValue("var", part, type), entry.key.text, type)


def _answer_value(key: Scalar, step_id: str, part: str, scope: Scope, problems: list[Problem]) -> Target | None:
    asked = scope.asked.get(step_id)
    if asked is None:
        problems.append(misfits.not_an_earlier_ask(key.span, step_id, scope.asked, step_id in scope.asked_later))
        return None
    subject: Subject = AnswerValue(step_id, part)
    bounds = SCORE_RANGE.get(asked.survey)
    match part:
        case "score" if bounds:
            return Target(subject, key.text, ValueType.NUMBER, bounds=(Decimal(bounds[0]), Decimal(bounds[1])))
        case "choice" if asked.survey is Survey.CHOICE:
            return Target(subject, key.text, ValueType.TEXT, asked.options)
        case "comment":
            return Target(subject, key.text, ValueType.TEXT)
    parts = answer_parts(asked.survey)
    why = Said(
        f"an answer to `{asked.survey}` has: {', '.join(parts)}", f"`{asked.survey}` 的回答有：{'、'.join(parts)}"
    )
    help = Said(f"write {step_id}.{parts[0]}", f"请写 {step_id}.{parts[0]}")
    problems.append(misfits.not_in_reach(key.span, key.text, why, help))
    return None


def answer_parts(survey: Survey) -> tuple[str, ...]:
    """What of an answer can be looked at, as `<step id>.<part>`."""
    match survey:
        case Survey.NPS | Survey.CSAT:
            return ("score", "comment")
        case Survey.CHOICE:
            return ("choice", "comment")
        case Survey.TEXT:
            return ("comment",)


def _field_value(key: Scalar, scope: Scope, problems: list[Problem]) -> Target | None:
    found = scope.fields.get(key.text)
    if found:
        return Target(FieldValue(found.name, found.type), found.name, found.type, found.values)
    half = slips.half_width(key.text)
    if half in scope.fields:
        problems.append(slips.full_width_text(key.span, half))
        return None
    if key.text.endswith(RANK):
        return _rank(key, scope, problems)
    problems.append(misfits.unknown("field", key.span, key.text, _suggestable(key.text, scope)))
    return None


def _rank(key: Scalar, scope: Scope, problems: list[Problem]) -> Target | None:
    base = ranked_by(key.text, scope.fields)
    if base is not None:
        return Target(RankValue(base.name), key.text, ValueType.NUMBER)
    field = key.text.removesuffix(RANK)
    if field in scope.fields:
        problems.append(misfits.no_rank(key.span, key.text, field))
    else:
        ranks = [name + RANK for name, each in scope.fields.items() if each.type is ValueType.NUMBER]
        problems.append(misfits.unknown("field", key.span, key.text, [*ranks, *scope.fields]))
    return None


def _suggestable(word: str, scope: Scope) -> Iterable[str]:
    """Field names; the condition words too, where one of them is nearer (`tags`, `segments`)."""
    near = nearest(word, (*_COMBINE, *_MEMBERSHIP))
    return [*scope.fields, near] if near else list(scope.fields)
