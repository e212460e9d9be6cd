"""`/s/<token>`: the survey page. A score in the link is only marked; nothing counts before the form is posted."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from engage.content.render import render_words
from engage.core.fact import Answered
from engage.core.fact_json import fact_to_json
from engage.core.journey.model import SCORE_RANGE, Ask, Survey, Words
from engage.core.problem import Lang, Said
from engage.core.reply import CORRECTION_WINDOW
from engage.runtime.applied import Active, Applied
from engage.runtime.dispatching.wording import words_context
from engage.store import advancing, members
from engage.store.inbound import PAGE, Arrived
from engage.store.insight.pages import Given, SurveyPage, survey_for
from engage.store.members import Profile
from engage.web.body import read_form
from engage.web.deps import WebDeps
from engage.web.inbox import Inbox
from engage.web.pages import Pages, preferred_lang

COMMENT_LIMIT = 2000  # characters

_ENDS = {
    Survey.NPS: (Said("0 · not at all likely", "0 · 完全不会"), Said("10 · very likely", "10 · 非常愿意")),
    Survey.CSAT: (Said("1 · very unhappy", "1 · 很不满意"), Said("5 · very happy", "5 · 非常满意")),
}
_ANYTHING_ELSE = Said("Anything else you would like to tell us?", "还有什么想告诉我们的吗？")
_YOUR_ANSWER = Said("Your answer", "您的回答")
_MISSING = {
    Survey.NPS: Said("Please choose a score first.", "请先选一个分数。"),
    Survey.CSAT: Said("Please choose a score first.", "请先选一个分数。"),
    Survey.CHOICE: Said("Please choose one first.", "请先选一项。"),
    Survey.TEXT: Said("Please write a few words first.", "请先写几个字。"),
}


@dataclass(frozen=True, slots=True)
class _Open:
    """A question that still takes an answer, or a correction of the one on file. `context`: what its words may read."""

    delivery_id: int
    ask: Ask
    given: Given | None
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Reply:
    score: int | None
    choice: str | None
    comment: str | None

    def answers(self, survey: Survey) -> bool:
        match survey:
            case Survey.NPS | Survey.CSAT:
                return self.score is not None
            case Survey.CHOICE:
                return self.choice is not None
            case Survey.TEXT:
                return self.comment is not None


class SurveyPages:
    def __init__(self, deps: WebDeps, inbox: Inbox, pages: Pages) -> None:
        self._deps = deps
        self._inbox = inbox
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/s/{token}", self.show, methods=["GET"]),
            Route("/s/{token}", self.submit, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        found = await self._find(request)
        if not isinstance(found, _Open):
            return found
        marked = _score(request.query_params.get("score"), found.ask.survey)
        return self._form(request, found, _Reply(marked, None, None))

    async def submit(self, request: Request) -> Response:
        found = await self._find(request)
        if not isinstance(found, _Open):
            return found
        reply = _read_reply(await read_form(request), found.ask)
        if not reply.answers(found.ask.survey):
            return self._form(request, found, reply, 422, _MISSING[found.ask.survey])
        await self._inbox.put([self._record(found.delivery_id, reply)])
        return self._pages.page(request, "thanks.html", score=reply.score, choice=reply.choice, comment=reply.comment)

    async def _find(self, request: Request) -> _Open | Response:
        """The open question behind the link; else the page that says why there is none."""
        delivery_id = self._deps.links.read_survey(request.path_params["token"])
        found = await run_in_threadpool(self._read, delivery_id) if delivery_id is not None else 404
        return found if isinstance(found, _Open) else self._pages.notice(request, found)

    def _read(self, delivery_id: int) -> _Open | int:
        """The question, or the status of the page that says why there is none."""
        applied = self._deps.applied()
        with self._deps.database.read() as connection:
            survey = survey_for(connection, delivery_id)
            if survey is None:
                return 404
            active = applied.followed_by(survey.journey_id, survey.pinned_version)
            ask = active.program.asks.get(survey.step_id) if active is not None else None
            if ask is None or not self._takes_an_answer(survey):
                return 410
            return _Open(delivery_id, ask, survey.given, _context(connection, applied, active, survey))

    def _takes_an_answer(self, survey: SurveyPage) -> bool:
        now = self._deps.clock.now()
        if survey.given is not None:
            return now - survey.given.answered_at <= CORRECTION_WINDOW
        return survey.waiting and (survey.waiting_until is None or now < survey.waiting_until)

    def _form(
        self, request: Request, question: _Open, reply: _Reply, status: int = 200, fault: Said | None = None
    ) -> Response:
        lang = preferred_lang(request, Lang.ZH)
        values = _form_values(question, reply, lang)
        return self._pages.page(
            request, "survey.html", status, **values, given=question.given, fault=fault.in_(lang) if fault else None
        )

    def _record(self, delivery_id: int, reply: _Reply) -> Arrived:
        """A form sent twice within a second is one answer; a correction is another one."""
        now = self._deps.clock.now()
        words = json.dumps([reply.score, reply.choice, reply.comment])
        key = f"answer:{delivery_id}:{now:%Y%m%dT%H%M%S}:{hashlib.sha256(words.encode()).hexdigest()[:32]}"
        return Arrived(PAGE, key, fact_to_json(Answered(delivery_id, now, reply.score, reply.choice, reply.comment)))


def _context(connection: Connection, applied: Applied, active: Active | None, survey: SurveyPage) -> dict[str, Any]:
    """What the message read when it asked, so that the page puts the same question."""
    ref, run_id, asked_at = survey.member, survey.enrolment_id, survey.asked_at
    profile = members.profiles(connection, applied.catalog, [ref], asked_at).get(ref.id, Profile(None, None, {}))
    answers = advancing.answer_words(connection, [(ref.bucket, run_id)]).get(run_id)
    return words_context(applied, profile, asked_at, active=active, run_context=survey.run_context, answers=answers)


def _form_values(question: _Open, reply: _Reply, lang: Lang) -> dict[str, Any]:
    ask, given = question.ask, question.given
    low, high = _ENDS.get(ask.survey, (Said("", ""), Said("", "")))
    scores = SCORE_RANGE.get(ask.survey)
    return {
        "question": render_words(ask.question.source, question.context),
        "scores": list(range(scores[0], scores[1] + 1)) if scores else [],
        "low": low.in_(lang),
        "high": high.in_(lang),
        "selected": reply.score if reply.score is not None else given.score if given else None,
        "provisional": reply.score is not None,
        "options": ask.options if ask.survey is Survey.CHOICE else (),
        "chosen": reply.choice or (given.choice if given else None),
        "comment": reply.comment or (given.comment if given else None) or "",
        "comment_question": _comment_question(question, lang),
        "comment_limit": COMMENT_LIMIT,
        "words_needed": ask.survey is Survey.TEXT,
    }


def _comment_question(question: _Open, lang: Lang) -> str:
    words: Words | None = question.ask.comment
    if words is not None:
        return render_words(words.source, question.context)
    return (_YOUR_ANSWER if question.ask.survey is Survey.TEXT else _ANYTHING_ELSE).in_(lang)


def _read_reply(form: FormData, ask: Ask) -> _Reply:
    score = form.get("score")
    choice = form.get("choice")
    comment = form.get("comment")
    return _Reply(
        score=_score(score if isinstance(score, str) else None, ask.survey),
        choice=choice if isinstance(choice, str) and ask.survey is Survey.CHOICE and choice in ask.options else None,
        comment=_clean(comment) if isinstance(comment, str) else None,
    )


def _score(text: str | None, survey: Survey) -> int | None:
    """A score this survey takes; None for anything else."""
    span = SCORE_RANGE.get(survey)
    if text is None or span is None or not (text.isascii() and text.isdecimal() and len(text) <= 2):
        return None
    return int(text) if span[0] <= int(text) <= span[1] else None


def _clean(comment: str) -> str | None:
    """Without control characters but line breaks, and no longer than the form lets anyone type."""
    lines = comment.replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(char for char in lines if char == "\n" or unicodedata.category(char) not in ("Cc", "Cs"))
    return kept.strip()[:COMMENT_LIMIT] or None
