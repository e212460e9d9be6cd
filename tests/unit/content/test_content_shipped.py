"""What ships: the journeys, their templates for every channel, and the tone of the copy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from content_builders import NOW, shipped_sources, some_links

from engage.content.project import Project, read_project
from engage.content.render import Missing, render
from engage.content.template import CHANNELS, Template
from engage.core.catalog import TopicClass
from engage.core.journey.check import every_step
from engage.core.journey.model import Ask, Journey, Send, Survey
from engage.core.reply import offered_words
from engage.core.words import Rendered


@cache
def project() -> Project:
    read, problems = read_project(shipped_sources())
    assert problems == []
    assert read is not None
    return read


def templates() -> list[Template]:
    return [template for _, template in sorted(project().library.templates.items())]


def sendings() -> Iterator[tuple[Journey, Send | Ask, str]]:
    """Every message step, with each channel it may use."""
    for journey in project().journeys.values():
        for step in every_step(journey.steps):
            if isinstance(step, Send | Ask):
                policy = step.channels or journey.channels
                for channel in policy.order or CHANNELS:
                    yield journey, step, channel


def words_for(journey: Journey, step: Send | Ask, channel: str) -> Template | None:
    library = project().library
    if isinstance(step, Ask):
        return library.for_ask(step.id, step.survey, channel)
    return library.for_send(step, journey, channel)


def topic_class(journey: Journey, step: Send | Ask) -> TopicClass:
    return project().catalog.topics[step.topic or journey.topic].topic_class


MINIMAL: dict[str, Any] = {
    "member": {},
    "brand": {"name": "山野茶事"},
    "now": NOW,
    "question": "您有多大可能把山野茶事推荐给朋友或同事？",
    "options": ("岩茶", "红茶"),
    "nps": {"score": 9},
}
FULL: dict[str, Any] = {
    **MINIMAL,
    "member": {
        "name": "王芳",
        "city": "福州",
        "spent": Decimal("1268.0000"),
        "last_order_at": datetime(2026, 8, 1, tzinfo=UTC),
    },
    "event": {"calendar": "lunar", "lunar_text": "八月十五", "age": 30},
    "var": {"why": "NPS 贬损者", "score": "3", "comment": "包装破了两次"},
    "nps": {"score": 9, "comment": "茶很好"},
    "journey": {"id": "nps", "title": "NPS 回访"},
}
BLANK = {**FULL, "member": {"name": None}, "var": {"comment": "—"}, "nps": {"score": 9, "comment": float("nan")}}


def rendered(template: Template, context: dict[str, Any]) -> Rendered:
    found = render(template, context, some_links())
    assert isinstance(found, Rendered), (template.name, template.channel, found)
    return found


def readable(words: Rendered) -> str:
    """All that a member reads of it."""
    notice = words.front.get("template_message", {}).get("data", {})
    return "\n".join([words.subject or "", words.preheader or "", words.plain or words.body, *notice.values()])


def test_the_shipped_project_has_no_problems() -> None:
    assert sorted(project().journeys) == [
        "birthday",
        "nps",
        "onboarding_90d",
        "refill_hard",
        "service_recovery",
        "welcome",
        "winback",
    ]


def test_every_message_has_words_for_every_channel_it_may_use() -> None:
    missing = [(j.id, s.id, channel) for j, s, channel in sendings() if words_for(j, s, channel) is None]
    assert missing == []
    library = project().library
    for survey in Survey:
        assert library.channels_of(f"ask-{survey}") == set(CHANNELS)
    for name in ("ask-comment", "optout-confirm"):
        assert library.channels_of(name) == {"wechat", "sms"}


@pytest.mark.parametrize("context", [MINIMAL, FULL, BLANK], ids=["minimal", "full", "blank"])
def test_every_template_renders(context: dict[str, Any]) -> None:
    for template in templates():
        text = readable(rendered(template, context))
        assert not re.search(r"None|nan|\{\{|\{%|—，|“”|  ，", text), (template.name, text)


def test_members_without_a_name_are_called_by_the_default() -> None:
    for template in templates():
        if "member.name" in {str(used) for used, _ in template.used()}:
            assert "茶友" in readable(rendered(template, BLANK))


def test_an_answer_that_is_missing_stops_the_message() -> None:
    template = project().library.find("nps_passive", "wechat")
    assert template is not None
    found = render(template, {**FULL, "nps": {}}, some_links())
    assert isinstance(found, Missing)
    assert found.names == ("nps.score",)


def test_the_tone_is_calm() -> None:
    for template in templates():
        text = readable(rendered(template, FULL))
        assert not re.search(r"[!！]|亲[，,]|速来|抢购|最后机会|点击领取|仅限", text), (template.name, template.channel)


def test_every_sms_is_one_segment() -> None:
    for template in templates():
        if template.channel == "sms":
            assert len("【山野茶事】" + rendered(template, FULL).body) <= 70, template.name


def test_an_sms_refuses_or_not_by_its_topic() -> None:
    """拒收请回复R stands where it is true: a reply R stops everything but service messages."""
    for journey, step, channel in sendings():
        template = words_for(journey, step, channel)
        if channel == "sms" and template is not None:
            ends = template.body.source.endswith("拒收请回复R")
            assert ends == (topic_class(journey, step) is TopicClass.MARKETING), template.name


def test_template_messages_are_for_service_only() -> None:
    """Marketing in a template message gets the template banned (errcode 40249)."""
    for journey, step, channel in sendings():
        template = words_for(journey, step, channel)
        if channel == "wechat" and template is not None:
            is_service = topic_class(journey, step) is TopicClass.SERVICE
            assert ("template_message" in template.front) == is_service, template.name


def test_template_message_fields_keep_wechats_limits() -> None:
    for template in templates():
        for value in rendered(template, FULL).front.get("template_message", {}).get("data", {}).values():
            assert 0 < len(value) <= 20
            assert not re.search(r"\n|券|优惠|立减|赠|送", value), (template.name, value)


def test_a_question_offers_no_menu_word() -> None:
    """A digit that is both an answer and a menu word could not be told apart."""
    for template in templates():
        if template.name.startswith("ask-"):
            assert offered_words(rendered(template, FULL).body) == ()


@pytest.mark.parametrize(("survey", "span"), [("nps", "0-10"), ("csat", "1-5")])
@pytest.mark.parametrize("channel", ["wechat", "sms"])
def test_a_score_question_says_how_to_answer(survey: str, span: str, channel: str) -> None:
    template = project().library.find(f"ask-{survey}", channel)
    assert template is not None
    text = rendered(template, FULL).body
    assert FULL["question"] in text
    assert re.search(rf"回复 ?{span}", text)


@pytest.mark.parametrize(("survey", "low", "high"), [("nps", 0, 10), ("csat", 1, 5)])
def test_a_score_mail_has_a_button_for_each_score(survey: str, low: int, high: int) -> None:
    template = project().library.find(f"ask-{survey}", "email")
    assert template is not None
    mail = rendered(template, FULL)
    found = [int(score) for score in re.findall(r'href="https://engage\.example/s/[\w-]+\?score=(\d+)"', mail.body)]
    assert found == list(range(low, high + 1))
    assert [int(score) for score in re.findall(r"\?score=(\d+)\n", mail.plain or "")] == found


def test_every_mail_is_made_for_a_phone() -> None:
    for template in templates():
        if template.channel == "email":
            mail = rendered(template, FULL)
            assert "max-width: 600px" in mail.body
            assert "prefers-color-scheme: dark" in mail.body
            assert 'href="https://engage.example/u/' in mail.body
            assert "退订：https://engage.example/u/" in (mail.plain or "")
            assert len(mail.body.encode()) < 15_000
            assert not re.search(r'(?:src|href)="(?!https://engage\.example/)', mail.body)


def test_text_parts_keep_every_link() -> None:
    for template in templates():
        if template.channel == "email":
            mail = rendered(template, FULL)
            for link in re.findall(r'href="([^"]+)"', mail.body):
                assert link in (mail.plain or ""), template.name


def test_the_providers_texts_are_all_there() -> None:
    approved = project().library.approved_sms()
    sms = [template for template in templates() if template.channel == "sms"]
    assert len(approved) == len(sms)
    for template in sms:
        filled = approved[template.front["sms_template"]]
        for name, value in rendered(template, FULL).front.get("params", {}).items():
            filled = filled.replace(f"${{{name}}}", value)
        assert filled == rendered(template, FULL).body


def test_every_link_target_leads_somewhere() -> None:
    assert all(url.startswith("https://") for url in project().catalog.brand.links.values())
