"""What is said about a template when it is loaded: each mistake, with its line and a suggestion."""

from __future__ import annotations

import pytest
from content_builders import a_catalog, a_library, errors_of, problems_of

from engage.content.library import Library
from engage.core.journey.model import Survey
from engage.core.problem import Problem, Severity

SMS = "---\nsms_template: SMS_1\n---\n您好"


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    "source",
    [
        "{{ member.name }}，您好",
        "{{ event.order_id }}{{ event.lunar_text }}",
        "{{ var.why }}",
        "{{ nps.score }}{{ csat_7.comment }}",
        "{{ journey.title }}{{ journey.id }}{{ brand.name }}{{ now | day }}",
        "{{ question }}{% for option in options %}{{ loop.index }} {{ option }}{% endfor %}",
        "{{ link('shop') }}{{ survey_link() }}{{ survey_link(9) }}{{ unsubscribe_url }}",
        "{% set city = member.city %}{{ city }}",
        "{{ member['name'] }}",
        "{# 说明 #}您好",
        "没有变量",
    ],
)
def test_known_names_raise_no_problem(source: str) -> None:
    assert problems_of(source) == []


@pytest.mark.parametrize(
    ("source", "word", "suggestion"),
    [
        ("{{ member.nmae }}", "nmae", "name"),
        ("{{ event.oder_id }}", "oder_id", "order_id"),
        ("{{ journey.titel }}", "titel", "title"),
        ("{{ brand.nam }}", "nam", "name"),
        ("{{ memeber.name }}", "memeber", "member"),
        ("{{ nps.scores }}", "nps", None),
        ("{{ qestion }}", "qestion", "question"),
        ("{% if member.ctiy %}a{% endif %}", "ctiy", "city"),
        ("{{ 'a' if member.ctiy else 'b' }}", "ctiy", "city"),
        ("{{ member.name | default(member.ctiy) }}", "ctiy", "city"),
        ("{{ member }}", "member", None),
        ("{{ content }}", "content", None),
    ],
)
def test_an_unknown_name_is_underlined(source: str, word: str, suggestion: str | None) -> None:
    problem = only(errors_of(f"第一行\n\n您好 {source}"))
    assert problem.code == "E404"
    assert (problem.span.line, problem.span.end_column - problem.span.column) == (3, len(word))
    assert f"您好 {source}"[problem.span.column - 1 : problem.span.end_column - 1] == word
    if suggestion:
        assert problem.label is not None
        assert f"`{suggestion}`" in problem.label.en


def test_lines_count_from_the_top_of_the_file() -> None:
    source = '---\nsubject: "{{ member.nmae }}好"\npreheader: |\n  第一行\n  {{ member.ctiy }}\n---\n\n<p>{{ foo }}</p>'
    assert [problem.span.line for problem in errors_of(source, "email")] == [8, 2, 5]


def test_an_unknown_link_target() -> None:
    problem = only(errors_of("{{ link('shp') }}"))
    assert problem.code == "E405"
    assert problem.label is not None
    assert "`shop`" in problem.label.en


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("{{ member.name", "E402"),
        ("{% if member.name %}x", "E402"),
        ("{% endif %}", "E402"),
        ("{{ member.name | upper }}", "E406"),
        ("{{ member.name | cut }}", "E406"),
        ("{{ member.name | cut(1, 2) }}", "E406"),
        ("{{ member.name is nonsense }}", "E402"),
        ("{{ link(member.name) }}", "E403"),
        ("{{ link() }}", "E403"),
        ("{{ link(target='shop') }}", "E403"),
        ("{{ survey_link(1, 2) }}", "E403"),
        ("{{ open('x') }}", "E403"),
        ("{{ member.name.upper() }}", "E403"),
        ("{% include 'x' %}", "E403"),
        ("{% extends 'x' %}", "E403"),
        ("{% import 'x' as x %}", "E403"),
        ("{% macro m() %}{% endmacro %}", "E403"),
        ("{% for a in options recursive %}{{ loop(a) }}{% endfor %}", "E403"),
        ("{{ member.name ~ 'x' }}", "E403"),
        ("{{ 2 ** 9 }}", "E403"),
        ("{{ member.__class__ }}", "E403"),
        ("{{ _printer }}", "E403"),
        ("{% for a in options %}" * 3 + "{% endfor %}" * 3, "E403"),
        ("x" * 100_001, "E400"),
        ("", "E408"),
        ("---\nkind: text\n", "E400"),
        ("---\nkind: carousel\n---\n您好", "E408"),
        ("---\nknid: text\n---\n您好", "E401"),
        ("---\nkind: [text]\n---\n您好", "E400"),
        ("---\n- text\n---\n您好", "E400"),
        ("---\ntemplate_message: { id: TM_1 }\n---\n您好", "E408"),
        ("---\ntemplate_message: { id: TM_1, dta: {}, data: { thing1: 好 } }\n---\n您好", "E401"),
        ("---\ntemplate_message: yes\n---\n您好", "E400"),
    ],
)
def test_mistakes_of_form(source: str, code: str) -> None:
    assert code in {problem.code for problem in errors_of(source)}


def test_a_syntax_error_has_its_line() -> None:
    assert only(errors_of("一\n二\n{% if member.name %}\n四")).span.line == 3
    assert only(errors_of("一\n二\n{{ member.name | }}\n四")).span.line == 3


def test_broken_front_matter_has_its_line() -> None:
    problem = errors_of("---\nsms_template: SMS_1\nparams: { name: {{ member.name }} }\n---\n您好", "sms")[0]
    assert problem.span.line == 3


@pytest.mark.parametrize(("channel", "key"), [("email", "subject"), ("sms", "sms_template")])
def test_what_a_channel_demands(channel: str, key: str) -> None:
    problem = only(errors_of("您好", channel))
    assert problem.code == "E408"
    assert key in problem.message.zh


def test_a_layout_that_is_not_there() -> None:
    problem = only(errors_of("---\nsubject: 好\nlayout: brnd\n---\n您好", "email"))
    assert (problem.code, problem.span.line) == ("E408", 3)


@pytest.mark.parametrize("layout", ["<p>{{ content }}</p>", "<p>{{ unsubscribe_url }}</p>"])
def test_a_layout_shows_the_words_and_the_way_out(layout: str) -> None:
    _, problems = Library.read({"templates/layouts/brand.email.j2": layout}, a_catalog())
    assert only(problems).code == "E408"


@pytest.mark.parametrize(
    "path",
    [
        "templates/welcome.j2",
        "templates/welcome.smss.j2",
        "templates/a/welcome.sms.j2",
        "templates/.sms.j2",
        "templates/v.2.sms.j2",
    ],
)
def test_a_file_name_says_name_and_channel(path: str) -> None:
    library, problems = Library.read({path: SMS}, a_catalog())
    assert only(problems).code == "E407"
    assert library.templates == {}


def test_other_files_are_passed_over() -> None:
    assert Library.read({"journeys/x.yaml": "{{", "templates/readme.txt": "{{", "README.md": ""}, a_catalog())[1] == []


def test_a_template_with_an_error_is_left_out_and_its_neighbours_stay() -> None:
    library, problems = a_library(good_wechat="好", bad_wechat="{{ foo }}")
    assert library.find("good", "wechat") is not None
    assert library.find("bad", "wechat") is None
    assert library.names() == {"good", "bad"}  # one mistake is one problem: nobody is told that `bad` does not exist
    assert len(problems) == 1


def test_finding_templates() -> None:
    library, _ = a_library(welcome_wechat="好", welcome_sms=SMS)
    assert library.channels_of("welcome") == {"wechat", "sms"}
    assert library.find("welcome", "email") is None
    assert library.channels_of("nothing") == frozenset()


def test_an_ask_prefers_the_words_of_its_own_step() -> None:
    sources = {
        "templates/ask-nps.wechat.j2": "{{ question }}",
        "templates/ask-nps.email.j2": "---\nsubject: 好\n---\n{{ question }}",
        "templates/nps_vip.wechat.j2": "尊敬的茶友，{{ question }}",
    }
    library, problems = Library.read(sources, a_catalog())
    assert problems == []
    found = [library.for_ask(step, Survey.NPS, "wechat") for step in ("nps_vip", "nps")]
    assert [template.name for template in found if template] == ["nps_vip", "ask-nps"]
    assert library.ask_channels("nps_vip", Survey.NPS) == {"wechat", "email"}
    assert library.for_ask("nps", Survey.CSAT, "wechat") is None


def test_every_message_has_both_languages() -> None:
    for problem in problems_of("{{ foo }}{{ link('x') }}{{ member.x | foo }}"):
        assert problem.message.en
        assert problem.message.zh != problem.message.en
        assert problem.severity is Severity.ERROR
