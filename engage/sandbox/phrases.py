"""What people in the sandbox type: comments by mood, small talk, and the words that end it."""

from __future__ import annotations

import random

from engage.sandbox.draws import weighted

# Mood runs from 0 (angry) to 1 (delighted).
_SOUR = (
    "包装破了两次",
    "茶有点潮，打开有味道",
    "快递太慢，等了六天",
    "客服一直没人回",
    "和上次买的味道不一样",
    "价格涨了，分量少了",
    "泡出来发苦，说明书也没有",
    "少发了一罐，补寄又等一周",
)
_EVEN = (
    "茶不错，包装可以再简单点",
    "希望多一些小包装",
    "还可以，就是运费有点贵",
    "想要一份冲泡说明",
    "水仙比肉桂合口味",
    "门店离得远，线上货不全",
    "要是能选发货时间就好了",
)
_GLAD = (
    "茶很好，朋友都问哪里买的",
    "老枞香气很足，会再来",
    "店里的姑娘泡茶很耐心",
    "一直喝你们家，放心",
    "包装用心，送人有面子",
    "发货快，茶也新鲜",
    "没什么要改的，保持就好",
)
_SOUR_BELOW, _GLAD_FROM = 0.65, 0.85

# No digit stands first in any of these: they answer no question.
SMALL_TALK = (
    "你们几点关门",
    "你好，在吗",
    "周末人民路店开门吗",
    "有没有适合送长辈的茶",
    "白茶可以煮着喝吗",
    "我想改一下收货地址",
    "发票怎么开",
    "上次那款还有货吗",
    "茶叶放冰箱还是放柜子里",
    "积分在哪里看",
)
THANKS = ("谢谢", "收到，谢谢", "好的", "知道了", "有心了")
PUZZLED = ("怎么打分", "点哪里评价啊", "这个是问什么的", "晚点再说")
ANSWERS_TO_CARE = ("下午三点以后打给我", "电话不方便，就在这里说吧", "希望真能改", "谢谢回复，我等电话")
# Meant as a refusal, but not one of the words that a machine may take for one: a person has to read these.
GRUMBLES = ("别再给我发了", "怎么老发这些", "不需要，谢谢")
GREETINGS = ("你好", "你好，想了解一下岩茶", "在门店扫码进来的", "这里可以下单吗")

SMS_REFUSALS = ("R", "r", "TD", "退订", "T", "Ｒ")
WECHAT_REFUSALS = ("退订", "TD")
REFUSALS = frozenset({*SMS_REFUSALS, *WECHAT_REFUSALS})


def comment(mood: float, rng: random.Random) -> str:
    if mood < _SOUR_BELOW:
        return rng.choice(_SOUR)
    return rng.choice(_GLAD if mood >= _GLAD_FROM else _EVEN)


def score_as_typed(score: int, mood: float, rng: random.Random) -> str:
    """`9`, `9分`, `１０`, `3 包装破了`."""
    full_width = "".join(chr(ord(digit) + 0xFEE0) for digit in str(score))
    forms = (
        (str(score), 0.74),
        (f"{score}分", 0.12),
        (full_width, 0.05),
        (f"{score} {comment(mood, rng)}", 0.09),
    )
    return weighted(rng, forms)
