"""Whom somebody means by a piece of text: an id, a name, or an address however it is written."""

from __future__ import annotations

from sqlalchemy import Connection

from engage.core import intake
from engage.store import members
from engage.store.members import MemberRef


def members_meant(connection: Connection, text: str) -> list[MemberRef]:
    """By the shop's id, a phone number however it is written, a mail address, an openid, a name, or our own id."""
    readings = dict.fromkeys([text, intake.phone(text), intake.email(text)])
    return sorted({ref for reading in readings if reading for ref in members.lookup(connection, reading)})
