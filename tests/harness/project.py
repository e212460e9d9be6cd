"""The shop that the harness plays: a few journeys that use all of the send protocol, and edits of them.

Every message says who it is for, for what, and which message it is (`m03x7k-r12-offer`): whoever reads its bytes knows
without asking us. The first word is the member's canary, which nobody else's bytes may carry.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from textwrap import dedent

from engage.content.project import Project, read_project

SAYING = re.compile(r"\b(m\d\d[a-z]\d[a-z])-(r\d+)-([a-z]\w*)", re.ASCII)
"""Canary, reference of the run, message."""

FALLS_BACK_AFTER = timedelta(hours=3)
"""In `promo`."""
ENOUGH_POINTS = 60
"""With more, nobody is thanked any more (`care`)."""

CATALOG = """
brand: { name: 山野茶事, sms_sign: 山野茶事, links: { shop: https://shop.example/ } }
timezone: Asia/Shanghai
fields:
  name: text
  points: number
  birthday: anniversary
events:
  bought: { ref: text }
  shipped: { ref: text }
  visited: { ref: text }
  asked_back: { ref: text }
  paid: { ref: text }
  refunded: { ref: text }
topics:
  service: { class: service, label: 服务通知 }
  survey: { class: marketing, label: 满意度调查 }
  marketing: { class: marketing, label: 活动与优惠 }
segments:
  有积分: { points: 1.. }
teams:
  客服: { webhook: robot }
webhooks: [coupon]
"""

CARE = """
journey: 订单关怀
start: { event: bought }
per: event.ref
reentry: always
topic: service
exit_if: { event: refunded }
steps:
  - send: receipt
    channels: [wechat, sms]
  - wait: 20m
  - send: booking
    on_ambiguous: repeat
    channels: [sms]
  - webhook: coupon
    with: { ref: "{{ event.ref }}" }
    on_fail: continue
  - wait: 2h
  - send: thanks
    channels: [email]
    only_if: { points: ..60 }
  - notify: 客服
    task: 请回访 {{ member.name }}
"""

PROMO = """
journey: 到货优惠
start: { event: shipped }
per: event.ref
reentry: always
topic: marketing
goal: { event: paid, within: 5d }
channels: { try: [sms, email], fallback: 3h }
steps:
  - send: offer
  - wait_for: clicked
    up_to: 8h
  - split: 语气
    ways:
      软: { share: 50%, steps: [ { send: soft } ] }
      硬: { share: 50%, steps: [ { send: hard } ] }
    winner: { by: clicked, after: 20h, at_least: 1 }
  - wait: 20h
"""

CLUB = """
journey: 会员活动
start: { event: visited }
per: event.ref
reentry: always
topic: marketing
channels: [email]
steps:
  - send: club_one
  - wait: 4h
  - send: club_two
    late: 2h
  - wait: 26h
  - send: club_three
"""

SURVEY = """
journey: 回访
start: { event: asked_back }
per: event.ref
reentry: always
topic: survey
channels: [wechat, sms]
steps:
  - ask: nps
    question: "{{ member.name }}-{{ event.ref }}-nps"
    comment: "{{ member.name }}-{{ event.ref }}-why"
    answer_within: 9h
    remind: 3h
  - switch: nps
    cases:
      0..6:
        - send: sorry
          topic: service
      7..10:
        - send: glad
      no_answer: []
"""

NAG = """
journey: 催办
start: { event: bought }
per: event.ref
reentry: always
topic: service
steps:
  - send: nag
    channels: [wechat]
  - wait: 5h
  - goto: nag
    at_most: 1
"""

TREAT = """
journey: 积分礼
start: { segment: 有积分 }
topic: marketing
channels: [email]
steps:
  - send: treat
  - wait: 1h
"""

BIRTHDAY = """
journey: 生日
start: { date: birthday, at: 15:00 }
topic: marketing
channels: [sms, email]
steps:
  - send: cheers
  - wait: 1h
"""

JOURNEYS: Mapping[str, str] = {
    "birthday": BIRTHDAY,
    "treat": TREAT,
    "care": CARE,
    "promo": PROMO,
    "club": CLUB,
    "survey": SURVEY,
    "nag": NAG,
}

# What staff may apply in mid-flight. None of them adds a journey or takes one away.
EDITS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "as it was": {},
    "care waits longer": {"care": ("wait: 20m", "wait: 50m")},
    "care says less": {"care": ("  - send: thanks\n    channels: [email]\n    only_if: { points: ..60 }\n", "")},
    "promo by mail": {"promo": ("try: [sms, email]", "try: [email, sms]")},
    "club says more": {"club": ("  - wait: 4h\n", "  - wait: 4h\n  - send: club_extra\n")},
}

SERVICE = frozenset({"receipt", "booking", "thanks", "sorry", "nag"})
MARKETING = frozenset({"offer", "soft", "hard", "club_one", "club_two", "club_three", "club_extra", "treat", "cheers"})
REPEATED = frozenset({"booking"})
"""Their steps say `on_ambiguous: repeat`."""
CONVERSATION = frozenset({"nps", "why", "sorry", "glad"})
"""Questions, and answers to the member's own words: they use no cap, and may go out where others wait."""

_JOURNEY_OF = {
    "receipt": "care", "booking": "care", "thanks": "care", "nag": "nag", "offer": "promo", "soft": "promo",
    "hard": "promo", "nps": "survey", "why": "survey", "sorry": "survey", "glad": "survey", "treat": "treat",
    "cheers": "birthday",
    "confirm": None,
}  # fmt: skip


def journey_of(message: str) -> str | None:
    return "club" if message.startswith("club") else _JOURNEY_OF[message]


_PRINTED = re.compile(r"\{\{ ([\w.]+) \}\}")


@cache
def files(edit: str = "as it was") -> Mapping[str, str]:
    texts = {name: dedent(text).lstrip() for name, text in JOURNEYS.items()}
    for name, (old, new) in EDITS[edit].items():
        assert old in texts[name], f"{name} has no “{old}”"
        texts[name] = texts[name].replace(old, new)
    journeys = {f"journeys/{name}.yaml": text for name, text in texts.items()}
    return {"journeys/catalog.yaml": CATALOG.lstrip()} | journeys | _templates()


@cache
def project(edit: str = "as it was") -> Project:
    read, problems = read_project(dict(files(edit)))
    assert read is not None, [f"{p.span.file}:{p.span.line} {p.message.en}" for p in problems]
    return read


def _templates() -> dict[str, str]:
    made: dict[str, str] = {}
    for name in (*SERVICE, *MARKETING, "glad"):
        ref = "r0" if name in ("treat", "cheers") else "{{ event.ref }}"
        made |= _template(name, f"{{{{ member.name }}}}-{ref}-{name}")
    for name in ("ask-nps", "ask-comment"):
        made |= _template(name, "{{ question }}")
    return made | _template("optout-confirm", "{{ member.name }}-r0-confirm")


def _template(name: str, saying: str) -> dict[str, str]:
    fields = f'{{ thing1: "{saying}", thing2: "{{{{ member.points }}}}" }}'
    keyed = f"---\ntemplate_message: {{ id: TM_1, data: {fields} }}\n---\n" if name in SERVICE else ""
    refuse = "" if name in SERVICE or name == "optout-confirm" else "拒收请回复R"
    score = "，积分{{ member.points }}" if name in REPEATED else ""
    params = ", ".join(f'{key.split(".")[-1]}: "{{{{ {key} }}}}"' for key in _PRINTED.findall(saying + score))
    head = f"---\nsms_template: SMS_{name}\nparams: {{ {params} }}\n---\n"
    links = '<p><a href="{{ link(\'shop\') }}">看</a><a href="{{ unsubscribe_url }}">退订</a></p>'
    return {
        f"templates/{name}.wechat.j2": f"{keyed}{saying}\n",
        f"templates/{name}.sms.j2": f"{head}{saying}{score}{refuse}\n",
        f"templates/{name}.email.j2": f'---\nsubject: "{saying}"\n---\n<p>{saying}</p>\n{links}\n',
    }
