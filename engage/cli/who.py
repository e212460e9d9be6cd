"""Which member somebody at the terminal means."""

from __future__ import annotations

from sqlalchemy import Connection

from engage.cli.ending import Ending, Refusal
from engage.cli.screen import Screen
from engage.core import intake
from engage.store import members
from engage.store.members import MemberRef


def find_member(screen: Screen, connection: Connection, text: str) -> MemberRef:
    """By the shop's id, a phone number however it is written, a mail address, an openid, a name, or our own id."""
    readings = dict.fromkeys([text, intake.phone(text), intake.email(text)])
    found = sorted({ref for reading in readings if reading for ref in members.lookup(connection, reading)})
    if not found:
        raise Refusal(screen.word(f"no member is known as “{text}”", f"没有找到会员“{text}”"), Ending.NO)
    if len(found) > 1:
        ids = ", ".join(members.external_id_of(connection, ref) or str(ref.id) for ref in found)
        raise Refusal(
            screen.word(f"“{text}” may be any of {ids}; say which", f"“{text}”可能是 {ids}，请写明是哪一位"),
            Ending.NO,
        )
    return found[0]
