"""SMS: parameters, segments, phone numbers, and the signature Aliyun publishes an example of."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from channel_messages import a_message
from hypothesis import given
from hypothesis import strategies as st

from engage.channels.composing import Uncomposable
from engage.channels.contract import Payload
from engage.channels.sms.payload import compose, count_segments
from engage.channels.sms.phone import from_provider, is_e164, to_provider
from engage.channels.sms.signing import Call, Credentials, canonical_query, canonical_request, signed_headers

PRICE = Decimal("0.045")


def an_sms(body: str = "您好", **front: Any) -> Payload:
    given = {"sms_template": "SMS_1"} | front
    return compose(a_message(body, mode="sms", address="+8613800138000", front=given), "山野茶事", PRICE)


def test_parameters_keep_their_order() -> None:
    payload = an_sms("王芳，您的券码 8H2K。", params={"name": "王芳", "code": "8H2K"})
    assert payload.data == {
        "PhoneNumbers": "13800138000",
        "SignName": "山野茶事",
        "TemplateCode": "SMS_1",
        "TemplateParam": '{"name":"王芳","code":"8H2K"}',
        "OutId": "42",
    }
    assert payload.text == "【山野茶事】王芳，您的券码 8H2K。"


def test_a_template_without_parameters() -> None:
    assert an_sms().data["TemplateParam"] == "{}"


@pytest.mark.parametrize(("length", "segments"), [(1, 1), (70, 1), (71, 2), (134, 2), (135, 3), (201, 3), (500, 8)])
def test_segments(length: int, segments: int) -> None:
    assert count_segments("茶" * length) == segments


def test_an_emoji_takes_two_units() -> None:
    assert count_segments("😀" * 35) == 1
    assert count_segments("😀" * 36) == 2


def test_the_signature_counts_and_the_cost_follows() -> None:
    one, two = an_sms("茶" * 64), an_sms("茶" * 65)  # 【山野茶事】 has six characters
    assert (one.segments, one.cost) == (1, Decimal("0.045"))
    assert (two.segments, two.cost) == (2, Decimal("0.090"))


@pytest.mark.parametrize(
    ("body", "front", "why"),
    [
        ("您好", {"sms_template": ""}, "sms_template"),
        ("", {}, "needs words"),
        ("【假冒银行】您好", {}, "【】"),
        ("茶" * 495, {}, "500 characters"),
        ("您好", {"params": {"name": ""}}, "parameter name"),
        ("您好", {"params": {"name": "茶" * 36}}, "parameter name"),
        ("您好", {"params": {"name": "https://evil.example"}}, "URL"),
        ("您好", {"params": {"name": "【银行】"}}, "【】"),
    ],
)
def test_what_aliyun_or_the_law_would_refuse(body: str, front: dict[str, Any], why: str) -> None:
    with pytest.raises(Uncomposable, match=why):
        an_sms(body, **front)


def test_a_line_break_in_a_value_is_one_space() -> None:
    assert json.loads(an_sms(params={"name": "王\n芳"}).data["TemplateParam"]) == {"name": "王 芳"}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("13800138000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("+8613800138000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        (" 13800138000 ", "+8613800138000"),
        ("85261234567", "+85261234567"),
        ("0085261234567", "+85261234567"),
        ("1381111****", None),
        ("", None),
        ("10086", None),
        ("一三八", None),
    ],
)
def test_phone_numbers_from_the_provider(written: str, kept: str | None) -> None:
    assert from_provider(written) == kept


@given(st.from_regex(r"\A\+861\d{10}\Z|\A\+85[23]\d{8}\Z", fullmatch=True))
def test_a_number_survives_the_provider(address: str) -> None:
    assert is_e164(address)
    assert from_provider(to_provider(address)) == address


# --- the signature: https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature ---

CREDENTIALS = Credentials("YourAccessKeyId", "YourAccessKeySecret")
PUBLISHED = Call(
    host="ecs.cn-shanghai.aliyuncs.com",
    action="RunInstances",
    version="2014-05-26",
    query=canonical_query(
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"}
    ),
    at=datetime(2023, 10, 26, 10, 22, 32, tzinfo=UTC),
    nonce="3156853299f313e23d1673dc12e1703d",
)


def test_the_published_example() -> None:
    headers = signed_headers(PUBLISHED, CREDENTIALS)
    assert headers["authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,"
        "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )
    canonical = canonical_request(PUBLISHED.query, {k: v for k, v in headers.items() if k != "authorization"})
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    assert hashed == "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259"


def test_encoding_is_rfc_3986() -> None:
    assert canonical_query({"b": "a b*c~d/e", "A": "茶+&="}) == "A=%E8%8C%B6%2B%26%3D&b=a%20b%2Ac~d%2Fe"


def test_credentials_do_not_print_their_secret() -> None:
    assert "YourAccessKeySecret" not in repr(CREDENTIALS)


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.text(max_size=10), min_size=1, max_size=4), st.text(min_size=1)
)
def test_any_change_of_a_value_changes_the_signature(query: dict[str, str], more: str) -> None:
    name = next(iter(query))
    changed = query | {name: query[name] + more}
    signatures = {
        signed_headers(Call("h", "a", "v", canonical_query(given), PUBLISHED.at, "n"), CREDENTIALS)["authorization"]
        for given in (query, changed, dict(reversed(query.items())))
    }
    assert len(signatures) == 2  # and the order in which parameters were given does not matter
