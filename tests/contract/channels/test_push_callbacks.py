"""Callbacks without a signature: Aliyun's pushes and the mail server's posts."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from channel_rigs import EMAIL, NAMED, NOW, SIGNING_KEY, SMS, WECHAT, config_of
from hypothesis import given
from hypothesis import strategies as st

from engage.channels.contract import CallbackRequest, CallbackSource, Received, Refused
from engage.channels.email.address import Envelopes
from engage.channels.registry import build_sources
from engage.core.fact import UNTOLD, Arrival, Fact, OptedOut, Receipt, Typed
from engage.core.outcome import Failure
from engage.core.signing import Signer

SOURCES = build_sources(config_of(wechat=WECHAT, sms=SMS, email=EMAIL | {"port": 25}))
ALIYUN, MAIL = SOURCES["aliyun_sms"], SOURCES["email"]
SECRET = {"aliyun_sms": "sms-callback-canary", "email": "mail-callback-canary"}
REPORT = {
    "phone_number": "13800138000",
    "send_time": "2026-11-23 10:00:00",
    "report_time": "2026-11-23 10:00:07",
    "success": True,
    "err_code": "DELIVERED",
    "err_msg": "用户接收成功",
    "sms_size": "1",
    "biz_id": "900619746936498440^0",
    "out_id": "123456789012345",
}
REPLY = {
    "phone_number": "13800138000",
    "content": "R",
    "send_time": "2026-11-23 10:05:00",
    "dest_code": "106900001234",
    "sequence_id": "1234567890",
}
REPORTED_AT = datetime(2026, 11, 23, 2, 0, 7, tzinfo=UTC)  # the push says Beijing time


def post(source: CallbackSource, body: bytes, secret: str | None = None) -> CallbackRequest:
    return CallbackRequest("POST", SECRET[source.name] if secret is None else secret, {}, {}, body)


def push(*items: object) -> Received:
    opened = ALIYUN.open(post(ALIYUN, json.dumps(items).encode()), NOW)
    assert isinstance(opened, Received)
    return opened


def told(item: object) -> tuple[Fact, ...]:
    (record,) = push(item).records
    return ALIYUN.facts(record.body)


def test_the_registry_names_every_source() -> None:
    assert list(SOURCES) == ["wechat", "aliyun_sms", "email"]


@pytest.mark.parametrize("source", [ALIYUN, MAIL], ids=lambda source: source.name)
@pytest.mark.parametrize("secret", ["", "wrong", "SMS-CALLBACK-CANARY", "é", "\ud800", "x" * 10_000])
def test_a_wrong_secret_looks_like_an_unknown_path(source: CallbackSource, secret: str) -> None:
    assert source.open(post(source, b"[]", secret), NOW) == Refused(404, "the secret in the path is wrong")


@pytest.mark.parametrize("source", [ALIYUN, MAIL], ids=lambda source: source.name)
def test_only_posts_of_a_sane_size_are_read(source: CallbackSource) -> None:
    assert source.open(post(source, b"[]")._replace(method="GET"), NOW) == Refused(405, "GET is not answered here")
    refused = source.open(post(source, b"[" + b" " * 2_000_000 + b"]"), NOW)
    assert isinstance(refused, Refused)
    assert refused.status == 413


# --- Aliyun ---


def test_a_push_is_answered_as_aliyun_asks() -> None:
    opened = push(REPORT)
    assert json.loads(opened.answer) == {"code": 0, "msg": "接收成功"}
    assert opened.media_type == "application/json"


def test_several_items_in_one_push_are_several_records() -> None:
    other = REPORT | {"phone_number": "13900139000"}
    keys = [record.key for record in push(REPORT, other, REPLY).records]
    assert keys == [
        "report:900619746936498440^0:13800138000:DELIVERED",
        "report:900619746936498440^0:13900139000:DELIVERED",
        "up:1234567890",
    ]


def test_a_repeated_push_has_the_same_keys() -> None:
    assert push(REPORT, REPLY).records == push(REPORT, REPLY).records
    number = push(REPLY | {"sequence_id": 1234567890}).records[0]
    assert number.key == "up:1234567890"  # a string now, a number once


def test_a_delivered_report_names_its_delivery() -> None:
    assert told(REPORT) == (
        Receipt(
            "sms",
            Arrival.DELIVERED,
            REPORTED_AT,
            delivery_id=123456789012345,
            provider_id="900619746936498440^0",
            address="+8613800138000",
            code="DELIVERED",
        ),
    )


@pytest.mark.parametrize(
    ("code", "failure"),
    [
        ("MK:0001", Failure.INVALID_ADDRESS),
        ("UNDELIV", Failure.UNREACHABLE),
        ("EXPIRED", Failure.UNREACHABLE),
        ("MK:0010", Failure.UNREACHABLE),
        ("MBBLACK", Failure.OPTED_OUT),
        ("DBBLACK", Failure.OPTED_OUT),
        ("SOMETHING:ELSE", Failure.UNREACHABLE),
        (None, Failure.UNREACHABLE),
    ],
)
def test_a_failed_report_has_its_class(code: str | None, failure: Failure) -> None:
    (fact,) = told(REPORT | {"success": False, "err_code": code})
    assert isinstance(fact, Receipt)
    assert (fact.arrival, fact.failure, fact.code) == (Arrival.BOUNCED, failure, code or "")


def test_a_masked_number_and_a_foreign_out_id_still_make_a_receipt() -> None:
    (fact,) = told(REPORT | {"phone_number": "1381111****", "out_id": "order-7"})
    assert isinstance(fact, Receipt)
    assert (fact.address, fact.delivery_id, fact.provider_id) == (None, None, "900619746936498440^0")


@pytest.mark.parametrize("out_id", ["9223372036854775808", "9" * 40, "-1", "１２", "1.0"])
def test_an_out_id_that_cannot_be_ours_names_no_delivery(out_id: str) -> None:
    (fact,) = told(REPORT | {"out_id": out_id})
    assert isinstance(fact, Receipt)
    assert fact.delivery_id is None


def test_what_no_database_can_store_is_left_out() -> None:
    (fact,) = told(REPLY | {"content": "好\0的\ud800\\u0000"})
    assert isinstance(fact, Typed)
    assert fact.text == "好的?\\u0000"


def test_a_reply_is_words_typed() -> None:
    at = datetime(2026, 11, 23, 2, 5, tzinfo=UTC)
    assert told(REPLY) == (Typed("sms", "+8613800138000", "R", at),)


def test_an_item_of_another_kind_is_kept_and_says_nothing() -> None:
    assert told({"signature_status": "ok"}) == ()


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[1]", b"[[]]", b"null", b"\xff", b"[" * 50_000, b'{"phone_number": "1"}']
)
def test_a_malformed_push_is_refused(body: bytes) -> None:
    assert ALIYUN.open(post(ALIYUN, body), NOW) == Refused(400, "not a JSON array of reports or replies")


@pytest.mark.parametrize("body", ["", "[]", "{", json.dumps(REPLY | {"phone_number": "x"})])
def test_an_unreadable_item_is_a_value_error(body: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        ALIYUN.facts(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*REPORT, *REPLY]), inner, max_size=6),
    max_leaves=12,
)


@given(st.lists(st.dictionaries(st.sampled_from([*REPORT, *REPLY]), JSON, max_size=9), max_size=3))
def test_no_push_raises_anything_but_value_error(items: list[dict[str, object]]) -> None:
    for record in push(*items).records:
        assert len(record.key) <= 200
        assert "\0" not in record.body
        (record.key + record.body).encode()  # what cannot be encoded cannot be stored
        try:
            ALIYUN.facts(record.body)
        except ValueError:
            continue


# --- the mail server ---

DSN = """\
From: Mail Delivery System <MAILER-DAEMON@mx.example.net>
To: {to}
Subject: Undelivered Mail Returned to Sender
Date: Mon, 23 Nov 2026 10:00:07 +0800
Message-ID: <20261123@mx.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B"

--B
Content-Type: text/plain; charset=utf-8

I'm sorry to have to inform you that your message could not be delivered.
--B
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Mon, 23 Nov 2026 10:00:00 +0800

Final-Recipient: rfc822; Zhang@example.net
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 no such user

--B
Content-Type: text/rfc822-headers

From: hello@example.com
To: zhang@example.net
Message-ID: {returned}
--B--
"""
VERP = NAMED.sender(123456789012345)


def bounce(to: str = VERP, action: str = "failed", status: str = "5.1.1", returned: str = "<x@y>") -> str:
    return DSN.format(to=to, action=action, status=status, returned=returned).replace("\n", "\r\n")


def read(mail: str) -> tuple[Fact, ...]:
    opened = MAIL.open(post(MAIL, mail.encode()), NOW)
    assert isinstance(opened, Received)
    (record,) = opened.records
    return MAIL.facts(record.body)


BOUNCED = Receipt(
    "email",
    Arrival.BOUNCED,
    REPORTED_AT,
    delivery_id=123456789012345,
    address="zhang@example.net",
    failure=Failure.INVALID_ADDRESS,
    code="5.1.1",
)


def test_a_bounce_names_its_delivery_by_the_envelope_sender() -> None:
    assert read(bounce()) == (BOUNCED,)
    assert read(bounce(to=f"<{VERP.upper()}>")) == (BOUNCED,)


def test_a_bounce_names_its_delivery_by_the_returned_message_id() -> None:
    assert read(bounce(to="hello@example.com", returned=NAMED.message_id(123456789012345))) == (BOUNCED,)


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ("5.1.1", Failure.INVALID_ADDRESS),
        ("5.1.2", Failure.INVALID_ADDRESS),
        ("5.2.2", Failure.UNREACHABLE),
        ("4.2.2", Failure.UNREACHABLE),
        ("4.4.7", Failure.UNREACHABLE),
        ("5.7.1", Failure.CONTENT),
        ("5.0.0", Failure.UNREACHABLE),
        ("", Failure.UNREACHABLE),
    ],
)
def test_a_bounce_has_its_class(status: str, failure: Failure) -> None:
    (fact,) = read(bounce(status=status))
    assert isinstance(fact, Receipt)
    assert (fact.arrival, fact.failure, fact.code) == (Arrival.BOUNCED, failure, status)


def test_a_delay_is_not_a_bounce() -> None:
    (fact,) = read(bounce(action="delayed", status="4.4.1"))
    assert isinstance(fact, Receipt)
    assert (fact.arrival, fact.failure) == (Arrival.DEFERRED, None)


def test_a_delivery_confirmation() -> None:
    (fact,) = read(bounce(action="delivered", status="2.0.0"))
    assert isinstance(fact, Receipt)
    assert fact.arrival is Arrival.DELIVERED


@pytest.mark.parametrize(
    "mail",
    [
        bounce(to=VERP.replace("bounce.", "elsewhere.")),
        bounce(to=f"a{VERP}"),
        bounce(to=f"{VERP}.evil.example"),
        bounce(to="b+x@bounce.example.com"),
        bounce(action="relayed"),
        f"To: {VERP}\r\nSubject: Auto: 休假中\r\n\r\n我在休假\r\n",
        f"To: {VERP}\r\nContent-Type: multipart/report; boundary=B\r\n\r\n--B--\r\n",
        "nothing like a mail",
    ],
)
def test_what_is_no_report_of_ours_says_nothing(mail: str) -> None:
    assert read(mail) == ()


SIGNED = VERP.partition("-")[2].partition("@")[0]
FOR_A_LINK = Signer(SIGNING_KEY, "link unsubscribe").mac(b"123456789012345").hex()
FORGED = [
    "b+123456789012345@bounce.example.com",
    "b+123456789012345-@bounce.example.com",
    f"b+123456789012345-{SIGNED[:-1]}@bounce.example.com",
    f"b+123456789012345-{SIGNED}0@bounce.example.com",
    f"b+123456789012346-{SIGNED}@bounce.example.com",
    f"b+0123456789012345-{SIGNED}@bounce.example.com",
    f"b+123456789012345-{FOR_A_LINK}@bounce.example.com",
    Envelopes("bounce.example.com", "another signing key of 32 characters!").sender(123456789012345),
]


@pytest.mark.parametrize("name", FORGED)
def test_who_has_not_had_the_mail_reports_nothing_on_it(name: str) -> None:
    """Ids are easily guessed, and anybody can write to us."""
    assert read(bounce(to=name)) == ()
    assert read(bounce(to="hello@example.com", returned=f"<d{name.removeprefix('b+')}>")) == ()
    assert read(ARF.format(kind="abuse", verp=name, about="zhang@example.net")) == ()
    assert read(bounce(to=f"{name}, {VERP}")) == (BOUNCED,)


def nested(depth: int) -> bytes:
    head = bounce().partition("--B")[0].encode()
    return head + b"".join(
        b"--B%s\nContent-Type: multipart/mixed; boundary=B%d\n\n" % (b"" if n == 0 else b"%d" % n, n + 1)
        for n in range(depth)
    )


def with_type(content_type: bytes) -> bytes:
    return bounce().encode().replace(b"text/plain; charset=utf-8", content_type)


HEAVY = {
    "deep": nested(10) + b"\n" * 900_000,
    "deeper": nested(300) + b"\r" * 900_000,
    "mails in mails": with_type(b"message/rfc822").replace(b"I'm sorry", b"Content-Type: message/rfc822\n\n" * 30_000),
    "blocks": with_type(b"message/delivery-status").replace(b"I'm sorry", b"\n" * 900_000),
    "parameters": with_type(b"multipart/mixed" + b";a" * 300_000),
    "quotes": with_type(b'multipart/mixed; a="' + b";" * 900_000),
    "folded quotes": with_type(b'multipart/mixed; a="' + b";\n " * 300_000),
}


@pytest.mark.parametrize("mail", HEAVY.values(), ids=HEAVY)
def test_no_mail_takes_long_to_read(mail: bytes) -> None:
    """Where it is read whole, some take minutes."""
    opened = MAIL.open(post(MAIL, mail), NOW)
    assert isinstance(opened, Received)
    began = time.process_time()
    with suppress(ValueError):
        MAIL.facts(opened.records[0].body)
    assert time.process_time() - began < 0.5


def test_a_report_may_return_a_long_mail() -> None:
    part = "--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: 茶\r\n\r\n" + "long line\r\n" * 80_000
    assert read(bounce().replace("--B--", f"{part}\r\n--B--")) == (BOUNCED,)


ARF = """\
From: <abuse@example.net>
To: <fbl@example.com>
Date: Mon, 23 Nov 2026 10:00:07 +0800
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="B"

--B
Content-Type: text/plain

This is an email abuse report.
--B
Content-Type: message/feedback-report

Feedback-Type: {kind}
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <{verp}>
Original-Rcpt-To: <{about}>

--B
Content-Type: message/rfc822

From: hello@example.com
To: zhang@example.net
Subject: hi

hello
--B--
"""


def test_a_complaint_is_a_refusal() -> None:
    assert read(ARF.format(kind="abuse", verp=VERP, about="Zhang@example.net")) == (
        OptedOut("email", REPORTED_AT, "complaint", 123456789012345, "zhang@example.net"),
    )


def test_not_spam_is_no_complaint() -> None:
    assert read(ARF.format(kind="not-spam", verp=VERP, about="zhang@example.net")) == ()


def test_a_repeated_post_has_the_same_key_and_keeps_every_byte() -> None:
    body = b"To: a\r\n\r\n\xff\xfe\x80\0 caf\xc3\xa9"
    first, second = (MAIL.open(post(MAIL, body), NOW) for _ in range(2))
    assert first == second
    assert isinstance(first, Received)
    assert first.records[0].body.encode("latin-1") == body.replace(b"\0", b"")


def test_an_empty_post_is_refused() -> None:
    assert MAIL.open(post(MAIL, b" \r\n"), NOW) == Refused(400, "an empty body")


@pytest.mark.parametrize("when", ["soon", "", "0001-01-01 00:00:00", "1970-01-01 08:00:00", "9999-12-31 23:59:59"])
def test_a_report_whose_date_cannot_be_meant_is_read_without_it(when: str) -> None:
    (receipt,) = ALIYUN.facts(json.dumps(REPORT | {"report_time": when, "send_time": when}))
    assert receipt.at >= UNTOLD


def test_a_mail_without_a_date_is_read_without_it() -> None:
    undated = bounce().replace("Date: Mon, 23 Nov 2026 10:00:07 +0800\r\n", "").replace("10:00:00 +0800", "soon")
    assert [fact.at for fact in MAIL.facts(undated)] == [UNTOLD]


@given(st.binary(min_size=1, max_size=400))
def test_no_mail_raises_anything_but_value_error(noise: bytes) -> None:
    body = bounce().encode()
    for mail in (noise, body[:700] + noise + body[700:], noise + body):
        opened = MAIL.open(post(MAIL, mail), NOW)
        for record in opened.records if isinstance(opened, Received) else ():
            try:
                MAIL.facts(record.body)
            except ValueError:
                continue
