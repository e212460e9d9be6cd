"""The one fault of wording a message: it cannot be put on this channel's wire at all."""

from __future__ import annotations


class Uncomposable(ValueError):
    """This message cannot be put on the wire: the text says what is missing or forbidden.

    Raised by `Channel.compose` before anything is stored or sent. It says nothing about the member's address; the
    words or the template have to change. Never carries a secret.
    """
