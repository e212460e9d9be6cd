"""`engage fmt --fix`: mistakes that can have only one meaning are put right; every other one stays as it is."""

from __future__ import annotations

import pytest
from editor_desk import JOURNEYS, catalog

from engage.core.journey.reading import read_journey
from engage.core.problem import Mend, Problem, Span
from engage.editor.formatting import formatted
from engage.editor.mending import apply_mends

HEAD = "journey: 试\nstart: { event: order_paid }\n"


def problems_of(source: str) -> list[Problem]:
    return read_journey(source, "x.yaml", catalog())[1]


def fixed(source: str) -> str | None:
    return formatted(source, mend_by=problems_of)


def in_steps(step: str) -> str:
    return f"{HEAD}steps:\n  - {step}\n"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("wait: 3天", "wait: 3d"),
        ("wait: 3 days", "wait: 3d"),
        ("wait： 3d", "wait: 3d"),
        ("wait：3d", "wait: 3d"),
        ("wait:3d", "wait: 3d"),
        ("wait: ３ｄ", "wait: 3d"),
        ("wait: until 10：30", "wait: until 10:30"),
        ("send: howto\n    late: 两小时", "send: howto\n    late: 2h"),
        ("send: howto\n    only_if: ｛ orders: 2.. ｝", "send: howto\n    only_if: { orders: 2.. }"),
        (
            "send: howto\n    only_if: { orders: >= 2， level: ≤3 }",
            "send: howto\n    only_if: { orders: 2.., level: ..3 }",
        ),
        ("send: howto\n    only_if:\n      orders: >= 2", "send: howto\n    only_if:\n      orders: 2.."),
        ("send: howto\n    channels: ［wechat， sms］", "send: howto\n    channels: [wechat, sms]"),
        ("send: howto\n    channels: wechat", "send: howto\n    channels: [wechat]"),
        ("send: howto\n    topic: “service”", 'send: howto\n    topic: "service"'),
        ("Send: howto", "send: howto"),
        ("send: how\u200bto", "send: howto"),
        ("wait: 3d# 三天", "wait: 3d  # 三天"),
        ("send: hi\n    text: {{ member.name }}，您好", 'send: hi\n    text: "{{ member.name }}，您好"'),
        ("send: hi\n    text: {{ member.name }}", 'send: hi\n    text: "{{ member.name }}"'),
        (
            'send: hi\n    text: {{ member.name | default("您") }} 好  # 称呼',
            "send: hi\n    text: '{{ member.name | default(\"您\") }} 好'  # 称呼",
        ),
        ("notify: 客服一组\n    task: 打电话\n    urgent: 是", "notify: 客服一组\n    task: 打电话\n    urgent: yes"),
        ("send: howto\n\t\tlate: 3d", "send: howto\n    late: 3d"),
    ],
)
def test_what_is_surely_meant_is_written(wrong: str, right: str) -> None:
    assert problems_of(in_steps(wrong)) != []
    assert fixed(in_steps(wrong)) == in_steps(right)
    assert problems_of(in_steps(right)) == []


@pytest.mark.parametrize(
    "step",
    [
        "send: welcom",  # welcome? or a template that is still to be written
        "sned: welcome",
        "wait: until workdays 10:00",
        "send: howto\n    only_if: { orders: > 2 }",  # 3.., or 2.. and something
        "send: howto\n    only_if: { lifecycle: 活越 }",
        "send: howto\n    chanels: [sms]",
    ],
)
def test_what_may_be_meant_is_offered_and_not_written(step: str) -> None:
    source = in_steps(step)
    assert all(problem.mend is None or not problem.mend.sure for problem in problems_of(source))
    assert fixed(source) == formatted(source)


def test_an_unsure_mend_is_there_for_editors() -> None:
    (problem,) = problems_of(in_steps("send: howto\n    chanels: [sms]"))
    assert problem.mend == Mend(Span("x.yaml", 5, 5, 5, 12), "channels", sure=False)


def test_scores_get_their_dots() -> None:
    source = in_steps("ask: nps\n    question: 怎样\n  - switch: nps\n    cases: { 0-6: [], 7~10: [], no_answer: [] }")
    assert fixed(source) == source.replace("0-6", "0..6").replace("7~10", "7..10")


def test_a_sign_is_kept() -> None:
    source = "journey: 试\nstart: { date: birthday, at: 10:00, offset: -3天 }\nsteps:\n  - send: birthday\n"
    assert fixed(source) == source.replace("3天", "3d")


def test_many_slips_at_once() -> None:
    source = "journey：试\nstart：{event： member_created}\naudience:\n  points: >= 500\nsteps：\n  - wait： 3天\n"
    right = "journey: 试\nstart: { event: member_created }\naudience:\n  points: 500..\nsteps:\n  - wait: 3d\n"
    assert fixed(source) == right


def test_a_file_that_stays_unreadable_gives_nothing() -> None:
    assert fixed("journey：试\nsteps: [\n") is None


def test_what_is_right_stays_as_it_is() -> None:
    for path in JOURNEYS:
        assert fixed(path.read_text("utf-8")) == path.read_text("utf-8")


def test_mends_do_not_get_in_each_others_way() -> None:
    def at(start: int, end: int, text: str) -> Mend:
        return Mend(Span("", 1, start, 1, end), text)

    assert apply_mends("abcdef", [at(1, 2, "XX"), at(5, 7, ""), at(3, 3, "-")]) == "XXb-cd"
    assert apply_mends("abcdef", [at(1, 4, "1"), at(3, 6, "2")]) in ("1def", "ab2f")
    assert apply_mends("茶a\n茶b", [Mend(Span("", 2, 2, 2, 3), "c")]) == "茶a\n茶c"
