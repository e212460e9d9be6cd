"""Facts written to the inbox and read back: nothing lost, nothing guessed, nothing else accepted."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.fact import (
    Act,
    Answered,
    Arrival,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)
from engage.core.fact_json import fact_from_json, fact_to_json
from engage.core.outcome import Failure

AT = datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC)

FACTS: tuple[Fact, ...] = (
    Receipt("sms", Arrival.BOUNCED, AT, delivery_id=7, address="+86", failure=Failure.INVALID_ADDRESS, code="E1"),
    Receipt("email", Arrival.DEFERRED, AT, provider_id="<a@b>"),
    Typed("wechat", "oABC", "３ 包装破了\n“真的”😀", AT, Act.MENU, menu_id="m1"),
    Typed("sms", "+8613800138000", "10", AT),
    Followed("wechat", "oABC", AT, scene="qr_7", act=Act.SCAN),
    Unfollowed("wechat", "oABC", AT),
    Clicked(7, "shop", AT, machine=True),
    Answered(7, AT, score=0, comment=""),
    Answered(7, AT, choice="绿茶"),
    OptedOut("email", AT, "one-click", delivery_id=7, topic="marketing"),
    Happened("C001", "order_paid", {"amount": 88.5, "gift": False, "note": None, "items": [1, {"a": "b"}]}, AT),
    MemberGiven(
        "C001",
        AT,
        {"name": "王芳", "birthday": {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None}},
        {"sms": "+8613800138000"},
        {("marketing", "sms"): True, ("survey", "email"): False},
        evidence="members.csv row 2",
        tags=("VIP", "推荐官"),
        timezone="Asia/Urumqi",
        announce=False,
    ),
)


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_what_is_written_is_read_again(fact: Fact) -> None:
    assert fact_from_json(fact_to_json(fact)) == fact


def test_every_kind_of_fact_can_be_written() -> None:
    assert {type(fact) for fact in FACTS} == set(Fact.__args__)


_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.text(max_size=20), st.dictionaries(st.text(max_size=8), _json, max_size=4), st.integers(0, 10**9))
def test_any_payload_survives(member: str, payload: dict[str, object], seconds: int) -> None:
    fact = Happened(member, "order_paid", payload, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
    assert fact_from_json(fact_to_json(fact)) == fact


def test_chinese_stays_readable_for_whoever_looks_into_the_inbox() -> None:
    assert "包装破了" in fact_to_json(FACTS[2])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "7",
        '"Typed"',
        "[]",
        "{}",
        '{"fact": "Nonsense"}',
        '{"fact": ["Typed"]}',
        '{"fact": "Typed"}',
        '{"fact": "Unfollowed", "channel": "wechat", "address": "o", "at": "yesterday"}',
        '{"fact": "Clicked", "delivery_id": "seven", "link": "shop", "at": "2026-11-23T02:00:00+00:00"}',
        '{"fact": "MemberGiven", "member": "C", "at": "2026-11-23T02:00:00Z", "values": {}, "addresses": {}}',
        '{"fact": "MemberGiven", "member": "C", "at": "2026-11-23T02:00:00Z", "values": {}, "addresses": {}, '
        '"consents": [["marketing"]]}',
        '{"fact": "MemberGiven", "member": "C", "at": "2026-11-23T02:00:00Z", "values": {}, "addresses": {}, '
        '"consents": 3}',
        "[" * 200_000,
    ],
)
def test_anything_else_is_a_value_error(text: str) -> None:
    """The receive loop marks such a record unreadable and goes on; any other exception would stop it."""
    with pytest.raises(ValueError, match=r"."):
        fact_from_json(text)


@given(_json)
def test_no_json_does_worse_than_a_value_error(data: object) -> None:
    for text in (json.dumps(data), json.dumps({"fact": "Typed", "at": data, "text": data})):
        with pytest.raises(ValueError, match=r"."):
            fact_from_json(text)
