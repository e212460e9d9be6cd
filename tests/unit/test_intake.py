"""Members and events against the catalog: everything wrong is told, at once, and without repeating personal data."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core import intake
from engage.core.catalog import (
    MEMBER_EVENTS,
    RESPONSE_EVENTS,
    Aggregate,
    Brand,
    Catalog,
    Computed,
    Event,
    Field,
    Topic,
    TopicClass,
)
from engage.core.condition import ValueType
from engage.core.fact import Happened, MemberGiven
from engage.core.intake import Wrong

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
CATALOG = Catalog(
    brand=Brand("山野茶事", "山野茶事", {}),
    timezone="Asia/Shanghai",
    fields={
        "name": Field("name", ValueType.TEXT),
        "level": Field("level", ValueType.NUMBER),
        "lifecycle": Field("lifecycle", ValueType.TEXT, values=("新客", "活跃")),
        "orders": Field("orders", ValueType.NUMBER, computed=Computed(Aggregate.COUNT, ("order_paid",))),
    },
    events={
        "order_paid": Event("order_paid", {"order_id": ValueType.TEXT, "amount": ValueType.NUMBER}),
        **{name: Event(name, payload) for name, payload in (*RESPONSE_EVENTS.items(), *MEMBER_EVENTS.items())},
    },
    topics={"marketing": Topic("marketing", TopicClass.MARKETING, "活动与优惠")},
)


def a_member(**more: Any) -> MemberGiven | list[Wrong]:
    given: dict[str, Any] = {
        "member": "M1", "fields": {}, "addresses": {}, "consents": {}, "tags": (), "timezone": None, "at": NOW,
        "evidence": "",
    }  # fmt: skip
    return intake.member_given(CATALOG, **{**given, **more})


def an_event(event: str = "order_paid", member: str = "M1", **data: Any) -> Happened | list[Wrong]:
    return intake.happened(CATALOG, member=member, event=event, at=NOW, data=data)


def places(outcome: object) -> list[str]:
    assert isinstance(outcome, list), outcome
    return [wrong.where for wrong in outcome]


# --- phones -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "13800138000",
        " 138 0013 8000 ",
        "138-0013-8000",
        "+86 138-0013-8000",
        "(+86)13800138000",
        "008613800138000",
        "8613800138000",
        "１３８００１３８０００",
        "＋８６１３８００１３８０００",
        "13800138000.0",
        "'13800138000",
    ],
)
def test_a_mainland_mobile_is_read_however_it_is_written(text: str) -> None:
    assert intake.phone(text) == "+8613800138000"


@pytest.mark.parametrize(("text", "number"), [("+85291234567", "+85291234567"), ("0044 7911 123456", "+447911123456")])
def test_a_mobile_abroad_needs_its_country_code(text: str, number: str) -> None:
    assert intake.phone(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.38E+10",
        "1.38001E+10",
        "1380013800",
        "138001380001",
        "12345678901",
        "010-62345678",
        "+861062345678",
        "400-800-1234",
        "+13800138000",
        "91234567",
        "abc",
        "13800138000;13900139000",
        "+",
        "00",
        "=13800138000",
        "138001380OO",
        "+44 20 7183 8750",
    ],
)
def test_what_cannot_be_texted_is_refused(text: str) -> None:
    assert intake.phone(text) is None


# --- email ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Fang@Example.COM ", "fang@example.com"),
        ("a.b+c@x-y.co", "a.b+c@x-y.co"),
        ("mailto:a@b.cn", "a@b.cn"),
        ("ａ＠ｂ．ｃｎ", "a@b.cn"),
        ("a@中国.cn", "a@xn--fiqs8s.cn"),
    ],
)
def test_email_addresses(text: str, address: str) -> None:
    assert intake.email(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b.cn",
        "a@b",
        "a@@b.cn",
        "a b@c.cn",
        "a@b.cn,c@d.cn",
        "王@b.cn",
        "a..b@c.cn",
        ".a@b.cn",
        "a@-b.cn",
        "a@b.cn\r\nBcc: c@d.cn",
        "<a@b.cn>",
        "a" * 65 + "@b.cn",
        "a@" + "b" * 70 + ".cn",
        "a@b..cn",
        "a@\u2028.cn",
    ],
)
def test_what_is_no_email_address(text: str) -> None:
    assert intake.email(text) is None


@given(st.text(max_size=40))
def test_address_readers_never_raise_and_read_their_own_output(text: str) -> None:
    for read in (intake.phone, intake.email, intake.openid):
        address = read(text)
        assert address is None or read(address) == address


# --- events -----------------------------------------------------------------------------------------------------


def test_an_event_becomes_a_fact() -> None:
    assert an_event(order_id="A1", amount="1,280.5", member=" M1 ") == Happened(
        "M1", "order_paid", {"order_id": "A1", "amount": 1280.5}, NOW
    )


def test_blank_payload_keys_are_absent() -> None:
    outcome = an_event(order_id=" ", amount=None)
    assert isinstance(outcome, Happened)
    assert outcome.payload == {}


def test_every_mistake_of_an_event_is_told() -> None:
    assert places(an_event(amount="x", colour="red", member="")) == ["member", "data.amount", "data.colour"]
    assert places(an_event("order_payd")) == ["event"]


@pytest.mark.parametrize("event", [*RESPONSE_EVENTS, "consent_granted", "wechat_unfollowed"])
def test_what_engage_records_itself_is_not_taken_from_outside(event: str) -> None:
    assert places(an_event(event)) == ["event"]


@pytest.mark.parametrize("event", ["nps_answered", "member_created"])
def test_history_from_an_older_system_is_taken(event: str) -> None:
    assert isinstance(an_event(event), Happened)


# --- members ----------------------------------------------------------------------------------------------------


def test_a_member_becomes_a_fact() -> None:
    outcome = a_member(
        fields={"name": " 王芳 ", "level": "3", "lifecycle": "新客"},
        addresses={"sms": "138 0013 8000", "email": "", "wechat": None},
        consents={("marketing", "sms"): True},
        evidence="members.csv 第 2 行",
        tags=["VIP", "VIP", " "],
        timezone="Asia/Urumqi",
        announce=False,
    )
    assert outcome == MemberGiven(
        member="M1",
        at=NOW,
        values={"name": "王芳", "level": "3", "lifecycle": "新客"},
        addresses={"sms": "+8613800138000"},
        consents={("marketing", "sms"): True},
        evidence="members.csv 第 2 行",
        tags=("VIP",),
        timezone="Asia/Urumqi",
        announce=False,
    )


def test_every_mistake_of_a_member_is_told() -> None:
    outcome = a_member(
        member="",
        fields={"level": "x", "lifecycle": "老客", "orders": "3", "nmae": "王"},
        addresses={"sms": "1", "fax": "2"},
        consents={("news", "post"): True},
        tags=["x" * 65],
        timezone="Nowhere",
    )
    assert places(outcome) == [
        "member",
        "fields.level",
        "fields.lifecycle",
        "fields.orders",
        "fields.nmae",
        "addresses.sms",
        "addresses.fax",
        "consents.topic",
        "consents.channel",
        "consents.evidence",
        "tags",
        "timezone",
    ]


def test_a_refusal_needs_no_evidence_but_a_grant_does() -> None:
    assert isinstance(a_member(consents={("marketing", "sms"): False}), MemberGiven)
    assert places(a_member(consents={("marketing", "sms"): True}, evidence=" ")) == ["consents.evidence"]


def test_mistakes_never_repeat_personal_data() -> None:
    outcome = a_member(
        fields={"name": "秘密\n姓名", "level": "139-x"},
        addresses={"sms": "1391112", "email": "fang@@x", "wechat": "o!"},
    )
    assert isinstance(outcome, list)
    said = " ".join(f"{wrong.why.en} {wrong.why.zh}" for wrong in outcome)
    assert len(outcome) == 5
    assert not [secret for secret in ("秘密", "1391112", "139-x", "fang@", "o!") if secret in said]


def test_a_misspelt_name_gets_a_suggestion_in_both_languages() -> None:
    outcome = a_member(fields={"lifecyle": "新客"})
    assert isinstance(outcome, list)
    assert "did you mean “lifecycle”" in outcome[0].why.en
    assert "是不是「lifecycle」" in outcome[0].why.zh


def test_a_shifted_row_does_not_give_a_phone_number_away() -> None:
    outcome = an_event("13800138000")
    assert isinstance(outcome, list)
    assert "13800138000" not in outcome[0].why.en + outcome[0].why.zh
    shifted = a_member(fields={"lifecycle": "13800138000"})
    assert isinstance(shifted, list)
    assert "13800138000" not in shifted[0].why.en + shifted[0].why.zh
