"""Names, cities and addresses that nobody owns.

Mail domains end in `.example` (RFC 2606). The mainland numbering plan sets no numbers aside for fiction: ours carry
valid prefixes and four zeros behind them, which makes them easy to tell, and they are only ever dialled on loopback.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass

from engage.sandbox.draws import happens, weighted

_SURNAMES: tuple[tuple[str, str, float], ...] = (
    # The most frequent, weighted by their share of the population (Ministry of Public Security, 2020 report).
    ("王", "wang", 7.2),
    ("李", "li", 7.1),
    ("张", "zhang", 6.8),
    ("刘", "liu", 5.1),
    ("陈", "chen", 4.6),
    ("杨", "yang", 3.0),
    ("黄", "huang", 2.5),
    ("赵", "zhao", 2.3),
    ("吴", "wu", 2.0),
    ("周", "zhou", 2.0),
    ("徐", "xu", 1.4),
    ("孙", "sun", 1.4),
    ("马", "ma", 1.3),
    ("朱", "zhu", 1.2),
    ("胡", "hu", 1.2),
    ("林", "lin", 1.2),
    ("郭", "guo", 1.1),
    ("何", "he", 1.1),
    ("高", "gao", 1.0),
    ("罗", "luo", 1.0),
    ("郑", "zheng", 0.9),
    ("梁", "liang", 0.8),
    ("谢", "xie", 0.8),
    ("宋", "song", 0.8),
    ("欧阳", "ouyang", 0.2),
)
_GIVEN: tuple[tuple[str, str], ...] = (
    ("芳", "fang"),
    ("敏", "min"),
    ("静", "jing"),
    ("丽", "li"),
    ("伟", "wei"),
    ("磊", "lei"),
    ("军", "jun"),
    ("洋", "yang"),
    ("勇", "yong"),
    ("艳", "yan"),
    ("杰", "jie"),
    ("娟", "juan"),
    ("涛", "tao"),
    ("明", "ming"),
    ("超", "chao"),
    ("秀英", "xiuying"),
    ("建国", "jianguo"),
    ("桂兰", "guilan"),
    ("志强", "zhiqiang"),
    ("晓梅", "xiaomei"),
    ("雨桐", "yutong"),
    ("子涵", "zihan"),
    ("浩然", "haoran"),
    ("欣怡", "xinyi"),
    ("梓萱", "zixuan"),
    ("思远", "siyuan"),
    ("若琳", "ruolin"),
    ("文博", "wenbo"),
    ("嘉宁", "jianing"),
    ("海燕", "haiyan"),
    ("春华", "chunhua"),
    ("云飞", "yunfei"),
    ("佳怡", "jiayi"),
    ("宇轩", "yuxuan"),
    ("晓东", "xiaodong"),
    ("玉珍", "yuzhen"),
)
_CITIES = (
    ("上海", 5.0),
    ("杭州", 4.0),
    ("福州", 3.0),
    ("厦门", 3.0),
    ("北京", 3.0),
    ("广州", 2.0),
    ("深圳", 2.0),
    ("苏州", 2.0),
    ("南京", 2.0),
    ("成都", 2.0),
    ("武汉", 1.0),
    ("西安", 1.0),
)
_MAIL_DOMAINS = ("qq.example", "163.example", "126.example", "outlook.example")
_PREFIXES = (
    *("130", "131", "132", "133", "135", "136", "137", "138", "139"),
    *("150", "151", "152", "155", "156", "157", "158", "159", "166", "173", "175", "176", "177", "178"),
    *("180", "181", "182", "183", "185", "186", "187", "188", "189", "191", "195", "198", "199"),
)
_NUMBERS = len(_PREFIXES) * 10_000
_STRIDE = 213_487  # coprime with the size of the range: neighbours look unrelated and never meet
_OPENID_LETTERS = string.ascii_letters + string.digits + "-_"


@dataclass(frozen=True, slots=True)
class Name:
    written: str
    pinyin: str  # given name and surname, as people put it into a mail address


def a_name(rng: random.Random) -> Name:
    surname, surname_pinyin = weighted(rng, [((hanzi, pinyin), share) for hanzi, pinyin, share in _SURNAMES])
    given, given_pinyin = rng.choice(_GIVEN)
    return Name(surname + given, f"{given_pinyin}.{surname_pinyin}")


def a_city(rng: random.Random) -> str:
    return weighted(rng, _CITIES)


def phone_number(seed: int, number: int) -> str:
    """The mobile of person `number` (from 0): no two share one, up to 360,000 people."""
    place = (seed * 7_919 + number * _STRIDE) % _NUMBERS
    prefix, last_four = divmod(place, 10_000)
    return f"{_PREFIXES[prefix]}0000{last_four:04d}"


def mail_address(name: Name, number: int, rng: random.Random) -> str:
    local = name.pinyin if happens(rng, 0.5) else name.pinyin.replace(".", "")
    return f"{local}{number + 1:03d}@{rng.choice(_MAIL_DOMAINS)}"


def an_openid(rng: random.Random) -> str:
    """28 characters and an `o` in front, like the real ones."""
    return "o" + "".join(rng.choices(_OPENID_LETTERS, k=27))
