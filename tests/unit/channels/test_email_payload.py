"""The mail as text: headers, both parts, and the addresses that find a delivery again."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from email import message_from_string, policy
from email.message import EmailMessage
from typing import Any

import pytest
from channel_messages import a_message
from hypothesis import given
from hypothesis import strategies as st

from engage.channels.composing import Uncomposable
from engage.channels.contract import Payload
from engage.channels.email.address import Envelopes, Mailbox, parse_mailbox, to_wire
from engage.channels.email.errors import Stage, rejected
from engage.channels.email.payload import compose
from engage.core.catalog import TopicClass
from engage.core.outcome import Failure

ENVELOPES = Envelopes("bounce.example.com", "k" * 40)
SENDER = Mailbox("山野茶事", "hello@example.com")


def a_mail(body: str = "<p>您好</p>", **changes: Any) -> Payload:
    given: dict[str, Any] = {"address": "zhang@example.net", "mode": "email", "subject": "您好", "plain": "您好"}
    return compose(a_message(body, **(given | changes)), SENDER, ENVELOPES, Decimal("0.001"))


def parsed(payload: Payload) -> EmailMessage:
    mail = message_from_string(payload.data["mime"], policy=policy.default)
    assert isinstance(mail, EmailMessage)
    assert not mail.defects
    return mail


def test_headers() -> None:
    mail = parsed(a_mail())
    assert str(mail["From"]) == "山野茶事 <hello@example.com>"
    assert mail["To"] == "zhang@example.net"
    assert mail["Subject"] == "您好"
    assert mail["Message-ID"] == ENVELOPES.message_id(42)
    assert mail["Date"] == "Mon, 23 Nov 2026 02:00:00 +0000"
    assert mail["Reply-To"] is None
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]


def test_the_envelope_names_the_delivery() -> None:
    payload = a_mail()
    assert payload.data["mail_from"] == ENVELOPES.sender(42)
    assert payload.data["rcpt_to"] == "zhang@example.net"
    assert payload.text == "您好\n\n您好"
    assert payload.cost == Decimal("0.001")


def test_a_long_unsubscribe_link_stays_readable() -> None:
    """The standard library would fold it as an encoded word, which no mail client reads."""
    url = "https://engage.example.com/u/" + "A1b2" * 40
    lines = a_mail(unsubscribe_url=url).data["mime"].split("\r\n")
    assert f"List-Unsubscribe: <{url}>" in lines
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in lines


def test_marketing_says_so_at_the_front_of_the_subject() -> None:
    payload = a_mail(topic_class=TopicClass.MARKETING, subject="老周的茶")
    assert parsed(payload)["Subject"] == "「广告」老周的茶"
    assert payload.text.startswith("「广告」老周的茶\n")


def test_every_line_is_ascii_and_short_enough() -> None:
    mime = a_mail("<p>" + "茶" * 5000 + "</p>", subject="很长的主题" * 30).data["mime"]
    assert mime.isascii()
    assert max(len(line) for line in mime.split("\r\n")) <= 998
    assert "\n" not in mime.replace("\r\n", "")


@given(st.text(min_size=1, max_size=60))
def test_a_subject_arrives_as_written_or_is_refused(subject: str) -> None:
    control = any(unicodedata.category(character) in {"Cc", "Zl", "Zp"} for character in subject.strip())
    try:
        mail = parsed(a_mail(subject=subject))
    except Uncomposable:
        assert control or not subject.strip()
    except UnicodeEncodeError:
        pytest.fail("a subject that cannot be encoded must be refused")
    else:
        assert not control
        assert set(mail.keys()) == {
            *("To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post", "From"),
            *("MIME-Version", "Content-Type"),
        }


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "您好\r\nBcc: all@example.net"},
        {"subject": "您好\nX"},
        {"subject": "您好\0"},
        {"subject": "您好\x85X"},
        {"subject": "您好\u2028X"},
        {"subject": None},
        {"subject": "  "},
        {"unsubscribe_url": "https://茶.中国/u/x"},
        {"unsubscribe_url": "https://x/\r\nBcc: all@example.net"},
        {"address": "zhang@example.net\r\nBcc: all@example.net"},
        {"address": "zhang@example.net>, <all@example.net"},
        {"address": "张@example.net"},
    ],
)
def test_a_forged_header_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Uncomposable):
        a_mail(**changes)


@pytest.mark.parametrize(
    ("address", "wire"),
    [
        ("zhang@example.net", "zhang@example.net"),
        ("zhang.san+tea@mail.example.com.cn", "zhang.san+tea@mail.example.com.cn"),
        ("zhang@例子.中国", "zhang@xn--fsqu00a.xn--fiqs8s"),
        ("张@例子.中国", None),
        ("zhang@localhost", None),
        ("@example.net", None),
        ("zhang@", None),
        ("zhang", None),
        ("a b@example.net", None),
        (".a@example.net", None),
        ("a..b@example.net", None),
        ("a@exa_mple.net", None),
        ("a@-x.net", None),
        ("a@x..net", None),
        (f"{'a' * 65}@example.net", None),
        ("a@example.net\n", None),
    ],
)
def test_addresses(address: str, wire: str | None) -> None:
    assert to_wire(address) == wire


@pytest.mark.parametrize("text", ["山野茶事 <hello@example.com>", '"山野茶事" <hello@example.com>'])
def test_a_sender_with_a_name(text: str) -> None:
    assert parse_mailbox(text) == SENDER


def test_a_sender_that_is_none() -> None:
    assert parse_mailbox("山野茶事") is None


@given(st.integers(0, 2**63 - 1))
def test_a_delivery_is_found_again_in_its_addresses(delivery_id: int) -> None:
    sender = ENVELOPES.sender(delivery_id)
    assert to_wire(sender) == sender.lower()  # no mail server finds it too long, or loses what it says
    assert ENVELOPES.delivery_id(sender) == ENVELOPES.delivery_id(sender.upper()) == delivery_id
    assert ENVELOPES.delivery_id(f"<{ENVELOPES.message_id(delivery_id)}>") == delivery_id
    assert ENVELOPES.delivery_id(f"x{sender}") is None


@pytest.mark.parametrize(
    ("stage", "code", "text", "failure"),
    [
        (Stage.RECIPIENT, 550, "5.1.1 unknown", Failure.INVALID_ADDRESS),
        (Stage.RECIPIENT, 550, "5.1.10 null MX", Failure.INVALID_ADDRESS),
        (Stage.RECIPIENT, 553, "no such mailbox", Failure.INVALID_ADDRESS),
        (Stage.RECIPIENT, 552, "5.2.2 over quota", Failure.UNREACHABLE),
        (Stage.RECIPIENT, 550, "5.7.1 blocked by the reader", Failure.UNREACHABLE),
        (Stage.RECIPIENT, 451, "4.3.0 try later", Failure.NOT_NOW),
        (Stage.SENDER, 550, "5.7.1 not yours to use", Failure.CONFIGURATION),
        (Stage.SENDER, 550, "5.1.7 bad sender", Failure.CONFIGURATION),
        (Stage.CONTENT, 550, "5.7.1 spam", Failure.CONTENT),
        (Stage.CONTENT, 552, "5.3.4 too big", Failure.CONTENT),
        (Stage.CONTENT, 554, "transaction failed", Failure.CONTENT),
        (Stage.CONTENT, 535, "5.7.8 credentials", Failure.CONFIGURATION),
        (Stage.CONNECTION, 554, "no", Failure.PROVIDER_ERROR),
        (Stage.CONNECTION, 421, "busy", Failure.THROTTLED),
        (Stage.RECIPIENT, -1, "gibberish", Failure.PROVIDER_ERROR),
    ],
)
def test_refusals(stage: Stage, code: int, text: str, failure: Failure) -> None:
    assert rejected(stage, code, text).failure is failure
