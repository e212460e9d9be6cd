"""Every verb with all its options, and what is said about steps that cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from journey_desk import catalog, found_in_steps, good, good_step, read, text_of

from engage.core.catalog import Catalog
from engage.core.condition import Any, HasTag
from engage.core.journey.model import (
    Arm,
    Ask,
    Branch,
    ChannelPolicy,
    Enroll,
    Exit,
    Goto,
    Notify,
    OnAmbiguous,
    OnFail,
    OptionCase,
    ScoreCase,
    Send,
    Since,
    Survey,
    Switch,
    Update,
    WaitFor,
    Webhook,
)
from engage.core.journey.reading import read_journey


def test_send() -> None:
    step = good_step("""
  - send: welcome
    id: first
    label: 第一封
    only_if: { tag: VIP }
    with: { why: "{{ member.name }}", off: 10 }
    channels: [sms]
    topic: service
    late: 6h
""")
    assert isinstance(step, Send)
    assert (step.id, step.label, step.only_if) == ("first", "第一封", HasTag(("VIP",)))
    assert (step.template, step.text) == ("welcome", None)
    assert {key: words.source for key, words in step.values.items()} == {"why": "{{ member.name }}", "off": "10"}
    assert (step.channels, step.topic) == (ChannelPolicy(("sms",)), "service")
    assert step.late == timedelta(hours=6)


def test_send_defaults_and_place() -> None:
    step = good_step("  - send: welcome")
    assert isinstance(step, Send)
    assert (step.channels, step.topic, step.late) == (None, None, None)
    assert (step.span.line, step.span.column, step.span.end_column) == (5, 11, 18)


def test_send_at_the_usual_hour_and_again_when_in_doubt() -> None:
    step = good_step("  - send: welcome\n    at: usual_hour\n    on_ambiguous: repeat")
    assert isinstance(step, Send)
    assert (step.at_usual_hour, step.on_ambiguous) == (True, OnAmbiguous.REPEAT)
    plain = good_step("  - send: welcome")
    assert isinstance(plain, Send)
    assert (plain.at_usual_hour, plain.on_ambiguous) == (False, OnAmbiguous.HOLD)


def test_a_send_at_a_time_of_day_is_told_to_wait_for_it() -> None:
    _, problems = read(text_of(steps="  - send: welcome\n    at: 9:30"))
    (problem,) = problems
    assert problem.help[0].en == "wait before it:\n- wait: until 09:30"


def test_send_with_its_own_words_is_no_template() -> None:
    step = good_step('  - send: hello\n    text: "{{ member.name }}，您好"')
    assert isinstance(step, Send)
    assert (step.id, step.template) == ("hello", None)
    assert step.text is not None
    assert step.text.source == "{{ member.name }}，您好"


def test_ask() -> None:
    step = good_step("""
  - ask: choice
    id: 口味
    question: 喜欢哪种？
    comment: 为什么？
    options: [红茶, 绿茶]
    answer_within: 5d
    remind: 2d
    channels: [wechat]
    topic: service
""")
    assert isinstance(step, Ask)
    assert (step.survey, step.question.source, step.options) == (Survey.CHOICE, "喜欢哪种？", ("红茶", "绿茶"))
    assert step.comment is not None
    assert step.comment.source == "为什么？"
    assert (step.answer_within, step.remind) == (timedelta(days=5), timedelta(days=2))
    assert (step.channels, step.topic) == (ChannelPolicy(("wechat",)), "service")


def test_ask_defaults() -> None:
    step = good_step("  - ask: nps\n    question: 几分？")
    assert isinstance(step, Ask)
    assert (step.id, step.answer_within, step.remind, step.topic) == ("nps", timedelta(days=7), None, "survey")


def test_the_topic_of_questions_must_exist() -> None:
    bare = Catalog(catalog().brand, "Asia/Shanghai", topics={"marketing": catalog().topics["marketing"]})
    _, problems = read_journey(text_of(steps="  - ask: nps\n    question: 几分？"), "a.yaml", bare)
    assert [problem.code for problem in problems] == ["E306"]


def test_webhook() -> None:
    step = good_step('  - webhook: crm_sync\n    with: { who: "{{ member.name }}", off: 10 }\n    on_fail: continue')
    assert isinstance(step, Webhook)
    assert (step.id, step.name, step.on_fail) == ("webhook-crm_sync", "crm_sync", OnFail.CONTINUE)
    assert {key: words.source for key, words in step.values.items()} == {"who": "{{ member.name }}", "off": "10"}
    bare = good_step("  - webhook: crm_sync")
    assert isinstance(bare, Webhook)
    assert (bare.values, bare.on_fail) == ({}, OnFail.RETRY)


def test_goto() -> None:
    step = good_step("  - send: welcome\n  - wait: 1d\n  - goto: welcome\n    at_most: 2")
    assert isinstance(step, Goto)
    assert (step.id, step.target, step.at_most) == ("goto-welcome", "welcome", 2)


def test_wait_for() -> None:
    step = good_step("""
  - wait_for: [order_paid, clicked, order_paid]
    up_to: 7d
    since: start
    where: { any: [ { event.amount: 10.. }, { event.link: shop } ] }
    then:
      - send: thanks
    else:
      - exit: 没来
""")
    assert isinstance(step, WaitFor)
    assert (step.events, step.up_to, step.since) == (("order_paid", "clicked"), timedelta(days=7), Since.START)
    assert isinstance(step.where, Any)
    assert [type(each) for each in (*step.then, *step.otherwise)] == [Send, Exit]


def test_if() -> None:
    step = good_step("  - if: { tag: a }\n    then:\n      - exit: x\n    else: []")
    assert isinstance(step, Branch)
    assert [(arm.name, arm.condition, len(arm.steps)) for arm in step.arms] == [
        ("then", HasTag(("a",)), 1),
        ("else", None, 0),
    ]


def test_branch() -> None:
    step = good_step("""
  - branch:
      - if: { tag: a }
        then: [ { exit: a } ]
      - if: { tag: b }
        then: []
      - else: [ { exit: c } ]
    label: 三路
""")
    assert isinstance(step, Branch)
    assert [arm.name for arm in step.arms] == ["1", "2", "else"]
    assert step.arms[1] == Arm("2", HasTag(("b",)), ())
    assert step.label == "三路"


def test_switch_by_score() -> None:
    step = good_step("""
  - ask: nps
    question: 几分？
  - switch: nps
    cases:
      0..6: [ { exit: 低 } ]
      7: []
      8..: []
      no_answer: [ { exit: 无 } ]
""")
    assert isinstance(step, Switch)
    assert step.answer == "nps"
    assert [(case.low, case.high) for case in step.cases if isinstance(case, ScoreCase)] == [(0, 6), (7, 7), (8, 10)]
    assert (len(step.no_answer), step.otherwise) == (1, ())


def test_switch_by_choice() -> None:
    step = good_step("""
  - ask: choice
    question: 哪种？
    options: [红茶, 绿茶, 白茶]
  - switch: choice
    cases: { 红茶: [], no_answer: [], else: [ { exit: x } ] }
""")
    assert isinstance(step, Switch)
    assert step.cases == (OptionCase("红茶", ()),)
    assert len(step.otherwise) == 1


def test_update() -> None:
    step = good_step("""
  - update:
      set: { lifecycle: 流失, employee: Yes, level: 3, contract_end: 2027-02-06, city: 上海 }
      add: { tag: [a, b], points: -20.5 }
      remove: { tag: c }
    only_if: { tag: d }
""")
    assert isinstance(step, Update)
    assert step.set == {
        "lifecycle": "流失",
        "employee": "yes",
        "level": "3",
        "contract_end": "2027-02-06",
        "city": "上海",
    }
    assert (step.add, step.add_tags, step.remove_tags) == ({"points": -20.5}, ("a", "b"), ("c",))


def test_notify() -> None:
    step = good_step(
        "  - notify: 客服一组\n    task: 给 {{ member.name }} 打电话\n"
        "    due: 1d\n    urgent: yes\n    copy_to: [店长群]"
    )
    assert isinstance(step, Notify)
    assert (step.team, step.task.source) == ("客服一组", "给 {{ member.name }} 打电话")
    assert (step.due, step.urgent, step.copy_to) == (timedelta(days=1), True, ("店长群",))


def test_enroll_and_exit() -> None:
    enroll = good_step('  - enroll: service_recovery\n    with: { score: "{{ nps.score }}" }')
    assert isinstance(enroll, Enroll)
    assert (enroll.journey, enroll.values["score"].source) == ("service_recovery", "{{ nps.score }}")
    leave = good_step("  - exit: 到店未购")
    assert isinstance(leave, Exit)
    assert leave.reason == "到店未购"


# --- what cannot be ---------------------------------------------------------------------------------------------

NPS = "  - ask: nps\n    question: 几分？\n"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("  - send: welcome\n    at: usual_hours", [("E218", "usual_hours")]),
        ("  - send: welcome\n    at: 09:30", [("E219", "09:30")]),
        ("  - send: welcome\n    on_ambiguous: yes", [("E218", "yes")]),
        ("  - 谢谢您", [("E202", "谢谢您")]),
        ("  - send：welcome", [("E101", "：")]),
        ("  - channels: [sms]", [("E202", "channels")]),
        ("  - []", [("E202", "[]")]),
        ("  - sned: welcome", [("E203", "sned")]),
        ("  - send: welcome\n    wait: 2d", [("E204", "wait")]),
        ("  - send: welcome\n    goto: x", [("E204", "goto")]),
        ("  - webhook: crm_sink", [("E318", "crm_sink")]),
        ("  - webhook: crm_sync\n    on_fail: stop", [("E218", "stop")]),
        ("  - webhook: crm_sync\n    with: { 一 二: a }", [("E220", "一 二")]),
        ("  - webhook:", [("E206", "webhook")]),
        ("  - send: welcome\n  - goto: welcom", [("E317", "welcom")]),
        ("  - send: welcome\n  - goto: welcome\n    at_most: 0", [("E222", "0")]),
        ("  - send: welcome\n  - goto: welcome\n    at_most: 三次", [("E215", "三次")]),
        ("  - goto:", [("E206", "goto")]),
        ("  - send: welcome\n    fallback: 1d", [("E210", "fallback")]),
        ("  - send: welcome\n    chanels: [sms]", [("E210", "chanels")]),
        ("  - send:", [("E206", "send")]),
        ("  - send: [a, b]", [("E205", "[a, b]")]),
        ("  - send: a b", [("E220", "a b")]),
        ("  - send: a\n    text:", [("E206", "text")]),
        ("  - send: a\n    text: [a]", [("E205", "[a]")]),
        ("  - send: a\n    with: [a]", [("E205", "[a]")]),
        ("  - send: a\n    with: { 1a: b }", [("E220", "1a")]),
        ("  - send: a\n    with: { a: }", [("E206", "a")]),
        ("  - send: a\n    topic: marketting", [("E306", "marketting")]),
        ("  - send: a\n    id: 一 二", [("E220", "一 二")]),
        ("  - ask: stars\n    question: a", [("E218", "stars")]),
        ("  - ask: nps", [("E211", "ask")]),
        ("  - ask: choice\n    question: a", [("E211", "ask")]),
        ("  - ask: nps\n  - send: a\n    only_if: { nps.score: 9.. }", [("E211", "ask")]),
        ("  - ask: choice\n    question: a\n    options: [a]", [("E205", "[a]")]),
        ("  - ask: choice\n    question: a\n    options: [a, b, c, d, e, f]", [("E205", "[a, b, c, d, e, f]")]),
        ("  - ask: choice\n    question: a\n    options: [a, b, a]", [("E219", "a")]),
        ("  - ask: nps\n    question: a\n    options: [a, b]", [("E219", "options")]),
        ("  - ask: text\n    question: a\n    comment: b", [("E219", "comment")]),
        ("  - ask: nps\n    question: a\n    remind: 7d", [("E219", "remind")]),
        ("  - wait:", [("E206", "wait")]),
        ("  - wait: { days: 3 }", [("E205", "{ days: 3 }")]),
        ("  - wait_for: order_paid", [("E211", "wait_for")]),
        ("  - wait_for: order_payed\n    up_to: 1d", [("E302", "order_payed")]),
        ("  - wait_for: []\n    up_to: 1d", [("E205", "[]")]),
        ("  - wait_for:\n    up_to: 1d", [("E206", "wait_for")]),
        ("  - wait_for: order_paid\n    up_to: 1d\n    since: never", [("E218", "never")]),
        ("  - wait_for: order_paid\n    up_to: 1d\n    then: { send: a }", [("E205", "{ send: a }")]),
        ("  - if: { tag: a }", [("E211", "if")]),
        ("  - if:\n    then: []", [("E206", "if")]),
        ("  - if: tag\n    then: []", [("E205", "tag")]),
        ("  - branch: { if: { tag: a } }", [("E205", "branch")]),
        ("  - branch: []", [("E205", "branch")]),
        ("  - branch:\n      - x", [("E205", "x")]),
        ("  - branch:\n      - then: []", [("E211", "then")]),
        ("  - branch:\n      - if: { tag: a }", [("E211", "if")]),
        ("  - branch:\n      - else: []\n      - if: { tag: a }\n        then: []", [("E219", "else")]),
        ("  - switch: nps\n    cases: { no_answer: [] }", [("E309", "nps")]),
        ("  - update: points", [("E205", "points")]),
        ("  - update: {}", [("E211", "update")]),
        ("  - update: { put: { a: b } }", [("E210", "put")]),
        ("  - update: { set: { point: 5 } }", [("E301", "point")]),
        ("  - update: { set: { orders: 5 } }", [("E305", "orders")]),
        ("  - update: { set: { birthday: 05-12 } }", [("E305", "birthday")]),
        ("  - update: { set: { points: 多 } }", [("E305", "多")]),
        ("  - update: { set: { employee: 多 } }", [("E305", "多")]),
        ("  - update: { set: { contract_end: 2026-02-29 } }", [("E305", "2026-02-29")]),
        ("  - update: { set: { lifecycle: 活越 } }", [("E312", "活越")]),
        ("  - update: { set: { lifecycle: } }", [("E206", "lifecycle")]),
        ("  - update: { add: { city: 5 } }", [("E305", "city")]),
        ("  - update: { add: { points: 多 } }", [("E305", "多")]),
        ("  - update: { set: { city: " + "长" * 501 + " } }", [("E223", "长" * 501)]),
        ("  - update: { add: { tag: " + "长" * 65 + " } }", [("E223", "长" * 65)]),
        ("  - update: { remove: { points: 5 } }", [("E210", "points")]),
        ("  - notify: 客服二组\n    task: a", [("E307", "客服二组")]),
        ("  - notify: 客服一组", [("E211", "notify")]),
        ("  - notify: 客服一组\n    task: a\n    copy_to: 店长", [("E307", "店长")]),
        ("  - enroll: a/b", [("E220", "a/b")]),
        ("  - exit:", [("E206", "exit")]),
        ("  - exit: " + "长" * 101, [("E223", "长" * 101)]),
    ],
)
def test_steps_that_cannot_be(steps: str, expected: list[tuple[str, str]]) -> None:
    assert found_in_steps(steps) == expected


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ("{ 0..6: [], 9..10: [], no_answer: [] }", [("E320", "switch")]),
        ("{ 0..6: [], else: [] }", [("E320", "switch")]),
        ("{ 0..6: [], 6..10: [], no_answer: [] }", [("E321", "6..10")]),
        ("{ 0..10: [], no_answer: [], else: [] }", [("E321", "else")]),
        ("{ 0..11: [], no_answer: [] }", [("E312", "0..11")]),
        ("{ 6..0: [], no_answer: [] }", [("E312", "6..0")]),
        ("{ low: [], no_answer: [] }", [("E205", "low")]),
        ("{ 0..10: [], no_answer: }", [("E219", "no_answer")]),
        ("[0..6]", [("E205", "[0..6]")]),
    ],
)
def test_a_switch_covers_every_score_once(cases: str, expected: list[tuple[str, str]]) -> None:
    assert found_in_steps(f"{NPS}  - switch: nps\n    cases: {cases}") == expected


@pytest.mark.parametrize("case", ["1-3", "1~3", "1到3"])
def test_scores_with_a_dash_are_told_how_ranges_look(case: str) -> None:
    _, problems = read(text_of(steps=f"{NPS}  - switch: nps\n    cases: {{ {case}: [], else: [], no_answer: [] }}"))
    assert problems[0].help[0].en == "write 1..3"


def test_an_exit_without_a_reason_is_told_to_give_one() -> None:
    _, problems = read(text_of(steps="  - send: a\n  - exit"))
    assert [(problem.code, problem.help[0].en) for problem in problems] == [("E202", "write  - exit: …")]


def test_the_gaps_of_a_switch_are_named() -> None:
    _, problems = read(text_of(steps=f"{NPS}  - switch: nps\n    cases: {{ 3..6: [], 9: [], no_answer: [] }}"))
    assert [problem.message.en for problem in problems] == [
        "customers who answer 0..2 have no path",
        "customers who answer 7..8 have no path",
        "customers who answer 10 have no path",
    ]


def test_a_switch_over_options() -> None:
    ask = "  - ask: choice\n    question: a\n    options: [红, 绿]\n  - switch: choice\n    cases: "
    assert found_in_steps(ask + "{ 红: [], no_answer: [] }") == [("E320", "switch")]
    assert found_in_steps(ask + "{ 红: [], 蓝: [], no_answer: [] }") == [("E312", "蓝")]
    assert found_in_steps(ask + "{ 红: [], 绿: [], else: [], no_answer: [] }") == [("E321", "else")]


def test_an_open_answer_has_no_cases() -> None:
    ask = "  - ask: text\n    question: a\n  - switch: text\n    cases: { no_answer: [] }"
    assert found_in_steps(ask) == [("E316", "switch")]


def test_full_width_cases_are_understood() -> None:
    assert found_in_steps(f"{NPS}  - switch: nps\n    cases: {{ ０..10: [], no_answer: [] }}") == [("E101", "０..10")]


def test_a_mistake_leaves_its_neighbours_as_they_are() -> None:
    journey, problems = read(text_of(steps="  - send: a\n  - sned: b\n  - wait: 1d\n  - send: c"))
    assert [problem.code for problem in problems] == ["E203"]
    assert [step.id for step in journey.steps] == ["a", "wait>c", "c"]
    assert journey.draft


def test_steps_that_are_no_list() -> None:
    assert found_in_steps("  send: welcome") == [("E205", "send: welcome")]


def test_a_good_journey_is_not_made_a_draft() -> None:
    assert not good(text_of()).draft
