"""The fixed words of the journey language: verbs, options, channels. What a project adds is in its catalog.

A new verb or option is a line here and a reader in `steps`; the messages about misspelt words follow by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

CHANNELS = ("wechat", "sms", "email")

JOURNEY_KEYS = (
    "journey",
    "owner",
    "note",
    "draft",
    "start",
    "audience",
    "exclude",
    "per",
    "reentry",
    "exit_if",
    "goal",
    "holdout",
    "priority",
    "topic",
    "channels",
    "steps",
)

STEP_OPTIONS = ("id", "label", "only_if")

# verb → its own options
VERBS: Mapping[str, tuple[str, ...]] = {
    "send": ("text", "with", "channels", "topic", "late"),
    "ask": ("question", "comment", "options", "answer_within", "remind", "channels", "topic"),
    "wait": (),
    "wait_for": ("up_to", "where", "since", "then", "else"),
    "if": ("then", "else"),
    "branch": (),
    "switch": ("cases",),
    "update": (),
    "notify": ("task", "due", "urgent", "copy_to"),
    "enroll": ("with",),
    "exit": (),
}

# Words of the language that this version knows but does not run.
LATER_VERBS = ("split", "webhook", "goto")
LATER_JOURNEY_KEYS = ("on_edit",)
LATER_STEP_OPTIONS = ("was",)
LATER_OPTIONS: Mapping[str, tuple[str, ...]] = {"send": ("at", "on_ambiguous")}

# What a person may write for a word of ours. Used for suggestions only: the file keeps one spelling.
_ALSO_CALLED = {
    "微信": "wechat",
    "公众号": "wechat",
    "短信": "sms",
    "邮件": "email",
    "邮箱": "email",
    "电子邮件": "email",
    "mail": "email",
    "enrol": "enroll",
    "tell": "notify",
    "message": "send",
    "when": "only_if",
    "condition": "only_if",
    "timeout": "up_to",
    "title": "journey",
    "name": "journey",
    "trigger": "start",
}


def nearest(word: str, words: tuple[str, ...] | list[str]) -> str | None:
    """The word most likely meant, or None. Short Chinese names differ by half when one character is wrong."""
    known = _ALSO_CALLED.get(word.lower())
    if known in words:
        return known
    short_chinese = len(word) <= 4 and not word.isascii()
    matches = get_close_matches(word[:80], words, n=1, cutoff=0.5 if short_chinese else 0.6)
    if matches:
        return matches[0]
    lower = {candidate.lower(): candidate for candidate in words}
    return lower.get(word.lower())
