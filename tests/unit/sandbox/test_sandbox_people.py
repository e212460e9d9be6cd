"""The people of the sandbox and the files their shop exports: plausible, unique, and the same every time."""

from __future__ import annotations

import csv
import io
from collections import Counter
from datetime import UTC, datetime, timedelta

import phonenumbers

from engage.core.anniversary import parse_anniversary
from engage.core.coerce import read_moment
from engage.core.intake import email, openid, phone
from engage.sandbox.habits import Arrival, arrival, orders
from engage.sandbox.hours import ZONE
from engage.sandbox.model import Birthday, Person
from engage.sandbox.population import (
    EVENT_COLUMNS,
    MEMBER_COLUMNS,
    birthday_text,
    consents,
    events_csv,
    make_people,
    members_csv,
)

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SEED = 7
PEOPLE = make_people(300, SEED, START)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def members() -> list[Person]:
    return [person for person in PEOPLE if arrival(person.key, SEED) is Arrival.BEFORE]


def test_the_same_seed_makes_the_same_people_and_files() -> None:
    again = make_people(300, SEED, START)
    assert again == PEOPLE
    assert members_csv(again, SEED, START) == members_csv(PEOPLE, SEED, START)
    assert events_csv(again, SEED, START) == events_csv(PEOPLE, SEED, START)


def test_another_seed_makes_other_people() -> None:
    others = make_people(300, SEED + 1, START)
    assert {p.openid for p in others if p.openid}.isdisjoint(p.openid for p in PEOPLE if p.openid)
    assert [p.name for p in others] != [p.name for p in PEOPLE]


def test_phones_are_valid_mainland_mobiles_and_easy_to_tell() -> None:
    for person in PEOPLE:
        if person.phone is not None:
            parsed = phonenumbers.parse(person.phone, "CN")
            assert phonenumbers.is_valid_number(parsed)
            assert phonenumbers.number_type(parsed) is phonenumbers.PhoneNumberType.MOBILE
            assert len(person.phone) == 11
            assert person.phone[3:7] == "0000"


def test_no_two_people_share_an_address_or_a_number() -> None:
    crowd = make_people(3000, SEED, START)
    for address in ("phone", "email", "openid", "ref", "key"):
        given = [getattr(person, address) for person in crowd if getattr(person, address)]
        assert len(given) == len(set(given)), address


def test_addresses_are_ones_that_engage_takes() -> None:
    for person in PEOPLE:
        assert person.openid is None or (len(person.openid) == 28 and openid(person.openid) == person.openid)
        assert person.email is None or (email(person.email) == person.email and person.email.endswith(".example"))


def test_everyone_can_be_reached_somewhere() -> None:
    assert all(person.phone or person.email or person.openid for person in PEOPLE)


def test_about_three_in_four_are_members_when_the_world_begins() -> None:
    counts = Counter(arrival(person.key, SEED) for person in PEOPLE)
    assert 200 <= counts[Arrival.BEFORE] <= 250
    assert counts[Arrival.REGISTERS] >= 25
    assert counts[Arrival.FOLLOWS] >= 15
    assert {p.ref for p in members()} == {f"M{n:05d}" for n in range(1, counts[Arrival.BEFORE] + 1)}


def test_who_only_follows_later_has_no_member_number_and_who_registers_has_one() -> None:
    for person in PEOPLE:
        match arrival(person.key, SEED):
            case Arrival.FOLLOWS:
                assert person.ref is None
                assert person.openid is not None
                assert not person.follows
            case Arrival.REGISTERS | Arrival.BEFORE:
                assert person.ref is not None


def test_channel_mixes_differ() -> None:
    mixes = Counter((bool(p.openid), bool(p.phone), bool(p.email)) for p in members())
    assert len(mixes) == 7
    assert mixes[True, True, True] > mixes[True, False, False] >= 8
    assert mixes[False, True, False] >= 8


def test_a_few_phones_and_mailboxes_are_dead() -> None:
    crowd = make_people(3000, SEED, START)
    phones, mailboxes = [p for p in crowd if p.phone], [p for p in crowd if p.email]
    assert 0.02 < sum(p.phone_dead for p in phones) / len(phones) < 0.04
    assert 0.02 < sum(p.mailbox_dead for p in mailboxes) / len(mailboxes) < 0.04
    assert not any(p.phone_dead and not p.phone for p in crowd)


def test_birthdays_of_every_kind_occur() -> None:
    birthdays = [person.birthday for person in PEOPLE if person.birthday]
    lunar = [b for b in birthdays if b.calendar == "lunar"]
    assert 0.25 < len(lunar) / len(birthdays) < 0.45
    assert any(b.leap for b in lunar)
    assert any((b.month, b.day) == (12, 30) for b in lunar)
    assert any((b.calendar, b.month, b.day) == ("solar", 2, 29) for b in birthdays)
    assert any(person.birthday is None for person in PEOPLE)


def test_several_solar_birthdays_fall_within_ninety_five_days() -> None:
    days = {(START + timedelta(days=n)).strftime("%m-%d") for n in range(95)}
    birthdays = [p.birthday for p in PEOPLE if p.birthday and p.birthday.calendar == "solar"]
    assert sum(f"{b.month:02d}-{b.day:02d}" in days for b in birthdays) >= 20


def test_birthdays_are_written_as_people_write_them() -> None:
    assert birthday_text(Birthday("solar", 5, 12, year=1990)) == "1990-05-12"
    assert birthday_text(Birthday("solar", 5, 12)) == "05-12"
    assert birthday_text(Birthday("lunar", 8, 15, year=1990)) == "农历1990年八月十五"
    assert birthday_text(Birthday("lunar", 4, 1, leap=True)) == "农历闰四月初一"
    assert birthday_text(Birthday("lunar", 12, 30)) == "农历腊月三十"
    assert birthday_text(Birthday("lunar", 11, 20)) == "农历冬月二十"
    assert birthday_text(Birthday("lunar", 1, 29)) == "农历正月廿九"


def test_every_birthday_written_is_read_back() -> None:
    for person in make_people(1500, SEED, START):
        if b := person.birthday:
            read = parse_anniversary(birthday_text(b))
            assert read is not None, b
            assert (str(read.calendar), read.month, read.day, read.leap) == (b.calendar, b.month, b.day, b.leap)
            assert read.year == b.year


def test_the_members_file_holds_exactly_the_members() -> None:
    exported = rows(members_csv(PEOPLE, SEED, START))
    assert tuple(exported[0]) == MEMBER_COLUMNS
    assert [row["member"] for row in exported] == [person.ref for person in members()]
    by_ref = {person.ref: person for person in PEOPLE}
    for row in exported:
        person = by_ref[row["member"]]
        assert (row["wechat"], row["email"]) == (person.openid or "", person.email or "")
        assert (phone(row["phone"]) if row["phone"] else None) == (f"+86{person.phone}" if person.phone else None)
        assert row["lifecycle"] in ("新客", "活跃", "沉睡", "流失")
        assert row["level"] in ("1", "2", "3", "4")
        assert row["employee"] in ("yes", "no")


def test_some_phones_in_the_members_file_are_messy_and_some_names_missing() -> None:
    exported = rows(members_csv(PEOPLE, SEED, START))
    assert any(" " in row["phone"] for row in exported)
    assert any("-" in row["phone"] for row in exported)
    assert any(row["phone"].startswith("+86") for row in exported)
    assert any(not row["name"] for row in exported)


def test_consents_name_only_channels_a_person_has() -> None:
    for person in members():
        for topic, channels in consents(person, SEED).items():
            assert topic in ("marketing", "survey", "lifecycle")
            assert channels
            assert all(person.address(channel) for channel in channels)


def test_consents_are_written_topic_by_topic_and_some_agreed_to_nothing() -> None:
    cells = Counter(row["consent"] for row in rows(members_csv(PEOPLE, SEED, START)))
    assert cells["marketing:all;survey:all;lifecycle:all"] > 100
    assert cells[""] >= 5
    assert any(cell.startswith("marketing:sms;") for cell in cells)


def test_the_events_file_is_two_hundred_days_of_history_in_order() -> None:
    exported = rows(events_csv(PEOPLE, SEED, START))
    assert tuple(exported[0]) == EVENT_COLUMNS
    moments = [read_moment(row["at"], ZONE) for row in exported]
    assert all(at is not None and START - timedelta(days=200) <= at < START for at in moments)
    assert moments == sorted(m for m in moments if m)
    ids = [row["id"] for row in exported]
    assert len(ids) == len(set(ids))
    assert {row["member"] for row in exported} <= {person.ref for person in members()}


def test_each_event_fills_its_own_columns_only() -> None:
    columns = {
        "order_paid": {"order_id", "amount", "category", "sku"},
        "order_delivered": {"order_id", "category", "sku", "grams"},
        "first_order_delivered": {"order_id"},
        "refund_completed": {"order_id", "amount"},
        "complaint_opened": {"reason"},
        "store_visited": {"store"},
    }
    exported = rows(events_csv(PEOPLE, SEED, START))
    assert {row["event"] for row in exported} == set(columns)
    for row in exported:
        filled = {name for name in EVENT_COLUMNS[4:] if row[name]}
        assert filled <= columns[row["event"]]
        assert filled >= columns[row["event"]] - {"grams"}


def test_lifecycle_and_points_follow_from_the_orders() -> None:
    spent: Counter[str] = Counter()
    last: dict[str, datetime] = {}
    for row in rows(events_csv(PEOPLE, SEED, START)):
        if row["event"] == "order_paid":
            spent[row["member"]] += int(row["amount"])
            last[row["member"]] = datetime.fromisoformat(row["at"])
    for row in rows(members_csv(PEOPLE, SEED, START)):
        assert int(row["points"]) == spent[row["member"]]
        if row["lifecycle"] in ("沉睡", "流失"):
            assert START - last[row["member"]] > timedelta(days=90)


def test_a_run_of_95_days_has_members_for_winback_nps_and_onboarding() -> None:
    until = START + timedelta(days=95)
    fell_silent = surveyed = welcomed = 0
    for person in PEOPLE:
        bought = orders(person, SEED, START, until)
        if not bought:
            continue
        ends = [order.paid_at for order in bought[1:]] + [until]
        silences = zip((order.paid_at + timedelta(days=90) for order in bought), ends, strict=True)
        fell_silent += any(START < crossed < ended for crossed, ended in silences)
        surveyed += bought[0].paid_at + timedelta(days=84) < until
        welcomed += START < bought[0].delivered_at < until
    assert 30 <= fell_silent <= 130
    assert 120 <= surveyed <= 260
    assert 30 <= welcomed <= 80
