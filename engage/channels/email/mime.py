"""The text of a mail, in the one form we send: ASCII headers, and parts in base64. Pure.

Python's own `email` package writes any mail there is, in one to two milliseconds; this form takes a thirtieth of it.
What could be got wrong is held by readings with that package, see the tests.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence

from engage.channels.composing import Uncomposable
from engage.channels.email.address import Mailbox

NEW_LINE = "\r\n"
# Controls (CR, LF, NUL, NEL) and Unicode's own line and paragraph separators.
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PLAIN_WORDS = re.compile(r"[A-Za-z0-9,.:;!?'/+*&%$#@()\[\]{} -]{1,60}")
_ATOMS = re.compile(r"[A-Za-z0-9'/+*&%$#-]+(?: [A-Za-z0-9'/+*&%$#-]+)*")
# An encoded word has at most 75 characters, its line 76 (RFC 2047 §2), and no line of ours begins with a longer name
# than `Subject: `. 13 characters of Chinese, whole ones each time.
_BYTES_OF_WORD = 39
_LINE = 76  # characters


def headers(given: Mapping[str, str]) -> str:
    """Raises `Uncomposable` for what would forge another header, or is not ASCII (see `unstructured`)."""
    for name, value in given.items():
        if not value.isascii():
            raise Uncomposable(f"the {name} header may contain ASCII only")
        refuse_breaks(name, value.replace(f"{NEW_LINE} ", " "))
    return "".join(f"{name}: {value}{NEW_LINE}" for name, value in given.items())


def refuse_breaks(name: str, value: str) -> None:
    if _BREAKS.search(value):
        raise Uncomposable(f"the {name} header may not contain a line break or a control character")


def unstructured(name: str, words: str) -> str:
    """A header for people's eyes: as encoded words where it has to be."""
    refuse_breaks(name, words)
    return words if _PLAIN_WORDS.fullmatch(words) else _encoded_words(words)


def mailbox(given: Mailbox) -> str:
    if not given.name:
        return given.address
    refuse_breaks("From", given.name)
    name = given.name if _ATOMS.fullmatch(given.name) and len(given.name) <= 60 else _encoded_words(given.name)
    return f"{name} <{given.address}>"


def part(subtype: str, text: str) -> str:
    """Headers and body of one part."""
    body = text.replace(NEW_LINE, "\n").replace("\r", "\n").replace("\n", NEW_LINE).encode()
    whole = body if body.endswith(b"\r\n") else body + b"\r\n"
    encoded = base64.b64encode(whole).decode()
    lines = [encoded[at : at + _LINE] for at in range(0, len(encoded), _LINE)]
    form = headers({"Content-Type": f'text/{subtype}; charset="utf-8"', "Content-Transfer-Encoding": "base64"})
    return f"{form}{NEW_LINE}{NEW_LINE.join(lines)}{NEW_LINE}"


def alternatives(boundary: str, parts: Sequence[str]) -> str:
    """Header and body of a mail that says the same in several forms, the plainest first."""
    form = headers({"Content-Type": f'multipart/alternative; boundary="{boundary}"'})
    between = f"{NEW_LINE}--{boundary}{NEW_LINE}"
    return f"{form}{between}{between.join(parts)}{NEW_LINE}--{boundary}--{NEW_LINE}"


def _encoded_words(words: str) -> str:
    pieces, piece = [], b""
    for character in words:
        code = character.encode()
        if len(piece) + len(code) > _BYTES_OF_WORD:
            pieces.append(piece)
            piece = b""
        piece += code
    encoded = (f"=?utf-8?b?{base64.b64encode(each).decode()}?=" for each in [*pieces, piece])
    return f"{NEW_LINE} ".join(encoded)
