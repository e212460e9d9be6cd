"""The HTTP API: who may report, what is refused item by item, and what a repeated report does (nothing)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from web_world import API_KEY, World

from engage.core.fact import Happened, MemberGiven


def _post(world: World, path: str, body: Any, key: str | None = API_KEY, **headers: str) -> httpx.Response:
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    return world.client.post(path, content=content, headers=headers)


def _event(number: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "member": "M00001", "event": "order_paid", "data": {"amount": 128}, **more}


# --- who --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"authorization": f"Basic {API_KEY}"}, {"authorization": "Bearer"}])
def test_without_a_key_nothing_is_read(world: World, headers: dict[str, str]) -> None:
    response = world.client.post("/api/events", content="not even JSON", headers=headers)
    assert response.status_code == 401
    assert "error" in response.json()
    assert response.headers["www-authenticate"] == "Bearer"


def test_a_wrong_key_is_refused_and_every_right_one_works(world: World) -> None:
    assert _post(world, "/api/events", _event("k0"), key="wrong").status_code == 401
    assert _post(world, "/api/events", _event("k1"), key="another key").status_code == 202
    assert world.stored("api", "event:k0") == []


# --- events -----------------------------------------------------------------------------------------------------


def test_an_event_is_stored_as_a_fact(world: World) -> None:
    item = _event("e1", at="2026-11-20T10:00:00+08:00", data={"order_id": 20261120, "amount": "1,280.50"})
    response = _post(world, "/api/events", {"events": [item]})
    assert response.status_code == 202
    assert response.json() == {"accepted": 1, "repeated": 0, "refused": []}
    assert world.facts("api", "event:e1") == [
        Happened(
            "M00001",
            "order_paid",
            {"order_id": "20261120", "amount": 1280.5},
            datetime(2026, 11, 20, 2, 0, tzinfo=UTC),
        )
    ]


def test_a_bare_event_without_a_time_happened_now(world: World) -> None:
    assert _post(world, "/api/events", _event("e2")).status_code == 202
    [fact] = world.facts("api", "event:e2")
    assert isinstance(fact, Happened)
    assert fact.at == world.clock.now()


def test_a_time_without_an_offset_is_the_business_own(world: World) -> None:
    _post(world, "/api/events", _event("e3", at="2026-11-20 10:00"))
    [fact] = world.facts("api", "event:e3")
    assert isinstance(fact, Happened)
    assert fact.at == datetime(2026, 11, 20, 2, 0, tzinfo=UTC)


def test_a_repeated_report_changes_nothing(world: World) -> None:
    batch = {"events": [_event(f"r{number}") for number in range(20)]}
    assert _post(world, "/api/events", batch).json()["accepted"] == 20
    before = world.fingerprint()
    world.clock.advance_to(world.clock.now() + timedelta(hours=1))
    again = _post(world, "/api/events", {"events": [*batch["events"], _event("r0")]})
    assert again.status_code == 202
    assert again.json() == {"accepted": 0, "repeated": 21, "refused": []}
    assert world.fingerprint() == before


BAD_EVENTS: list[tuple[Any, str]] = [
    (_event("b", event="order_payed"), "did you mean “order_paid”"),
    (_event("b", event="clicked"), "recorded by Engage itself"),
    (_event("b", event=""), "event:"),
    (_event("b", data={"amount": "a lot"}), "data.amount: this is not a number"),
    (_event("b", data={"amount": True}), "data.amount"),
    (_event("b", data={"ammount": 3}), "did you mean “amount”"),
    (_event("b", data=[1]), "data: this is not a JSON object"),
    (_event("b", at="yesterday"), "at: this is not a time"),
    (_event("b", at="2026-02-30T10:00:00Z"), "at: this is not a time"),
    (_event("b", at=1790000000), "at: this is not a time"),
    (_event("b", at="2027-11-23T10:00:00Z"), "at: this lies in the future"),
    (_event("b", member=" "), "member: the member's id is missing"),
    (_event("b", member={"id": 1}), "member: this is not text"),
    (_event("b", member="M1\nM2"), "member:"),
    (_event("b", when="now"), "when: unknown key"),
    (_event(""), "id: the event's own id is missing"),
    (_event("x" * 151), "id: an id has at most 150"),
    ("order_paid", "item: this is not a JSON object"),
    (None, "item: this is not a JSON object"),
    ([], "item: this is not a JSON object"),
]


@pytest.mark.parametrize(("item", "why"), BAD_EVENTS)
def test_each_mistake_in_an_event_is_told(world: World, item: Any, why: str) -> None:
    before = world.fingerprint()
    response = _post(world, "/api/events", {"events": [item]})
    assert response.status_code == 422
    [refused] = response.json()["refused"]
    assert refused["index"] == 0
    assert why in refused["why"]
    assert world.fingerprint() == before


def test_good_items_are_kept_beside_bad_ones(world: World) -> None:
    response = _post(world, "/api/events", {"events": [_event("m1"), _event("m2", event="nope"), _event("m3")]})
    assert response.status_code == 202
    answer = response.json()
    assert (answer["accepted"], [item["index"] for item in answer["refused"]]) == (2, [1])


def test_all_mistakes_of_an_item_are_told_at_once_in_the_callers_language(world: World) -> None:
    item = {"id": "", "member": "", "event": "order_paid", "data": {"amount": "x"}}
    response = _post(world, "/api/events", item, **{"accept-language": "zh-CN"})
    why = response.json()["refused"][0]["why"]
    assert "缺少事件编号" in why
    assert "缺少会员号" in why
    assert "这里应当是数字" in why


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("{", 400),
        ("", 400),
        ("[]", 400),
        ('"text"', 400),
        ('{"events": {}}', 400),
        ('{"events": [NaN]}', 400),
        ("[" * 100_000, 400),
        (b"\xff\xfe\x00", 400),
        (json.dumps({"events": [{}] * 1001}), 413),
        (b'{"events": ["' + b"x" * 1_100_000 + b'"]}', 413),
    ],
    ids=["cut", "empty", "a list", "text", "not a list", "NaN", "deep", "not UTF-8", "too many", "too large"],
)
def test_bodies_that_cannot_be_read(world: World, body: str | bytes, status: int) -> None:
    response = _post(world, "/api/events", body)
    assert response.status_code == status
    assert "error" in response.json()


def test_an_empty_list_is_no_mistake(world: World) -> None:
    assert _post(world, "/api/events", {"events": []}).json() == {"accepted": 0, "repeated": 0, "refused": []}


# --- members ----------------------------------------------------------------------------------------------------

MEMBER: dict[str, Any] = {
    "member": "M00042",
    "fields": {
        "name": "王芳",
        "lifecycle": "新客",
        "points": 12.5,
        "birthday": "农历八月十五",
        "employee": "否",
        "city": None,
    },
    "addresses": {"sms": "138 0013 8000", "email": "Fang@Example.com", "wechat": None},
    "consents": [
        {"topic": "marketing", "channel": "sms", "granted": True, "evidence": "注册表单 2026-11-01"},
        {"topic": "survey", "channel": "email", "granted": False},
    ],
    "tags": ["VIP", " VIP ", "老客"],
    "timezone": "Asia/Urumqi",
}


def test_a_member_is_stored_as_a_fact(world: World) -> None:
    response = _post(world, "/api/members", {"members": [MEMBER]})
    assert response.status_code == 202, response.text
    [fact] = [
        fact for fact in world.facts("api", "member:") if isinstance(fact, MemberGiven) and fact.member == "M00042"
    ]
    assert fact.values == {
        "name": "王芳",
        "lifecycle": "新客",
        "points": "12.5",
        "birthday": {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": None},
        "employee": False,
    }
    assert fact.addresses == {"sms": "+8613800138000", "email": "fang@example.com"}
    assert fact.consents == {("marketing", "sms"): True, ("survey", "email"): False}
    assert fact.evidence == "注册表单 2026-11-01"
    assert fact.tags == ("VIP", "老客")
    assert fact.timezone == "Asia/Urumqi"
    assert fact.announce


def test_what_is_said_of_a_member_counts_each_time_in_its_order(world: World) -> None:
    """A change there and back again, however quick, by one request or by three."""
    first, second = ({"member": "M00050", "fields": {"city": city}} for city in ("上海", "北京"))
    answers = [_post(world, "/api/members", item).json() for item in (first, second, first)]
    answers.append(_post(world, "/api/members", {"members": [second, first, second]}).json())
    assert [answer["accepted"] for answer in answers] == [1, 1, 1, 3]
    of_them = [fact for fact in world.facts("api", "member:") if isinstance(fact, MemberGiven)]
    told = [fact.values["city"] for fact in of_them if fact.member == "M00050"]
    assert told == ["上海", "北京", "上海", "北京", "上海", "北京"]


BAD_MEMBERS: list[tuple[dict[str, Any], str]] = [
    ({"member": ""}, "member: the member's id is missing"),
    ({"fields": {"town": "上海"}}, "fields.town: the catalog has no field"),
    ({"fields": {"lifecycle": "老客"}}, "is not one of: 新客"),
    ({"fields": {"points": "many"}}, "fields.points: this is not a number"),
    ({"fields": {"birthday": "八月"}}, "fields.birthday"),
    ({"fields": {"name": "王\r\nBcc: x@y.cn"}}, "fields.name"),
    ({"fields": {"name": "长" * 501}}, "fields.name"),
    ({"fields": {"name": ["王"]}}, "fields.name"),
    ({"addresses": {"sms": "1.38E+10"}}, "addresses.sms"),
    ({"addresses": {"sms": "12345"}}, "addresses.sms"),
    ({"addresses": {"email": "not an address"}}, "addresses.email"),
    ({"addresses": {"fax": "123"}}, "addresses.fax: the catalog has no channel"),
    ({"addresses": {"wechat": "<openid>"}}, "addresses.wechat"),
    ({"addresses": {"sms": ["13800138000"]}}, "addresses.sms: this is not text"),
    ({"consents": [{"topic": "news", "channel": "sms", "granted": True, "evidence": "x"}]}, "no topic “news”"),
    ({"consents": [{"topic": "survey", "channel": "post", "granted": True, "evidence": "x"}]}, "no channel “post”"),
    ({"consents": [{"topic": "survey", "channel": "sms", "granted": True}]}, "consents.0.evidence"),
    ({"consents": [{"topic": "survey", "channel": "sms", "granted": "yes"}]}, "consents.0.granted"),
    ({"consents": "all"}, "consents: this is not a list"),
    ({"tags": ["x" * 65]}, "tags"),
    ({"tags": [1]}, "tags"),
    ({"timezone": "China"}, "timezone"),
    ({"timezone": "../../etc/passwd"}, "timezone"),
    ({"adresses": {}}, "did you mean “addresses”"),
]


@pytest.mark.parametrize(("part", "why"), BAD_MEMBERS)
def test_each_mistake_in_a_member_is_told(world: World, part: dict[str, Any], why: str) -> None:
    response = _post(world, "/api/members", {"member": "M00099", **part})
    assert response.status_code == 422
    assert why in response.json()["refused"][0]["why"]


def test_a_refusal_does_not_repeat_personal_data(world: World) -> None:
    response = _post(world, "/api/members", {"member": "M1", "addresses": {"sms": "1391112", "email": "fang@@x"}})
    assert "1391112" not in response.text
    assert "fang" not in response.text
