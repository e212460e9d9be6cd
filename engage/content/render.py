"""Words for one member: the template, what is known, and the links of one delivery → what a channel puts on the wire.

A value that is missing stops the message and is named; it never prints as a gap, `None` or `nan`. Pure: the same
arguments give the same words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

from jinja2.exceptions import TemplateError
from markupsafe import Markup

from engage.content import values
from engage.content.grammar import Wording, read_wording
from engage.content.links import LinkMaker
from engage.content.mail import finish_mail
from engage.content.sandbox import PRINTER, Printer, room_functions
from engage.content.stencil import Stencil
from engage.content.template import Template
from engage.content.values import DASH, Tame
from engage.core.words import Rendered

# Bytes of finished words. WeChat refuses texts over 2048; an SMS has 500 characters at most; Gmail cuts at 102 kB.
_LIMITS: Mapping[str, int] = {"wechat": 2048, "sms": 1500, "email": 102_000}
_WORDS_LIMIT = 8_000
_TAMED: Mapping[str, Tame] = {"wechat": values.for_wechat, "sms": values.for_sms}
_LEFTOVER = re.compile(r"\{[{%#]")

# What evaluating a template can raise: its own errors, and Python's about operands, ranges and arguments.
_FAULTS = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Missing:
    """The message cannot be worded for this member. `names` are the values it needs, where that is the cause."""

    names: tuple[str, ...]
    why: str


def render(template: Template, context: Mapping[str, Any], links: LinkMaker) -> Rendered | Missing:
    """`context` holds plain mappings and values: `member`, `event`, `var`, answers by step id, `journey`, `brand`,
    `now`, and for asks `question` and `options`. `now` is told in the member's zone: dates are printed in it."""
    return _Rendering(template, context, links).run()


def render_words(source: str, context: Mapping[str, Any]) -> str:
    """`task` and `with`: a missing value prints — and stops nothing. Raises ValueError for words `check` refuses."""
    wording = _read_words(source)
    printer = Printer(_zone(context), values.as_is, blank=DASH)
    try:
        return _generate(wording, {**context, **room_functions(_no_link, _no_link), PRINTER: printer}, _WORDS_LIMIT)
    except _FAULTS:
        return DASH


@lru_cache(maxsize=1024)
def _read_words(source: str) -> Wording:
    read = read_wording(source)
    if isinstance(read, list):
        raise ValueError(f"these words cannot be read: {read[0].message.en}")
    return read


def _no_link(*_: object) -> str:
    """Only messages have links."""
    return DASH


def _zone(context: Mapping[str, Any]) -> tzinfo:
    now = context.get("now")
    return (now.tzinfo if isinstance(now, datetime) else None) or UTC


class _TooLong(ValueError):
    pass


def _generate(wording: Wording, context: Mapping[str, Any], limit: int) -> str:
    if not wording.varies:
        return wording.source
    parts: list[str] = []
    length = 0
    for part in wording.compiled.generate(context):
        length += len(part.encode())
        if length > limit:
            raise _TooLong(f"longer than {limit} bytes")
        parts.append(part)
    return "".join(parts)


class _Rendering:
    """One message being worded. Collects what is missing over all its parts, so that the reason names everything."""

    def __init__(self, template: Template, context: Mapping[str, Any], links: LinkMaker) -> None:
        self._template = template
        self._limit = _LIMITS[template.channel]
        missing: list[str] = []
        self._missing = missing
        zone = _zone(context)
        self._zone = zone
        self._body_printer = self._printer(_TAMED.get(template.channel, values.as_is))
        self._line_printer = self._printer(values.for_sms if template.channel == "sms" else values.one_line)
        member = {name: value for name, value in context.get("member", {}).items() if not values.is_blank(value)}
        self._links = links
        self._context: dict[str, Any] = {
            **context,
            **room_functions(links.link, links.survey_link),
            "member": {**template.defaults, **member},
            "unsubscribe_url": links.unsubscribe_url,
        }

    def _printer(self, tame: Tame) -> Printer:
        return Printer(self._zone, tame, missing=self._missing)

    def run(self) -> Rendered | Missing:
        try:
            rendered = self._rendered()
        except _FAULTS as error:
            return Missing((), f"the template could not be filled: {error}")
        if self._missing:
            names = tuple(dict.fromkeys(self._missing))
            return Missing(names, f"nothing to print for {', '.join(names)}")
        return rendered

    def _rendered(self) -> Rendered:
        front = self._front(self._template.front, ())
        subject, preheader = front.pop("subject", None), front.pop("preheader", None)
        front.pop("layout", None)
        if self._template.channel != "email":
            return Rendered(self._say(self._template.body, self._body_printer).strip(), subject, preheader, front)
        html, plain = self._mail(subject, preheader)
        return Rendered(html, subject, preheader, front, plain)

    def _mail(self, subject: str | None, preheader: str | None) -> tuple[str, str]:
        stencil = Stencil()
        marked = self._whole_mail(self._printer(stencil.mark), subject, preheader)
        if len(marked.encode()) + stencil.longer_by > self._limit:
            raise _TooLong(f"longer than {self._limit} bytes")
        finished = stencil.finish(marked)
        if finished is None:
            self._context |= room_functions(self._links.link, self._links.survey_link)  # loops are counted anew
            finished = finish_mail(self._whole_mail(self._body_printer, subject, preheader))
        return finished

    def _whole_mail(self, printer: Printer, subject: str | None, preheader: str | None) -> str:
        body = self._say(self._template.body, printer).strip()
        if self._template.layout is None:
            return body
        around = {**self._context, "content": Markup(body), "subject": subject, "preheader": preheader}  # noqa: S704
        return self._say(self._template.layout, printer, around)

    def _front(self, front: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        return {
            key: self._front(value, (*path, key))
            if isinstance(value, Mapping)
            else self._say(self._template.words[(*path, key)], self._line_printer).strip()
            for key, value in front.items()
        }

    def _say(self, wording: Wording, printer: Printer, context: Mapping[str, Any] | None = None) -> str:
        said = _generate(wording, {**(context or self._context), PRINTER: printer}, self._limit)
        if wording.varies and _LEFTOVER.search(said):
            raise ValueError("the finished words still contain template marks")
        return said
