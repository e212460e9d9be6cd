"""What a member's typed words mean: an opt-out, an answer to an open question, a comment, or word for a person.

Words are matched exactly, never searched for inside a sentence: a peer unsubscribed people by `includes("stop")`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engage.core.journey.model import SCORE_RANGE, Survey

# 短信与微信退订口令 (facts/sms-email.md: rules for marketing SMS in mainland China).
OPT_OUT_WORDS = frozenset({"退订", "td", "t", "r", "n"})
# A comment or a corrected score is still kept this long after the answer; the branch taken never changes.
CORRECTION_WINDOW = timedelta(hours=24)

# What a phone's keyboard adds by itself: “退订。” is 退订.
_TRAILING = " 。.!！,，~～、"

# A score, then perhaps words. `8.5`, `10:30`, `3-5天` and `1,280` are other numbers, not a score with words after it.
_SCORE = re.compile(r"(\d{1,2})(?![.:~-]\d|,\d{3})\s*分?(?:[\s,，。.、:：;；!！~～-]+(.*))?", re.DOTALL)
_OFFER = re.compile(r"回复\s*((?:【[^】]{1,10}】[、，,或/和\s]*)+)")
_OFFERED_WORD = re.compile(r"【([^】]{1,10})】")


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """An ask whose message reached this member on this channel and may still be answered or corrected here."""

    delivery_id: int
    survey: Survey
    asked_at: datetime
    options: tuple[str, ...] = ()
    answered_at: datetime | None = None
    wants_comment: bool = False  # the open question was put, or comes with the score
    has_comment: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A message that offers menu words (「回复【1】」)."""

    delivery_id: int
    at: datetime
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OptOutWord:
    pass


@dataclass(frozen=True, slots=True)
class ScoreGiven:
    delivery_id: int
    score: int
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class ChoiceGiven:
    delivery_id: int
    choice: str


@dataclass(frozen=True, slots=True)
class CommentGiven:
    """Words after a score, or the answer to an open question."""

    delivery_id: int
    comment: str


@dataclass(frozen=True, slots=True)
class MenuWord:
    """A word some message offered: never a score."""

    delivery_id: int
    word: str


@dataclass(frozen=True, slots=True)
class ForAPerson:
    """Answers nothing open."""


Meaning = OptOutWord | ScoreGiven | ChoiceGiven | CommentGiven | MenuWord | ForAPerson


def fold(text: str) -> str:
    """NFKC, trimmed, case-folded: full-width digits and letters become plain ones."""
    return unicodedata.normalize("NFKC", text).strip().casefold()


def offered_words(text: str) -> tuple[str, ...]:
    """The menu words a message offers: `回复【1】领一份，回复【2】看新茶` → ("1", "2")."""
    groups = _OFFER.findall(text)
    return tuple(fold(word) for group in groups for word in _OFFERED_WORD.findall(group))


def interpret(text: str, questions: Sequence[OpenQuestion], offers: Sequence[Offer], now: datetime) -> Meaning:
    """What `text`, written at `now`, means to the questions and offers of its channel.

    An opt-out word is one, whatever else it might be. Otherwise the newest question or offer that the words fit
    decides, open questions before answered ones. A word that an older message offers and a newer question takes as a
    score is that score: people answer what they read last, and a score nobody counted is lost for good.
    """
    folded = fold(text)
    if folded.strip(_TRAILING) in OPT_OUT_WORDS:
        return OptOutWord()
    offer = max((o for o in offers if folded in o.words), key=lambda o: o.at, default=None)
    for question in sorted(questions, key=lambda q: (q.answered_at is None, q.asked_at), reverse=True):
        if offer is not None and offer.at > question.asked_at:
            break
        meaning = _as_answer(text.strip(), folded, question, now)
        if meaning is not None:
            return meaning
    return MenuWord(offer.delivery_id, folded) if offer is not None else ForAPerson()


def _as_answer(text: str, folded: str, question: OpenQuestion, now: datetime) -> Meaning | None:
    if question.answered_at is not None and now - question.answered_at > CORRECTION_WINDOW:
        return None
    if question.survey is Survey.CHOICE:
        return _as_choice(folded, question)
    if question.survey in SCORE_RANGE:
        score = _as_score(text, question)
        if score is not None:
            return score
        owes_words = question.answered_at is not None and question.wants_comment and not question.has_comment
        return CommentGiven(question.delivery_id, text) if owes_words else None
    return CommentGiven(question.delivery_id, text) if question.answered_at is None else None


def _as_score(text: str, question: OpenQuestion) -> ScoreGiven | None:
    match = _SCORE.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if match is None:
        return None
    low, high = SCORE_RANGE[question.survey]
    score = int(match[1])
    comment = (match[2] or "").strip() or None
    return ScoreGiven(question.delivery_id, score, comment) if low <= score <= high else None


def _as_choice(folded: str, question: OpenQuestion) -> ChoiceGiven | None:
    for number, option in enumerate(question.options, start=1):
        if folded in (str(number), fold(option)):
            return ChoiceGiven(question.delivery_id, option)
    return None
