"""The consent column."""

from __future__ import annotations

import pytest
from exchange_builders import CATALOG

from engage.core.problem import Said
from engage.exchange.consents import consents_text, read_consents

ON_ROW = ["sms", "email"]
EVERY_MARKETING = {(topic, channel) for topic in ("survey", "lifecycle", "marketing") for channel in ON_ROW}


@pytest.mark.parametrize(
    ("text", "granted"),
    [
        ("", set()),
        ("  ", set()),
        ("marketing:sms", {("marketing", "sms")}),
        ("marketing:sms+email+wechat", {("marketing", "sms"), ("marketing", "email"), ("marketing", "wechat")}),
        ("marketing:短信、邮件", {("marketing", "sms"), ("marketing", "email")}),
        ("marketing: SMS , email", {("marketing", "sms"), ("marketing", "email")}),
        ("活动与优惠：微信", {("marketing", "wechat")}),
        ("survey:all", {("survey", "sms"), ("survey", "email")}),
        ("survey:全部", {("survey", "sms"), ("survey", "email")}),
        ("survey:yes", {("survey", "sms"), ("survey", "email")}),
        ("service:sms;survey:email;", {("service", "sms"), ("survey", "email")}),
        ("marketing:sms；survey:all", {("marketing", "sms"), ("survey", "sms"), ("survey", "email")}),
        ("yes", EVERY_MARKETING),
        ("是", EVERY_MARKETING),
        ("Y", EVERY_MARKETING),
        ("１", EVERY_MARKETING),
        ("同意", EVERY_MARKETING),
    ],
)
def test_what_is_granted(text: str, granted: set[tuple[str, str]]) -> None:
    assert read_consents(text, CATALOG.topics, ON_ROW) == dict.fromkeys(granted, True)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("no", EVERY_MARKETING),
        ("否", EVERY_MARKETING),
        ("不同意", EVERY_MARKETING),
        ("marketing:no", {("marketing", "sms"), ("marketing", "email")}),
        ("!marketing:sms", {("marketing", "sms")}),
        ("!marketing:all", {("marketing", "sms"), ("marketing", "email")}),
        ("！活动与优惠：短信", {("marketing", "sms")}),
    ],
)
def test_what_is_refused(text: str, refused: set[tuple[str, str]]) -> None:
    assert read_consents(text, CATALOG.topics, ON_ROW) == dict.fromkeys(refused, False)


def test_yes_without_an_address_grants_nothing() -> None:
    assert read_consents("是", CATALOG.topics, []) == {}


@pytest.mark.parametrize("text", ["marketing", "marketing:", "maybe", "sms", ":sms", "newsletter:sms", "是的呢", "!"])
def test_what_cannot_be_read_grants_nothing(text: str) -> None:
    assert isinstance(read_consents(text, CATALOG.topics, ON_ROW), Said)


def test_what_is_written_is_read_back() -> None:
    on_file = [("marketing", "sms", True), ("marketing", "email", True), ("marketing", "wechat", False)]
    text = consents_text([*on_file, ("survey", "sms", False)])
    assert text == "marketing:sms+email;!marketing:wechat;!survey:sms"
    assert read_consents(text, CATALOG.topics, []) == {
        **{(topic, channel): granted for topic, channel, granted in on_file},
        ("survey", "sms"): False,
    }
