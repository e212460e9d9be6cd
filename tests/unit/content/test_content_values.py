"""What values look like to a reader, and which are nothing to read."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from content_builders import NOW, SHANGHAI, body_of, said

from engage.content import values
from engage.content.render import Missing
from engage.core.words import Rendered

BLANKS = [None, "", "  ", "\n", float("nan"), float("inf"), Decimal("NaN"), "None", "nan", "NaN", "null", "—", [], {}]


@pytest.mark.parametrize("blank", BLANKS)
def test_a_blank_value_is_missing_wherever_it_is_printed(blank: Any) -> None:
    assert said("{{ member.city }}", {"member": {"city": blank}}) == Missing(
        ("member.city",), "nothing to print for member.city"
    )
    assert isinstance(said("{{ question }}", {"question": blank}), Missing)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("268.0000"), "268"),
        (Decimal("35.5000"), "35.5"),
        (Decimal("1E+3"), "1000"),
        (9, "9"),
        (0, "0"),
        (9.0, "9"),
        (0.1, "0.1"),
        (True, "是"),
        (False, "否"),
        (" 王芳 ", "王芳"),
        ("王\x00芳\x1b", "王芳"),
        (date(2026, 2, 9), "2026年2月9日"),
        (datetime(2026, 11, 22, 20, 0, tzinfo=UTC), "2026年11月23日"),
        (["岩茶", "红茶"], "岩茶、红茶"),
    ],
)
def test_values_as_people_read_them(value: Any, shown: str) -> None:
    assert body_of("{{ member.city }}", {"member": {"city": value}}) == shown


def test_a_structure_is_never_printed() -> None:
    assert isinstance(said("{{ member.city }}", {"member": {"city": {"a": 1}}}), Missing)
    assert isinstance(said("{{ member.city }}", {"member": {"city": object()}}), Missing)


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("member.last_order_at | day", "11月23日"),
        ("member.last_order_at | date", "2026年11月23日"),
        ("member.last_order_at | time", "04:00"),
        ("event.order_id | day", "12月1日"),
        ("member.spent | money", "¥1,268"),
        ("event.amount | money", "¥35.50"),
        ("member.spent | round", "1268"),
        ("member.city | cut(4)", "武夷山…"),
        ("member.name | mask", "138****1234"),
        ("options | numbered", "1 岩茶，2 红茶"),
        ("options | join('/')", "岩茶/红茶"),
        ("options | length", "2"),
        ("question | default('您')", "您"),
        ("question | day | default('近日')", "近日"),
        ("question | default(member.city | cut(3))", "武夷…"),
        ("member.spent - 268", "1000"),
        ("member.spent * 0.5", "634"),
        ("'是' if member.spent > 1000 else '否'", "是"),
    ],
)
def test_filters_and_sums(expression: str, shown: str) -> None:
    context = {
        "member": {
            "name": "+8613800001234",
            "city": "武夷山市区",
            "spent": Decimal("1268.0000"),
            "last_order_at": datetime(2026, 11, 22, 20, 0, tzinfo=UTC),
        },
        "event": {"order_id": "2026-12-01T09:30:00+08:00", "amount": "35.5"},
        "options": ["岩茶", "红茶"],
    }
    assert body_of(f"{{{{ {expression} }}}}", context) == shown


@pytest.mark.parametrize("name", ["date", "day", "time", "money", "mask", "cut(3)", "round", "numbered", "join"])
def test_a_filter_on_a_missing_value_leaves_it_missing(name: str) -> None:
    found = said(f"{{{{ member.city | {name} }}}}")
    assert found == Missing(("member.city",), "nothing to print for member.city")


def test_dates_are_told_in_the_zone_of_now() -> None:
    assert values.show_day(datetime(2026, 1, 1, 17, 0, tzinfo=UTC), SHANGHAI) == "1月2日"
    assert body_of("{{ now | day }}", {"now": NOW.astimezone(UTC)}) == "11月23日"


@pytest.mark.parametrize(
    ("value", "shown"), [("wang@example.com", "w***@example.com"), ("王小芳", "王**"), ("13800001234", "138****1234")]
)
def test_masking(value: str, shown: str) -> None:
    assert values.show_masked(value) == shown


@pytest.mark.parametrize("value", ["不是日期", "2026-13-40", 7, None])
def test_what_is_no_date_prints_nothing(value: Any) -> None:
    assert values.show_date(value, SHANGHAI) is None


def test_an_author_may_choose_to_print_nothing() -> None:
    assert body_of("您好{{ member.city | default('') }}。") == "您好。"


def test_a_blank_may_be_tested() -> None:
    source = "{% if member.city %}{{ member.city }}{% else %}附近{% endif %}{% if nps.comment %}x{% endif %}"
    assert body_of(source, {"member": {"city": float("nan")}}) == "附近"


def test_nothing_is_above_or_below_a_missing_number() -> None:
    assert body_of("{% if member.spent > 5 or member.spent <= 5 %}有{% else %}无{% endif %}") == "无"


def test_all_missing_values_are_named_once() -> None:
    found = said("{{ member.city }}{{ event.order_id }}{{ member.city }}{{ nps.score }}")
    assert isinstance(found, Missing)
    assert found.names == ("member.city", "event.order_id", "nps.score")


def test_the_catalog_default_stands_in_for_a_missing_field() -> None:
    assert body_of("{{ member.name }}，您好", {"member": {"name": None}}) == "茶友，您好"
    assert body_of("{{ member.name }}，您好", {"member": {"name": "王芳"}}) == "王芳，您好"


def test_an_sms_prints_neither_signatures_nor_web_addresses_of_others() -> None:
    source = '---\nsms_template: SMS_1\nparams: { name: "{{ member.name }}" }\n---\n{{ member.name }}您好'
    rendered = said(source, {"member": {"name": "王【银行】\n芳"}}, "sms")
    assert isinstance(rendered, Rendered)
    assert rendered.body == "王〔银行〕 芳您好"
    assert rendered.front == {"sms_template": "SMS_1", "params": {"name": "王〔银行〕 芳"}}
    for name in ("领奖http://x.y", "加www.x.y", "evil.com送礼"):
        assert isinstance(said(source, {"member": {"name": name}}, "sms"), Missing)


def test_a_wechat_text_makes_no_link_of_a_members_words() -> None:
    assert body_of("{{ nps.comment }}", {"nps": {"comment": '<a href="http://x.y">领奖</a>'}}).count("<") == 0
