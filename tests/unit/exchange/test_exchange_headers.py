"""Columns find their place by their heading, in Chinese or English; what is not understood is said."""

from __future__ import annotations

import pytest
from exchange_builders import CATALOG

from engage.core.catalog import Brand, Catalog, Field
from engage.core.condition import ValueType
from engage.core.problem import Said
from engage.exchange.headers import Columns, event_columns, member_columns


def the_columns(*headings: str) -> Columns:
    found = member_columns(headings, CATALOG)
    assert isinstance(found, Columns), found
    return found


@pytest.mark.parametrize(
    ("heading", "place"),
    [
        ("手机", "addresses.sms"),
        ("手机号", "addresses.sms"),
        ("*手机号（必填）", "addresses.sms"),
        ("手机号码:", "addresses.sms"),
        ("电话", "addresses.sms"),
        ("Phone", "addresses.sms"),
        ("PHONE NUMBER", "addresses.sms"),
        ("mobile-phone", "addresses.sms"),
        ("ｐｈｏｎｅ", "addresses.sms"),
        ("邮箱", "addresses.email"),
        ("E-mail", "addresses.email"),
        ("微信", "addresses.wechat"),
        ("微信openid", "addresses.wechat"),
        ("OpenID", "addresses.wechat"),
        ("姓名", "fields.name"),
        ("Name", "fields.name"),
        ("城市", "fields.city"),
        ("生日", "fields.birthday"),
        ("出生日期", "fields.birthday"),
        ("生活阶段", "fields.lifecycle"),
        ("lifecycle", "fields.lifecycle"),
        ("会员等级", "fields.level"),
        ("积分", "fields.points"),
        ("是否员工", "fields.employee"),
        ("contract_end", "fields.contract_end"),
        ("合同到期日", "fields.contract_end"),
        ("标签", "tags"),
        ("时区", "timezone"),
        ("同意", "consents"),
        ("consent", "consents"),
    ],
)
def test_a_heading_finds_its_place(heading: str, place: str) -> None:
    assert the_columns("member", heading).at == {"member": "member", place: heading}


@pytest.mark.parametrize("heading", ["会员号", "会员编号", "会员ID", "member", "Member ID", "member_no", "customer_id"])
def test_the_member_goes_by_many_names(heading: str) -> None:
    assert the_columns(heading).at == {"member": heading}


def test_a_field_that_only_this_catalog_has_is_found_by_its_own_name() -> None:
    catalog = Catalog(Brand("b", "b", {}), "Asia/Shanghai", fields={"茶龄": Field("茶龄", ValueType.NUMBER)})
    found = member_columns(["会员号", "茶龄", "城市"], catalog)
    assert isinstance(found, Columns)
    assert found.at == {"member": "会员号", "fields.茶龄": "茶龄"}
    assert [ignored.column for ignored in found.ignored] == ["城市"]  # a known word, but no such field


def test_what_is_ignored_is_said_with_a_suggestion() -> None:
    ignored = {column.column: column.hint for column in the_columns("会员号", "城市名", "备注", "phne").ignored}
    assert list(ignored) == ["城市名", "备注", "phne"]
    assert ignored["城市名"] is not None
    assert "「城市」" in ignored["城市名"].zh
    assert ignored["phne"] is not None
    assert "“phone”" in ignored["phne"].en
    assert ignored["备注"] is None


def test_computed_fields_and_wechat_names_are_not_read_and_say_why() -> None:
    ignored = {column.column: column.hint for column in the_columns("会员号", "orders", "微信号").ignored}
    assert ignored["orders"] is not None
    assert "事件" in ignored["orders"].zh
    assert ignored["微信号"] is not None
    assert "openid" in ignored["微信号"].zh


def test_two_columns_that_mean_the_same_are_an_error() -> None:
    found = member_columns(["会员号", "手机", "电话"], CATALOG)
    assert isinstance(found, Said)
    assert "「手机」和「电话」" in found.zh


@pytest.mark.parametrize("headings", [["姓名", "手机"], ["#1", "#2"], ["M00001", "王芳", "13800138000"]])
def test_without_a_member_column_nothing_is_read(headings: list[str]) -> None:
    found = member_columns(headings, CATALOG)
    assert isinstance(found, Said)
    assert "会员号" in found.zh


def test_event_columns_are_the_four_and_the_payload_keys() -> None:
    found = event_columns(["流水号", "会员号", "事件", "发生时间", "订单号", "amount", "备注"], CATALOG)
    assert isinstance(found, Columns)
    assert found.at == {
        "id": "流水号",
        "member": "会员号",
        "event": "事件",
        "at": "发生时间",
        "data.order_id": "订单号",
        "data.amount": "amount",
    }
    assert [ignored.column for ignored in found.ignored] == ["备注"]


def test_what_events_lack_is_named_all_at_once() -> None:
    found = event_columns(["会员号", "订单号"], CATALOG)
    assert isinstance(found, Said)
    assert "事件名" in found.zh
    assert "时间" in found.zh
