"""SMS: the body is the approved text, and it keeps the rules of the mainland."""

from __future__ import annotations

import pytest
from content_builders import a_catalog, a_library, a_template, errors_of, problems_of

from engage.content.library import Library
from engage.content.sms_rules import approved_text, sms_problems, typical_length
from engage.core.catalog import TopicClass
from engage.core.problem import Severity


def an_sms(body: str, params: str = 'name: "{{ member.name }}"', code: str = "SMS_1") -> str:
    return f"---\nsms_template: {code}\nparams: {{ {params} }}\n---\n{body}"


def test_the_approved_text_has_the_providers_variables() -> None:
    source = an_sms(
        "{{ member.name }}，您打了{{nps.score}}分，{{ member.name }}。拒收请回复R",
        'name: "{{ member.name }}", score: "{{ nps.score }}", city: 福州',
    )
    assert approved_text(a_template(source, "sms")) == "${name}，您打了${score}分，${name}。拒收请回复R"


def test_the_library_tells_every_approved_text() -> None:
    library, problems = a_library(welcome_sms=an_sms("{{ member.name }}好"), bye_sms=an_sms("再见", code="SMS_2"))
    assert problems == []
    assert library.approved_sms() == {"SMS_1": "${name}好", "SMS_2": "再见"}


@pytest.mark.parametrize(
    ("body", "code", "line"),
    [
        ("【山野茶事】您好", "E411", 5),
        ("您好\n【山野茶事】", "E411", 6),
        ("点这里{{ link('shop') }}", "E412", 5),
        ("点这里{{ survey_link() }}", "E412", 5),
        ("您好\n{{ member.city }}", "E414", 6),
        ("{% if member.city %}您好{% endif %}", "E414", 5),
    ],
)
def test_what_no_provider_would_send(body: str, code: str, line: int) -> None:
    found = {(problem.code, problem.span.line) for problem in errors_of(an_sms(body), "sms")}
    assert (code, line) in found


def test_a_link_in_a_parameter_is_refused_too() -> None:
    source = an_sms("看{{ link('shop') }}", "url: \"{{ link('shop') }}\"")
    assert "E412" in {problem.code for problem in errors_of(source, "sms")}


def test_a_second_segment_is_a_warning() -> None:
    exact, longer = "字" * 64, "字" * 65
    assert typical_length(exact, "山野茶事") == 70
    assert problems_of(an_sms(exact), "sms") == []
    (problem,) = problems_of(an_sms(longer), "sms")
    assert (problem.code, problem.severity) == ("E413", Severity.WARNING)


@pytest.mark.parametrize(
    ("body", "topic_class", "faults"),
    [
        ("您好。拒收请回复R", TopicClass.MARKETING, 0),
        ("您好。", TopicClass.MARKETING, 1),
        ("您好。拒收请回复R谢谢", TopicClass.MARKETING, 1),
        ("您好。", TopicClass.SERVICE, 0),
    ],
)
def test_marketing_tells_the_way_to_refuse(body: str, topic_class: TopicClass, faults: int) -> None:
    template = a_template(an_sms(body), "sms")
    assert len(list(sms_problems(template, topic_class))) == faults


def test_one_provider_id_has_one_text() -> None:
    bodies = {"a": "您好", "b": "您好", "c": "再见"}
    _, problems = Library.read({f"templates/{name}.sms.j2": an_sms(body) for name, body in bodies.items()}, a_catalog())
    places = [(problem.code, problem.span.file, problem.span.line) for problem in problems]
    assert places == [("E414", "templates/c.sms.j2", 2)]
