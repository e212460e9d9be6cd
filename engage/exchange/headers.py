"""What the columns of a file are for. A column finds its place by its heading, in Chinese or English.

Fields of the catalog are found by their own names; the words below are also understood. Case, spaces, `_`, `-`, a star
and remarks in brackets do not matter: `*手机号（必填）` is 手机号. What is not understood is ignored, and said so.

A place is written as `core.intake` writes it (`member`, `fields.city`, `addresses.sms`, `data.amount`), so that what it
finds wrong can be told with the column's own heading.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engage.core.catalog import Catalog
from engage.core.problem import Said

_MEMBER = (
    *("会员号", "会员编号", "会员ID", "会员卡号", "客户号", "客户编号", "客户ID", "用户ID"),
    *("member", "member_id", "member_no", "customer_id", "user_id", "external_id"),
)
MEMBER_WORDS: Mapping[str, tuple[str, ...]] = {
    "member": _MEMBER,
    "addresses.sms": (
        *("手机", "手机号", "手机号码", "会员手机", "联系手机", "电话", "电话号码", "联系电话", "短信"),
        *("phone", "phone_number", "mobile", "mobile_phone", "cellphone", "tel", "sms"),
    ),
    "addresses.email": ("邮箱", "电子邮箱", "邮箱地址", "邮件", "电子邮件", "email", "e-mail", "mail", "email_address"),
    "addresses.wechat": ("微信", "openid", "微信openid", "公众号openid", "wechat", "wechat_openid"),
    "tags": ("标签", "会员标签", "tags", "tag"),
    "timezone": ("时区", "timezone", "time_zone", "tz"),
    "consents": ("同意", "授权", "同意接收", "营销授权", "consent", "consents"),
}
# Only where the catalog has a field of that name.
FIELD_WORDS: Mapping[str, tuple[str, ...]] = {
    "name": ("姓名", "名字", "称呼", "昵称", "会员姓名", "客户姓名", "full_name", "nickname"),
    "city": ("城市", "所在城市", "常住城市"),
    "birthday": ("生日", "出生日期", "会员生日", "birth_date", "date_of_birth", "dob"),
    "lifecycle": ("生活阶段", "生命周期", "会员阶段", "lifecycle_stage"),
    "level": ("会员等级", "等级", "会员级别"),
    "points": ("积分", "会员积分", "可用积分"),
    "employee": ("员工", "是否员工", "内部员工"),
    "contract_end": ("合同到期", "合同到期日", "到期日"),
}
EVENT_WORDS: Mapping[str, tuple[str, ...]] = {
    "id": ("编号", "事件编号", "事件ID", "流水号", "id", "event_id"),
    "member": _MEMBER,
    "event": ("事件", "事件名", "事件名称", "event", "event_name"),
    "at": ("时间", "发生时间", "事件时间", "日期时间", "at", "time", "timestamp", "occurred_at"),
}
# Only where an event of the catalog has a payload key of that name.
PAYLOAD_WORDS: Mapping[str, tuple[str, ...]] = {
    "order_id": ("订单号", "订单编号", "订单ID"),
    "amount": ("金额", "订单金额", "实付金额"),
    "category": ("品类", "类目", "商品类目"),
    "store": ("门店", "店铺"),
    "reason": ("原因",),
}

_REMARK = re.compile(r"\(.*?\)|\[.*?\]|【.*?】")
_DECORATION = re.compile(r"[\s_\-*:·.]")


@dataclass(frozen=True, slots=True)
class Ignored:
    column: str
    hint: Said | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """`at[place]` is the heading of the column for that place."""

    at: Mapping[str, str]
    ignored: tuple[Ignored, ...]

    def heading(self, place: str) -> str | None:
        """The column that something in this place was read from; `consents.topic` came from the one for `consents`."""
        return self.at.get(place) or self.at.get(place.partition(".")[0])

    def under(self, prefix: str, values: Mapping[str, str]) -> dict[str, str]:
        """What a row says for each place under a prefix: `{"city": "上海"}` for `fields.`."""
        return {
            place.removeprefix(prefix): values[column] for place, column in self.at.items() if place.startswith(prefix)
        }


def member_columns(headings: Iterable[str], catalog: Catalog) -> Columns | Said:
    places = {
        **_places(MEMBER_WORDS),
        **_places({f"fields.{name}": words for name, words in FIELD_WORDS.items() if name in catalog.fields}),
        **_places({f"fields.{name}": (name,) for name, field in catalog.fields.items() if field.computed is None}),
    }
    hints = {_word(name): _COMPUTED for name, field in catalog.fields.items() if field.computed is not None}
    return _found(headings, places, ("member",), hints | {_word("微信号"): _WECHAT_NAME})


def event_columns(headings: Iterable[str], catalog: Catalog) -> Columns | Said:
    keys = {key for event in catalog.events.values() for key in event.payload}
    places = {
        **_places({f"data.{name}": words for name, words in PAYLOAD_WORDS.items() if name in keys}),
        **_places({f"data.{key}": (key,) for key in sorted(keys)}),
        **_places(EVENT_WORDS),
    }
    return _found(headings, places, ("member", "event", "at"), {})


def _found(
    headings: Iterable[str], places: Mapping[str, tuple[str, str]], required: Iterable[str], hints: Mapping[str, Said]
) -> Columns | Said:
    at: dict[str, str] = {}
    ignored = []
    for heading in headings:
        place, _ = places.get(_word(heading), (None, ""))
        if place is None:
            ignored.append(Ignored(heading, hints.get(_word(heading)) or _suggestion(heading, places)))
        elif place in at:
            return _same(at[place], heading)
        else:
            at[place] = heading
    missing = [place for place in required if place not in at]
    return _missing(missing, ignored) if missing else Columns(at, tuple(ignored))


def _places(words: Mapping[str, Iterable[str]]) -> dict[str, tuple[str, str]]:
    """By the word as compared: the place, and the word as written."""
    return {_word(word): (place, word) for place, spellings in words.items() for word in spellings}


def _word(heading: str) -> str:
    plain = unicodedata.normalize("NFKC", heading).casefold()
    return _DECORATION.sub("", _REMARK.sub("", plain))


# --- words ------------------------------------------------------------------------------------------------------

_COMPUTED = Said("Engage keeps this one itself, from events", "这一项由系统按事件计算，不从文件读取")
_WECHAT_NAME = Said(
    "a WeChat name cannot be written to; the openid of your official account can",
    "公众号无法用微信号发消息，需要会员在公众号里的 openid",
)
_NAMES = {
    "member": Said("the member's id (member, 会员号)", "会员号（会员号、会员编号、member）"),
    "event": Said("the event's name (event, 事件)", "事件名（事件、event）"),
    "at": Said("the time (at, 发生时间)", "时间（发生时间、at）"),
}


def _suggestion(heading: str, places: Mapping[str, tuple[str, str]]) -> Said | None:
    close = difflib.get_close_matches(_word(heading), list(places), n=1, cutoff=0.75)
    if not close:
        return None
    word = places[close[0]][1]
    return Said(f"did you mean “{word}”?", f"是不是「{word}」？")


def _same(first: str, second: str) -> Said:
    return Said(
        f"the columns “{first}” and “{second}” mean the same; keep one of them",
        f"「{first}」和「{second}」两列是同一个意思，请只留一列",
    )


def _missing(missing: list[str], ignored: list[Ignored]) -> Said:
    en = ", ".join(_NAMES[place].en for place in missing)
    zh = "、".join(_NAMES[place].zh for place in missing)
    seen_en = ", ".join(f"“{column.column}”" for column in ignored[:8])
    seen_zh = "".join(f"「{column.column}」" for column in ignored[:8])
    return Said(
        f"no column for {en}" + (f"; not understood: {seen_en}" if ignored else ""),
        f"缺少这些列：{zh}" + (f"；看不懂的列：{seen_zh}" if ignored else ""),
    )
