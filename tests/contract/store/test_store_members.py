"""Members: names that lead to one person, values and tags, addresses and their windows, consents and suppressions."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError
from store_bench import CATALOG, DAY, HOUR, MINUTE, NOW, Bench

from engage.core.condition import ValueType
from engage.store import members, reaching
from engage.store.databases.database import Database
from engage.store.members import MemberRef
from engage.store.tables import bucket_of


def values_of(bench: Bench, ref: MemberRef) -> dict[str, Any]:
    return dict(members.profiles(bench.connection, CATALOG, [ref], NOW)[ref.id].values)


def set_values(bench: Bench, ref: MemberRef, at: datetime = NOW, **values: Any) -> None:
    members.set_values(bench.connection, CATALOG, {ref: values}, at)


# --- names ------------------------------------------------------------------------------------------------------


def test_buckets_are_fixed_for_ever() -> None:
    """Written down: if one of these changes, every row of that member is lost."""
    assert [bucket_of(member_id) for member_id in (1, 2, 3, 1000, 2**40)] == [183, 13, 155, 23, 41]


def test_a_member_is_found_by_every_name(bench: Bench) -> None:
    ref = members.create(bench.connection, NOW, "C001", "Asia/Urumqi")
    assert not reaching.put_contact_points(bench.connection, [(ref, "sms", "+8613800138000", NOW)])
    set_values(bench, ref, name="王芳")
    assert members.find(bench.connection, "member", ["C001", "C002"]) == {"C001": ref}
    assert members.find(bench.connection, "sms", ["+8613800138000"]) == {"+8613800138000": ref}
    assert members.find(bench.connection, "wechat", ["+8613800138000"]) == {}
    for text in ("C001", "+8613800138000", "王芳", str(ref.id)):
        assert members.lookup(bench.connection, text) == [ref]
    assert members.lookup(bench.connection, "王") == []
    assert members.external_id_of(bench.connection, ref) == "C001"
    assert members.name_of(bench.connection, ref) == "王芳"
    assert members.timezones(bench.connection) == ["Asia/Urumqi"]
    assert members.names_of(bench.connection, [ref, bench.member(city="杭州")]) == {ref: "王芳"}


def test_a_name_leads_to_one_member_only(bench: Bench) -> None:
    one, other = bench.member(), bench.member()
    assert not members.claim_identities(bench.connection, "sms", {"+86": one})
    assert not members.claim_identities(bench.connection, "sms", {"+86": one})
    assert members.claim_identities(bench.connection, "sms", {"+86": other, "+87": other}) == {"+86"}
    assert reaching.put_contact_points(bench.connection, [(other, "sms", "+86", NOW)])
    assert reaching.contact_points(bench.connection, [other]) == {}


def test_a_follower_gets_the_shops_id_later(bench: Bench) -> None:
    ref = members.create(bench.connection, NOW, None, None)
    assert members.external_id_of(bench.connection, ref) is None
    members.name_member(bench.connection, ref, "C009", NOW)
    assert members.find(bench.connection, "member", ["C009"]) == {"C009": ref}
    assert members.external_id_of(bench.connection, ref) == "C009"


# --- values and tags --------------------------------------------------------------------------------------------


def test_values_replace_what_was_there_and_none_takes_it_away(bench: Bench) -> None:
    ref = bench.member(city="上海", level=2, contract_end=date(2027, 1, 1), employee=False)
    set_values(bench, ref, NOW + DAY, city="北京", level=None, contract_end="2027-02-01", employee=None)
    known = {name: value for name, value in values_of(bench, ref).items() if CATALOG.fields[name].computed is None}
    assert known == {"city": "北京", "contract_end": date(2027, 2, 1)}
    assert bench.row("member", id=ref.id)["updated_at"] == NOW + DAY


def test_an_anniversary_is_kept_as_it_is_celebrated(bench: Bench) -> None:
    birthday = {"calendar": "lunar", "month": 8, "day": 15, "leap": False, "year": 1990}
    ref = bench.member(birthday=birthday)
    set_values(bench, ref, birthday=birthday | {"leap": True})
    assert bench.row("anniversary") | birthday | {"leap": True} == bench.row("anniversary")
    set_values(bench, ref, birthday=None)
    assert bench.rows("anniversary") == []


def test_whole_numbers_read_as_whole_numbers(bench: Bench) -> None:
    assert str(values_of(bench, bench.member(level=3.0))["level"]) == "3"
    assert str(values_of(bench, bench.member(level=2.5))["level"]) == "2.5"


def test_points_are_added_to_what_is_there_and_to_nothing(bench: Bench) -> None:
    ref = bench.member()
    for amount in (200, 0.5, -50):
        members.add_to_number(bench.connection, ref, "points", amount)
    assert values_of(bench, ref)["points"] == 150.5


def test_tags_come_and_go(bench: Bench) -> None:
    ref, other = bench.member(("VIP",)), bench.member(("VIP",))
    members.add_tags(bench.connection, {ref: ["VIP", "新客"]}, NOW + DAY)
    members.remove_tags(bench.connection, {ref: ["VIP", "不存在"]})
    assert {(row["member_id"], row["tag"]) for row in bench.rows("tag")} == {(ref.id, "新客"), (other.id, "VIP")}


def test_a_value_of_the_wrong_kind_is_a_fault_not_a_wrong_row(bench: Bench) -> None:
    ref = bench.member()
    with pytest.raises(ValueError, match="could not convert"):
        set_values(bench, ref, level="many")
    with pytest.raises(StatementError, match="naive"):
        members.set_values(bench.connection, CATALOG, {ref: {}}, datetime(2026, 1, 1))  # noqa: DTZ001
    assert members.value_row(ref, "x", ValueType.DATE, "2026-11-23")["day_value"] == date(2026, 11, 23)


# --- addresses --------------------------------------------------------------------------------------------------


def test_a_new_address_starts_afresh_and_the_same_one_keeps_its_state(bench: Bench) -> None:
    ref = bench.member()
    reaching.put_contact_points(bench.connection, [(ref, "sms", "+861", NOW)])
    reaching.change_status(bench.connection, ref, "sms", "invalid", NOW)
    reaching.note_inbound(bench.connection, [(ref, "sms", NOW)])
    reaching.put_windows(bench.connection, [(ref, "sms", "message", NOW, 3)])
    reaching.put_contact_points(bench.connection, [(ref, "sms", "+861", NOW + HOUR)])
    kept = reaching.contact_points(bench.connection, [ref])[ref.id, "sms"]
    assert (kept["status"], kept["window_used"], kept["last_inbound_at"]) == ("invalid", 3, NOW)
    reaching.put_contact_points(bench.connection, [(ref, "sms", "+862", NOW + HOUR)])
    fresh = reaching.contact_points(bench.connection, [ref])[ref.id, "sms"]
    assert (fresh["address"], fresh["status"], fresh["window_used"], fresh["last_inbound_at"]) == (
        "+862",
        "active",
        0,
        None,
    )


def test_an_address_that_is_somebody_elses_stays_theirs_and_the_others_are_taken(bench: Bench) -> None:
    owner, ref = bench.member(), bench.member()
    reaching.put_contact_points(bench.connection, [(owner, "sms", "+861", NOW)])
    his, own = (ref, "sms", "+861", NOW), (ref, "email", "a@example.com", NOW)
    assert reaching.put_contact_points(bench.connection, [his, own]) == [his]
    assert {channel for _, channel in reaching.contact_points(bench.connection, [ref])} == {"email"}
    assert members.find(bench.connection, "sms", ["+861"]) == {"+861": owner}


def test_what_is_known_of_an_address_is_not_replaced_by_what_was_true_before(bench: Bench) -> None:
    ref = bench.member()
    reaching.put_contact_points(bench.connection, [(ref, "wechat", "oABC", NOW)])
    assert reaching.change_status(bench.connection, ref, "wechat", "unfollowed", NOW + HOUR)
    assert not reaching.change_status(bench.connection, ref, "wechat", "active", NOW + HOUR - timedelta(seconds=1))
    assert bench.row("contact_point")["status"] == "unfollowed"
    in_that_second = NOW + HOUR + timedelta(milliseconds=600)
    assert reaching.change_status(bench.connection, ref, "wechat", "unreachable", in_that_second)
    assert reaching.change_status(bench.connection, ref, "wechat", "active", NOW + HOUR)  # theirs has no fractions


def test_the_last_act_is_the_newest_however_late_an_older_one_is_told(bench: Bench) -> None:
    ref = bench.member()
    reaching.put_contact_points(bench.connection, [(ref, "sms", "+861", NOW)])
    for at in (NOW + HOUR, NOW, NOW + MINUTE):
        reaching.note_inbound(bench.connection, [(ref, "sms", at)])
    assert bench.row("contact_point")["last_inbound_at"] == NOW + HOUR


def test_each_window_is_put_where_it_belongs(bench: Bench) -> None:
    one, other = bench.member(), bench.member()
    for ref, channel in ((one, "wechat"), (one, "sms"), (other, "wechat")):
        reaching.put_contact_points(bench.connection, [(ref, channel, f"{channel}{ref.id}", NOW)])
    windows = [(other, "wechat", "message", NOW + HOUR, 0), (one, "wechat", "menu", NOW, 2)]
    reaching.put_windows(bench.connection, windows)
    found = {(row["member_id"], row["channel"]): row for row in bench.rows("contact_point")}
    seen = {key: (row["window_act"], row["window_opened_at"], row["window_used"]) for key, row in found.items()}
    assert seen == {
        (one.id, "wechat"): ("menu", NOW, 2),
        (one.id, "sms"): (None, None, 0),
        (other.id, "wechat"): ("message", NOW + HOUR, 0),
    }


def test_a_window_is_closed_unless_it_was_opened_later(bench: Bench) -> None:
    ref = bench.member()
    reaching.put_contact_points(bench.connection, [(ref, "wechat", "oABC", NOW)])
    reaching.put_windows(bench.connection, [(ref, "wechat", "message", NOW + HOUR, 3)])
    reaching.close_window(bench.connection, ref, "wechat", NOW)
    assert bench.row("contact_point")["window_act"] == "message"
    reaching.close_window(bench.connection, ref, "wechat", NOW + HOUR)
    assert (bench.row("contact_point")["window_act"], bench.row("contact_point")["window_used"]) == (None, 0)


def test_messages_taken_from_a_window_can_be_given_back_but_never_below_none(bench: Bench) -> None:
    ref = bench.member()
    reaching.put_contact_points(bench.connection, [(ref, "wechat", "oABC", NOW)])
    for count, used in ((1, 1), (1, 2), (-1, 1), (-5, 0)):
        reaching.use_windows(bench.connection, [(ref, "wechat")], count)
        assert bench.row("contact_point")["window_used"] == used


# --- consents ---------------------------------------------------------------------------------------------------


def says(bench: Bench, ref: MemberRef, granted: bool, *, own_word: bool, topic: str = "marketing") -> None:
    reaching.put_consent(bench.connection, ref, [topic], "sms", granted, "evidence", NOW, own_word=own_word)


def consent(bench: Bench, ref: MemberRef, topic: str = "marketing") -> bool | None:
    return reaching.consents(bench.connection, [ref]).get((ref.id, topic, "sms"))


def test_what_a_list_says_holds_until_somebody_says_otherwise(bench: Bench) -> None:
    ref = bench.member()
    assert consent(bench, ref) is None
    for granted in (True, False, True):
        says(bench, ref, granted, own_word=False)
        assert consent(bench, ref) is granted


def test_a_members_own_refusal_outlives_every_list(bench: Bench) -> None:
    ref = bench.member()
    says(bench, ref, True, own_word=False)
    says(bench, ref, False, own_word=True)
    for granted in (True, False, True):  # a list that says no once must not wash the member's own word away
        says(bench, ref, granted, own_word=False)
        assert consent(bench, ref) is False
    says(bench, ref, True, own_word=True)
    assert consent(bench, ref) is True


_sayings = st.lists(st.tuples(st.booleans(), st.booleans()), max_size=8)


@settings(max_examples=40, deadline=None)
@given(_sayings)
def test_whatever_was_said_an_own_refusal_holds_until_an_own_grant(
    database_of_module: Database, sayings: list[tuple[bool, bool]]
) -> None:
    expected: bool | None = None
    refused = False
    with database_of_module.engine.connect() as connection, connection.begin() as transaction:
        bench = Bench(connection)
        ref = bench.member()
        for granted, own_word in sayings:
            says(bench, ref, granted, own_word=own_word)
            if own_word:
                expected, refused = granted, not granted
            elif not refused:
                expected = granted
            assert consent(bench, ref) is expected
        transaction.rollback()


def test_consents_are_kept_apart_by_topic_and_channel(bench: Bench) -> None:
    ref, other = bench.member(), bench.member()
    reaching.put_consent(bench.connection, ref, ["marketing", "survey"], "sms", False, "typed TD", NOW, own_word=True)
    reaching.put_consent(bench.connection, ref, ["marketing"], "email", True, "form", NOW, own_word=False)
    assert reaching.consents(bench.connection, [ref, other]) == {
        (ref.id, "marketing", "sms"): False,
        (ref.id, "survey", "sms"): False,
        (ref.id, "marketing", "email"): True,
    }
    assert {row["evidence"] for row in bench.rows("consent")} == {"typed TD", "form"}


# --- suppressions -----------------------------------------------------------------------------------------------


def test_suppressions_are_by_channel_and_address_and_the_first_reason_stays(bench: Bench) -> None:
    for reason in ("complained", "invalid address"):
        reaching.suppress(bench.connection, "sms", "+861", reason, NOW)
    asked = list(product(("sms", "email"), ("+861", "+862")))
    assert reaching.suppressions(bench.connection, asked) == {("sms", "+861"): "complained"}
    assert reaching.suppressions(bench.connection, []) == {}


def test_many_members_are_read_at_once(bench: Bench) -> None:
    refs = [bench.member(level=n) for n in range(50)]
    found = members.profiles(bench.connection, CATALOG, refs, NOW)
    assert [found[ref.id].values["level"] for ref in refs] == list(range(50))
    assert len({found[ref.id].external_id for ref in refs}) == 50
