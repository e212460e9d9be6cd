"""Aliyun's wire form: everything in the query, an empty body, signed over exactly what is sent."""

from __future__ import annotations

from urllib.parse import urlsplit

from channel_rigs import Rig, a_message

from engage.channels.sms.signing import Call, Credentials, canonical_query, signed_headers
from engage.core.words import Rendered


def test_what_is_on_the_wire(sms_rig: Rig) -> None:
    sms_rig.channel.send(sms_rig.payload(), 5.0)
    (seen,) = sms_rig.server.seen
    assert seen.method == "POST"
    assert seen.body == b""
    assert seen.query == {
        "OutId": "123456789012345",
        "PhoneNumbers": "13800138000",
        "SignName": "山野茶事",
        "TemplateCode": "SMS_10001",
        "TemplateParam": '{"name":"王芳"}',
    }
    assert seen.headers["x-acs-action"] == "SendSms"
    assert seen.headers["x-acs-version"] == "2017-05-25"
    assert seen.headers["x-acs-date"] == "2026-11-23T02:00:00Z"  # of the injected clock


def test_the_signature_covers_the_query_and_host_as_sent(sms_rig: Rig) -> None:
    awkward = Rendered("您好", front={"sms_template": "SMS_1", "params": {"name": "a b+c*~/=&?#%é😀"}})
    sms_rig.channel.send(sms_rig.channel.compose(a_message("sms", "sms", rendered=awkward)), 5.0)
    (seen,) = sms_rig.server.seen
    assert urlsplit(seen.target).query == canonical_query(seen.query)
    assert seen.headers["host"] == urlsplit(sms_rig.server.url).netloc
    call = Call(
        seen.headers["host"],
        "SendSms",
        "2017-05-25",
        canonical_query(seen.query),
        a_message("sms", "sms").at,
        _nonce(seen.headers),
    )
    expected = signed_headers(call, Credentials("LTAI-key", "sms-secret-canary"))
    assert seen.headers["authorization"] == expected["authorization"]


def test_no_nonce_is_used_twice(sms_rig: Rig) -> None:
    for _ in range(3):
        sms_rig.channel.send(sms_rig.payload(), 5.0)
    assert len({_nonce(seen.headers) for seen in sms_rig.server.seen}) == 3


def _nonce(headers: dict[str, str]) -> str:
    return headers["x-acs-signature-nonce"]
