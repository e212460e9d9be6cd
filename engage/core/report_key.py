"""The keys of what the shop reports, where it gives none itself.

That of what is said about a member tells who, and what. So an import can ask what was said last: the same words are no
news, unless others came in between.
"""

from __future__ import annotations

import hashlib
import json

from engage.core.fact import MemberGiven


def member_key(given: MemberGiven) -> str:
    """The same words have the same key, whenever and wherever they are said."""
    consents = sorted([*about, granted] for about, granted in given.consents.items())
    what = [given.member, given.values, given.addresses, consents, given.tags, given.timezone]
    return member_prefix(given.member) + digest(what)


def member_prefix(member: str) -> str:
    """Every key of what was said about this member begins so."""
    return f"member:{digest(member, 16)}:"


def subject_of(key: str) -> str:
    """The `member_prefix` of a key."""
    return key[: key.index(":", len("member:")) + 1]


def digest(content: object, length: int = 32) -> str:
    """Of JSON data, whatever the order of its keys. 32 hexadecimal digits never meet by accident."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
