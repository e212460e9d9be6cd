"""Which member somebody at the terminal means."""

from __future__ import annotations

import re
from difflib import get_close_matches

from sqlalchemy import Connection

from engage.cli.ending import Ending, Refusal
from engage.cli.screen import Screen
from engage.content.values import show_masked
from engage.runtime.insight.finding import members_meant
from engage.store import members, reaching
from engage.store.members import MemberRef

_MANY_STARS = re.compile(r"\*{5,}")
_LOOKED_AT = 1000  # names that begin alike, and ids
_MOST_SHOWN = 10


def find_member(screen: Screen, connection: Connection, text: str) -> MemberRef:
    found = members_meant(connection, text)
    if not found:
        raise Refusal(_nobody(screen, connection, text), Ending.NO)
    if len(found) > 1:
        raise Refusal(_several(screen, connection, text, found), Ending.NO)
    return found[0]


def masked(address: str) -> str:
    """138****1234, o***: an openid is all stars, and three will do."""
    return _MANY_STARS.sub("***", show_masked(address) or "")


def _nobody(screen: Screen, connection: Connection, text: str) -> str:
    said = screen.word(f"no member is known as “{text}”", f"没有找到会员“{text}”")
    alike = get_close_matches(text, members.similar(connection, text, _LOOKED_AT), n=3, cutoff=0.5) if text else []
    if not alike:
        return said
    listed = screen.word(", ", "、").join(alike)
    return screen.word(f"{said}; did you mean {listed}?", f"{said}；是不是 {listed}？")


def _several(screen: Screen, connection: Connection, text: str, found: list[MemberRef]) -> str:
    points = reaching.contact_points(connection, found[:_MOST_SHOWN])
    lines = []
    for ref in found[:_MOST_SHOWN]:
        theirs = [f"{channel} {masked(p['address'])}" for (owner, channel), p in points.items() if owner == ref.id]
        key = members.external_id_of(connection, ref) or str(ref.id)
        lines.append("  " + " · ".join(filter(None, [key, members.name_of(connection, ref), *theirs])))
    more = len(found) - len(lines)
    if more:
        lines.append(screen.word(f"  … and {more} more", f"  ……还有 {more} 位"))
    head = screen.word(
        f"“{text}” is {len(found)} members; say which:", f"“{text}”有 {len(found)} 位会员，请写明是哪一位："
    )
    return "\n".join([head, *lines])
