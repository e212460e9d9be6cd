"""Conditions: every subject with every test of the language, and what is said about the others."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from journey_desk import condition_of, found, found_in_steps, found_on_top, good, read, text_of

from engage.core.condition import (
    All,
    AnswerValue,
    Any,
    Between,
    Compare,
    Condition,
    Contains,
    ContextValue,
    Did,
    FieldValue,
    HasTag,
    InSegment,
    InShare,
    Known,
    Not,
    OneOf,
    OverAgo,
    RankValue,
    Test,
    Unknown,
    ValueType,
    WithinLast,
    WithinNext,
)
from engage.core.journey.model import Branch, ExitOnCondition, OnEvent, WaitFor

THIRTY_DAYS = timedelta(days=30)


def field(name: str, type: ValueType, test: Test) -> Compare:
    return Compare(FieldValue(name, type), test)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("city: 上海", field("city", ValueType.TEXT, OneOf(("上海",)))),
        ("city: [上海, 北京]", field("city", ValueType.TEXT, OneOf(("上海", "北京")))),
        ("city: contains 海", field("city", ValueType.TEXT, Contains("海"))),
        ("city: known", field("city", ValueType.TEXT, Known())),
        ("city: unknown", field("city", ValueType.TEXT, Unknown())),
        ("lifecycle: [新客, 活跃]", field("lifecycle", ValueType.TEXT, OneOf(("新客", "活跃")))),
        ("points: 500", field("points", ValueType.NUMBER, OneOf((Decimal(500),)))),
        ("points: [1, 2.5]", field("points", ValueType.NUMBER, OneOf((Decimal(1), Decimal("2.5"))))),
        ("points: 500..", field("points", ValueType.NUMBER, Between(Decimal(500), None))),
        ("points: ..6", field("points", ValueType.NUMBER, Between(None, Decimal(6)))),
        ("points: -1..8.5", field("points", ValueType.NUMBER, Between(Decimal(-1), Decimal("8.5")))),
        ("orders_rank: ..20%", Compare(RankValue("orders"), InShare(None, 20))),
        ("points_rank: 50%..", Compare(RankValue("points"), InShare(50, None))),
        ("points_rank: 20%..50%", Compare(RankValue("points"), InShare(20, 50))),
        ("points_rank: 20..50%", Compare(RankValue("points"), InShare(20, 50))),
        ("points_rank: known", Compare(RankValue("points"), Known())),
        ("orders: known", field("orders", ValueType.NUMBER, Known())),
        ("employee: yes", field("employee", ValueType.BOOLEAN, OneOf((True,)))),
        ("employee: no", field("employee", ValueType.BOOLEAN, OneOf((False,)))),
        ("employee: unknown", field("employee", ValueType.BOOLEAN, Unknown())),
        ("last_order_at: last 30d", field("last_order_at", ValueType.INSTANT, WithinLast(THIRTY_DAYS))),
        ("last_order_at: over 30d ago", field("last_order_at", ValueType.INSTANT, OverAgo(THIRTY_DAYS))),
        ("contract_end: next 30d", field("contract_end", ValueType.DATE, WithinNext(THIRTY_DAYS))),
        ("contract_end: never", field("contract_end", ValueType.DATE, Unknown())),
        ("contract_end: known", field("contract_end", ValueType.DATE, Known())),
        ("birthday: known", field("birthday", ValueType.ANNIVERSARY, Known())),
        ("tag: VIP", HasTag(("VIP",))),
        ("tag: [VIP, 推荐官]", HasTag(("VIP", "推荐官"))),
        ("segment: VIP", InSegment("VIP", HasTag(("VIP",)))),
        ("did: order_paid", Did("order_paid")),
        ("did: clicked", Did("clicked")),
        ("did: { order_paid: { times: 2.., within: 30d } }", Did("order_paid", 2, None, THIRTY_DAYS)),
        ("did: { order_paid: { times: 3 } }", Did("order_paid", 3, 3)),
        ("did: { order_paid: { times: ..2 } }", Did("order_paid", 0, 2)),
        ("did: { order_paid: { since: start } }", Did("order_paid", since_start=True)),
        ("any: [ { tag: a }, { tag: b } ]", Any((HasTag(("a",)), HasTag(("b",))))),
        ("all: [ { tag: a }, { tag: b } ]", All((HasTag(("a",)), HasTag(("b",))))),
        ("not: { tag: a }", Not(HasTag(("a",)))),
        ("tag: a, segment: VIP", All((HasTag(("a",)), InSegment("VIP", HasTag(("VIP",)))))),
        ("var.why: NPS 贬损者", Compare(ContextValue("var", "why", ValueType.TEXT), OneOf(("NPS 贬损者",)))),
        ("var.score: ..6", Compare(ContextValue("var", "score", ValueType.NUMBER), Between(None, Decimal(6)))),
    ],
)
def test_every_test_of_the_language(line: str, expected: Condition) -> None:
    assert condition_of(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("lifecyle: 活跃", ("E301", "lifecyle")),
        ("points: 五百", ("E305", "五百")),
        ("points: last 30d", ("E305", "last 30d")),
        ("points: [1, x]", ("E305", "x")),
        ("points: ..20%", ("E305", "..20%")),
        ("points: 20%", ("E305", "20%")),
        ("points_rank: 20%", ("E305", "20%")),
        ("points_rank: 500..", ("E305", "500..")),
        ("points_rank: ..100%", ("E305", "..100%")),
        ("points_rank: 0%..", ("E305", "0%..")),
        ("points_rank: [..20%]", ("E305", "[..20%]")),
        ("points_rank: 50%..20%", ("E312", "50%..20%")),
        ("points_rank: ..２０％", ("E101", "..２０％")),
        ("city_rank: ..20%", ("E301", "city_rank")),
        ("poins_rank: ..20%", ("E301", "poins_rank")),
        ("points: { a: b }", ("E305", "{ a: b }")),
        ("points: <= 6", ("E104", "<= 6")),
        ("points: 8..7", ("E312", "8..7")),
        ("points: ５００..", ("E101", "５００..")),
        ("city: 500..", ("E305", "500..")),
        ("city: over 90d ago", ("E305", "over 90d ago")),
        ("city: contains", ("E305", "contains")),
        ("city: []", ("E305", "[]")),
        ("lifecycle: 活越", ("E312", "活越")),
        ("lifecycle: [活跃, 沉睡了]", ("E312", "沉睡了")),
        ("employee: 2", ("E305", "2")),
        ("last_order_at: 90d", ("E305", "90d")),
        ("last_order_at: over 90d", ("E305", "over 90d")),
        ("last_order_at: last 30d ago", ("E305", "last 30d ago")),
        ("last_order_at: last ３０d", ("E101", "last ３０d")),
        ("last_order_at: [last 30d]", ("E305", "[last 30d]")),
        ("birthday: next 7d", ("E305", "next 7d")),
        ("tag: { a: b }", ("E205", "{ a: b }")),
        ("segment: VIPP", ("E303", "VIPP")),
        ("segment: [VIP]", ("E205", "[VIP]")),
        ("did: order_payed", ("E302", "order_payed")),
        ("did: { order_payed: { times: 2 } }", ("E302", "order_payed")),
        ("did: { order_paid: { times: many } }", ("E305", "many")),
        ("did: { order_paid: { times: 1.5.. } }", ("E305", "1.5..")),
        ("did: { order_paid: { times: 5..2 } }", ("E312", "5..2")),
        ("did: { order_paid: { since: monday } }", ("E218", "monday")),
        ("did: { order_paid: { often: yes } }", ("E210", "often")),
        ("any: { tag: a }", ("E205", "{ tag: a }")),
        ("any: []", ("E205", "[]")),
        ("not: [ { tag: a } ]", ("E205", "[ { tag: a } ]")),
        ("not: {}", ("E205", "{}")),
        ("city:", ("E206", "city")),
        ("event.amount: 5..", ("E316", "event.amount")),
        ("nps.score: 5..", ("E309", "nps.score")),
        ("ｃity: 上海", ("E101", "ｃity")),
    ],
)
def test_lines_that_do_not_fit(line: str, expected: tuple[str, str]) -> None:
    assert found_on_top(f"exit_if: {{ {line} }}") == [expected]


def test_a_block_text_as_a_comparison() -> None:
    """`> 5` is the head of a text block to YAML."""
    assert found(text_of("exit_if:\n  points: > 5\npriority: 1")) == [("E104", "> 5")]


def test_suggestions_for_misspelt_names() -> None:
    _, problems = read(text_of("exit_if: { lifecyle: 活越, tags: VIP }"))
    assert [problem.label.en for problem in problems if problem.label] == [
        "did you mean `lifecycle`?",
        "did you mean `tag`?",
    ]


def test_a_field_named_as_templates_name_it_is_told_its_name_in_conditions() -> None:
    _, (problem,) = read(text_of("exit_if: { member.level: 3.. }"))
    assert (problem.code, problem.help[0].en) == ("E301", "write `level`")


def test_what_cannot_be_read_matches_nobody() -> None:
    journey, problems = read(text_of("audience: { lifecyle: 活跃 }"))
    assert problems != []
    assert journey.audience == Any(())
    assert journey.draft


def test_an_event_brings_its_payload() -> None:
    journey = good(text_of("start: { event: order_paid }\naudience: { event.amount: 100.., event.gift: yes }"))
    assert journey.audience == All(
        (
            Compare(ContextValue("event", "amount", ValueType.NUMBER), Between(Decimal(100), None)),
            Compare(ContextValue("event", "gift", ValueType.BOOLEAN), OneOf((True,))),
        )
    )
    assert found_on_top("start: { event: order_paid }\naudience: { event.amout: 100.. }") == [("E313", "event.amout")]
    assert found_on_top("start: { event: order_paid }\naudience: { event.amount: 多 }") == [("E305", "多")]


def test_a_yearly_date_brings_what_it_knows() -> None:
    good(text_of("start: { date: birthday, at: 10:00 }\nexclude: { event.calendar: lunar, event.age: 18.. }"))


def test_nothing_more_is_said_about_a_start_that_is_wrong_already() -> None:
    assert found_on_top("start: { event: order_payed }\naudience: { event.amount: 100.. }") == [("E302", "order_payed")]


def test_where_looks_at_the_event_only() -> None:
    journey = good(text_of("start: { event: order_paid, where: { not: { event.amount: ..10 } } }"))
    assert isinstance(journey.start, OnEvent)
    assert isinstance(journey.start.where, Not)
    _, problems = read(text_of("start: { event: order_paid, where: { amount: 100.., city: 上海, tag: VIP } }"))
    assert [(problem.code, problem.help[0].en) for problem in problems] == [
        ("E316", "write event.amount"),
        ("E316", "conditions on the member go to audience, only_if or if"),
        ("E316", "conditions on the member go to audience, only_if or if"),
    ]


def test_where_of_several_events_knows_the_keys_of_all() -> None:
    either = "any: [ { event.store: 一店 }, { event.store: unknown } ]"
    journey = good(
        text_of(steps=f"  - wait_for: [order_paid, store_visited]\n    up_to: 1d\n    where: {{ {either} }}")
    )
    step = journey.steps[0]
    assert isinstance(step, WaitFor)
    store = ContextValue("event", "store", ValueType.TEXT)
    assert step.where == Any((Compare(store, OneOf(("一店",))), Compare(store, Unknown())))


ASKS = """
  - ask: nps
    question: 几分？
  - ask: choice
    id: 口味
    question: 喜欢？
    options: [红茶, 绿茶]
  - ask: text
    question: 想说什么？
"""


def test_answers_of_earlier_questions() -> None:
    lines = "{ nps.score: 0..6, nps.comment: known, 口味.choice: 红茶, text.comment: contains 茶 }"
    step = good(text_of(steps=f"{ASKS}  - if: {lines}\n    then: []")).steps[-1]
    assert isinstance(step, Branch)
    assert step.arms[0].condition == All(
        (
            Compare(AnswerValue("nps", "score"), Between(Decimal(0), Decimal(6))),
            Compare(AnswerValue("nps", "comment"), Known()),
            Compare(AnswerValue("口味", "choice"), OneOf(("红茶",))),
            Compare(AnswerValue("text", "comment"), Contains("茶")),
        )
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("nps.score: 0..11", ("E312", "0..11")),
        ("nps.score: 12", ("E312", "12")),
        ("nps.choice: 红茶", ("E316", "nps.choice")),
        ("口味.choice: 白茶", ("E312", "白茶")),
        ("口味.score: 3", ("E316", "口味.score")),
        ("text.score: 3", ("E316", "text.score")),
        ("nsp.score: 3", ("E309", "nsp.score")),
    ],
)
def test_answers_that_cannot_be(line: str, expected: tuple[str, str]) -> None:
    assert found_in_steps(f"{ASKS}  - if: {{ {line} }}\n    then: []") == [expected]


def test_an_answer_cannot_be_used_before_the_question() -> None:
    _, problems = read(text_of(steps=f"  - send: welcome\n    only_if: {{ nps.score: 9.. }}{ASKS}"))
    assert [(problem.code, problem.message.en) for problem in problems] == [("E309", "`nps` is asked only later")]


def test_a_question_in_one_arm_is_not_earlier_for_the_other() -> None:
    steps = """
  - if: { tag: VIP }
    then:
      - ask: nps
        question: 几分？
    else:
      - send: welcome
        only_if: { nps.score: 9.. }
  - send: welcome
    only_if: { nps.score: 9.. }
"""
    assert found_in_steps(steps) == [("E309", "nps.score")]


def test_exit_if_may_use_any_answer() -> None:
    journey = good(text_of("exit_if: { nps.score: 0..6 }", ASKS.strip("\n")))
    assert journey.exit_if == (ExitOnCondition(Compare(AnswerValue("nps", "score"), Between(Decimal(0), Decimal(6)))),)


def test_since_start_needs_a_run() -> None:
    assert found_on_top("audience: { did: { order_paid: { since: start } } }") == [("E316", "since")]
