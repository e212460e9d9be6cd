"""Words against the journeys that send them: answers, events and variables that will really be there."""

from __future__ import annotations

from pathlib import Path

import pytest
from content_builders import some_links

from engage.content.project import Project, project_files, read_project
from engage.content.render import render
from engage.core.journey.model import Send
from engage.core.problem import Problem, Severity
from engage.core.words import Rendered

CATALOG = """
brand: { name: 山野茶事, sms_sign: 山野茶事, links: { shop: "https://shop.example/" } }
timezone: Asia/Shanghai
fields: { name: { type: text, default: 茶友 }, birthday: anniversary }
events: { order_paid: { order_id: text, amount: number }, store_visited: { store: text } }
topics:
  service: { class: service, label: 服务通知 }
  survey: { class: marketing, label: 满意度调查 }
  marketing: { class: marketing, label: 活动与优惠 }
teams: { 客服: { email: cs@example.com } }
"""
JOURNEY = """journey: 测试
start: { event: order_paid }
topic: service
steps:
  - ask: nps
    question: 您愿意推荐我们吗？
  - send: thanks
"""
ASK = {"templates/ask-nps.wechat.j2": "{{ question }}"}


def read(template: str, journey: str = JOURNEY, channel: str = "wechat", **more: str) -> list[Problem]:
    sources = {
        "journeys/catalog.yaml": CATALOG,
        "journeys/test.yaml": journey,
        f"templates/thanks.{channel}.j2": template,
        **ASK,
        **more,
    }
    return read_project(sources)[1]


@pytest.mark.parametrize(
    "template", ["{{ nps.score }}", "{{ event.order_id }}", "{{ member.name }}", "{{ journey.title }}{{ brand.name }}"]
)
def test_what_the_journey_knows_is_there(template: str) -> None:
    assert read(template) == []


@pytest.mark.parametrize(
    "template", ["{{ csat.score }}", "{{ event.store }}", "{{ event.lunar_text }}", "{{ question }}"]
)
def test_what_no_sending_journey_knows_is_an_error(template: str) -> None:
    (problem,) = read(f"谢谢\n{template}")
    assert (problem.code, problem.span.file, problem.span.line) == ("E409", "templates/thanks.wechat.j2", 2)
    assert problem.severity is Severity.ERROR


def test_one_sending_journey_that_knows_is_enough() -> None:
    other = JOURNEY.replace("order_paid", "store_visited")
    assert read("{{ event.store }}", **{"journeys/other.yaml": other}) == []


def test_a_date_start_knows_its_calendar() -> None:
    dated = JOURNEY.replace("{ event: order_paid }", "{ date: birthday, at: 10:00 }")
    assert read("{{ event.calendar }}{{ event.lunar_text }}{{ event.age }}", dated) == []


def test_a_variable_that_nobody_passes_is_a_warning() -> None:
    (problem,) = read("{{ var.why }}")
    assert (problem.code, problem.severity) == ("E409", Severity.WARNING)


def test_a_variable_passed_by_enroll_or_send_is_there() -> None:
    enrolling = JOURNEY + "  - enroll: target\n    with: { why: 满意度 }\n"
    target = "journey: 目标\nstart: manual\ntopic: service\nsteps:\n  - send: hello\n"
    sources = {"journeys/target.yaml": target, "templates/hello.wechat.j2": "{{ var.why }}"}
    assert read("谢谢", enrolling, **sources) == []
    assert read("{{ var.why }}", JOURNEY + "    with: { why: 满意度 }\n") == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("  - notify: 客服\n    task: 请联系 {{ member.nmae }}\n", "E404"),
        ("  - notify: 客服\n    task: 他打了 {{ csat.score }} 分\n", "E404"),
        ("  - notify: 客服\n    task: 订单 {{ event.store }}\n", "E404"),
        ("  - notify: 客服\n    task: 请联系 {{ member.name\n", "E402"),
        ("  - notify: 客服\n    task: 请看 {{ link('shp') }}\n", "E405"),
        ("  - send: hello\n    text: 您好 {{ member.nmae }}\n", "E404"),
        ("  - notify: 客服\n    task: |\n      第一行\n      {{ member.nmae }}\n", "E404"),
    ],
)
def test_words_in_journeys_are_checked_where_they_stand(line: str, code: str) -> None:
    journey = JOURNEY + line
    (problem,) = read("谢谢", journey)
    wrong = next(number for number, text in enumerate(journey.split("\n"), start=1) if "{{" in text)
    assert (problem.code, problem.span.file, problem.span.line) == (code, "journeys/test.yaml", wrong)


@pytest.mark.parametrize(("topic", "codes"), [("service", []), ("marketing", ["E410"])])
def test_an_sms_tells_how_to_refuse_where_its_topic_is_marketing(topic: str, codes: list[str]) -> None:
    journey = JOURNEY.replace("topic: service", f"topic: {topic}")
    problems = read("---\nsms_template: SMS_1\n---\n谢谢您。", journey, "sms")
    assert [problem.code for problem in problems] == codes


def test_a_question_longer_than_an_sms_variable_is_a_warning() -> None:
    front = '---\nsms_template: SMS_1\nparams: { q: "{{ question }}" }\n---\n'
    ask = {"templates/ask-nps.sms.j2": front + "{{ question }}拒收请回复R"}
    assert read("谢谢", **ask) == []
    (problem,) = read("谢谢", JOURNEY.replace("您愿意推荐我们吗？", "您" * 36), **ask)
    assert (problem.code, problem.severity, problem.span.line) == ("E413", Severity.WARNING, 6)


def test_a_broken_template_is_reported_once() -> None:
    problems = read("{{ foo }}")
    assert [problem.code for problem in problems] == ["E404"]


# --- inline text ------------------------------------------------------------------------------------------------


def a_project(journey: str) -> Project:
    project, problems = read_project({"journeys/catalog.yaml": CATALOG, "journeys/test.yaml": journey})
    assert project is not None, problems
    return project


def inline(channel: str) -> Rendered | None:
    text = "text: |\n      {{ member.name }}，a < b。\n\n      第二段\n"
    project = a_project(f"journey: 打招呼\nstart: manual\ntopic: service\nsteps:\n  - send: hello\n    {text}")
    journey = project.journeys["test"]
    step = journey.steps[0]
    assert isinstance(step, Send)
    template = project.library.for_send(step, journey, channel)
    if template is None:
        return None
    rendered = render(template, {"member": {"name": "<王芳>"}}, some_links())
    assert isinstance(rendered, Rendered)
    return rendered


def test_inline_text_goes_out_where_free_words_may() -> None:
    wechat, mail = inline("wechat"), inline("email")
    assert wechat is not None
    assert mail is not None
    assert wechat.body == "＜王芳>，a < b。\n\n第二段"
    assert mail.subject == "打招呼"
    assert "<p>&lt;王芳&gt;，a &lt; b。</p>\n<p>第二段</p>" in mail.body
    assert inline("sms") is None


# --- files ------------------------------------------------------------------------------------------------------


def test_a_project_needs_a_catalog() -> None:
    project, problems = read_project({"journeys/test.yaml": JOURNEY})
    assert project is None
    assert problems[0].span.file == "journeys/catalog.yaml"


def test_files_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path
    for name, content in {
        "journeys/catalog.yaml": CATALOG.encode(),
        "journeys/a.yaml": b"journey: a",
        "journeys/a.test.yaml": b"journey: a",
        "journeys/gbk.yaml": "旅程".encode("gbk"),
        "journeys/odd.yaml": b"\xff\x00\x81",
        "journeys/old/b.yaml": b"journey: b",
        "templates/layouts/brand.email.j2": b"x",
        "templates/x.sms.j2": "您好".encode(),
        "templates/notes.md": b"x",
        "config.yaml": b"x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    sources, problems = project_files(folder)
    assert sorted(sources) == [
        "journeys/a.yaml",
        "journeys/catalog.yaml",
        "journeys/gbk.yaml",
        "templates/layouts/brand.email.j2",
        "templates/x.sms.j2",
    ]
    assert sources["templates/x.sms.j2"] == "您好"
    assert sources["journeys/gbk.yaml"] == "旅程"
    told = [problem.span.file for problem in problems]
    assert told == ["journeys/gbk.yaml", "journeys/odd.yaml", "journeys/old/b.yaml"]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("journeys/spring.yml", "journeys/spring.yaml"),
        ("journeys/spring.YAML", "journeys/spring.yaml"),
        ("journeys/2026/spring.yaml", "journeys/spring.yaml"),
    ],
)
def test_a_journey_that_would_not_be_read_is_warned_of_with_the_name_it_needs(
    tmp_path: Path, name: str, wanted: str
) -> None:
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("journey: 春茶\n", encoding="utf-8")
    sources, (problem,) = project_files(tmp_path)
    assert sources == {}
    assert (problem.span.file, problem.severity) == (name, Severity.WARNING)
    assert wanted in problem.help[0].en
    assert wanted in problem.help[0].zh


def test_tests_of_journeys_and_hidden_files_are_passed_over_without_a_word(tmp_path: Path) -> None:
    for name in ("a.test.yaml", "a.test.yml", ".a.yml", ".drafts/b.yaml", "notes.md"):
        path = tmp_path / "journeys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x", encoding="utf-8")
    assert project_files(tmp_path) == ({}, [])


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert project_files(tmp_path) == ({}, [])


# --- answers before their question ------------------------------------------------------------------------------

LATER = """journey: 测试
start: { event: order_paid }
topic: service
steps:
  - notify: 客服
    task: 分数是 {nps.score}
  - send: thanks
  - ask: nps
    question: 您愿意推荐我们吗？
    comment: "{nps.score} 分，为什么？"
  - notify: 客服
    task: 分数是 {nps.score}
""".replace("{nps.score}", "{{ nps.score }}")


def test_an_answer_in_words_before_its_question_is_an_error_where_it_stands() -> None:
    problems = read("谢谢", LATER)
    assert [(p.code, p.span.file, p.span.line) for p in problems] == [("E309", "journeys/test.yaml", 6)]
    (problem,) = problems
    line = LATER.splitlines()[problem.span.line - 1]
    assert line[problem.span.column - 1 : problem.span.end_column - 1] == "nps"
    assert problem.message.en == "`nps` is asked only later"


def test_an_answer_in_a_template_that_is_sent_before_its_question_is_an_error() -> None:
    journey = LATER.replace("task: 分数是 {{ nps.score }}\n  - send", "task: 打电话\n  - send")
    (problem,) = read("您打了 {{ nps.score }} 分", journey)
    assert (problem.code, problem.span.file) == ("E409", "templates/thanks.wechat.j2")


def test_where_a_jump_leads_back_any_answer_may_be_there() -> None:
    back = LATER.replace("  - notify: 客服\n    task", "  - notify: 客服\n    id: first\n    task", 1)
    assert read("谢谢", back + "  - goto: first\n    at_most: 1\n") == []
