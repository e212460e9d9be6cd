"""What members type: a corpus of real-looking words, held against the question they may answer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engage.core.journey.model import Survey
from engage.core.reply import (
    OPT_OUT_WORDS,
    ChoiceGiven,
    CommentGiven,
    ForAPerson,
    Meaning,
    MenuWord,
    Offer,
    OpenQuestion,
    OptOutWord,
    ScoreGiven,
    fold,
    interpret,
    offered_words,
)

NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)

NPS = OpenQuestion(1, Survey.NPS, NOW - HOUR)
CSAT = OpenQuestion(2, Survey.CSAT, NOW - HOUR)
CHOICE = OpenQuestion(3, Survey.CHOICE, NOW - HOUR, options=("绿茶", "白茶", "Oolong"))
TEXT = OpenQuestion(4, Survey.TEXT, NOW - HOUR)
SCORED = replace(NPS, answered_at=NOW - HOUR / 12, wants_comment=True)  # five minutes ago

PERSON = ForAPerson()
OUT = OptOutWord()


def nps(score: int, comment: str | None = None) -> ScoreGiven:
    return ScoreGiven(1, score, comment)


def csat(score: int, comment: str | None = None) -> ScoreGiven:
    return ScoreGiven(2, score, comment)


def meaning(text: str, *questions: OpenQuestion, offers: tuple[Offer, ...] = ()) -> Meaning:
    return interpret(text, questions, offers, NOW)


# --- the corpus -------------------------------------------------------------------------------------------------

CORPUS: tuple[tuple[str, OpenQuestion | None, Meaning], ...] = (
    # scores, as people write them
    ("10", NPS, nps(10)),
    ("0", NPS, nps(0)),
    ("１０", NPS, nps(10)),
    ("７", NPS, nps(7)),
    (" 9 ", NPS, nps(9)),
    ("9\n", NPS, nps(9)),
    ("\u30009", NPS, nps(9)),
    ("9分", NPS, nps(9)),
    ("９分", NPS, nps(9)),
    ("9 分", NPS, nps(9)),
    ("10分！", NPS, nps(10)),
    ("8。", NPS, nps(8)),
    ("8.", NPS, nps(8)),
    ("08", NPS, nps(8)),
    ("⑨", NPS, nps(9)),
    ("5", CSAT, csat(5)),
    ("1", CSAT, csat(1)),
    # a score and words
    ("3 包装破了", NPS, nps(3, "包装破了")),
    ("3，包装破了", NPS, nps(3, "包装破了")),
    ("3,包装破了", NPS, nps(3, "包装破了")),
    ("3分，包装破了", NPS, nps(3, "包装破了")),
    ("3分 包装破了", NPS, nps(3, "包装破了")),
    ("３　包装破了", NPS, nps(3, "包装破了")),
    ("3\n包装破了\n还漏了", NPS, nps(3, "包装破了\n还漏了")),
    ("9 - 很好", NPS, nps(9, "很好")),
    ("10：茶很香", NPS, nps(10, "茶很香")),
    ("10!!! 太好喝了", NPS, nps(10, "太好喝了")),
    ("6 2号买的那罐有潮味", NPS, nps(6, "2号买的那罐有潮味")),
    ("2、物流太慢", CSAT, csat(2, "物流太慢")),
    # numbers that are no score
    ("11", NPS, PERSON),
    ("100", NPS, PERSON),
    ("-1", NPS, PERSON),
    ("8.5", NPS, PERSON),
    ("9.5分", NPS, PERSON),
    ("10:30", NPS, PERSON),
    ("10：30可以送货吗", NPS, PERSON),
    ("3-5天能到吗", NPS, PERSON),
    ("3~5天", NPS, PERSON),
    ("1,280", NPS, PERSON),
    ("10/10", NPS, PERSON),
    ("13800138000", NPS, PERSON),
    ("6", CSAT, PERSON),
    ("0", CSAT, PERSON),
    # sentences that begin with a digit
    ("5点关门吗", NPS, PERSON),
    ("2斤装还有吗", NPS, PERSON),
    ("3包装破了", NPS, PERSON),
    ("9块9包邮吗", NPS, PERSON),
    ("1号店在哪里", CSAT, PERSON),
    # words without a score
    ("你好", NPS, PERSON),
    ("很好", NPS, PERSON),
    ("评分9", NPS, PERSON),
    ("", NPS, PERSON),
    ("   ", NPS, PERSON),
    ("👍", NPS, PERSON),
    ("10", None, PERSON),
    ("1", None, PERSON),
    # opt-outs: exactly these words, in any width and case
    ("退订", NPS, OUT),
    ("TD", NPS, OUT),
    ("td", None, OUT),
    ("Td", NPS, OUT),
    ("ＴＤ", NPS, OUT),
    ("T", None, OUT),
    ("t", NPS, OUT),
    ("R", NPS, OUT),
    ("ｒ", None, OUT),
    ("n", TEXT, OUT),
    (" 退订\n", CHOICE, OUT),
    # and never a sentence that only contains them
    ("我要退订吗", NPS, PERSON),
    ("怎么退订", None, PERSON),
    ("不退订", NPS, PERSON),
    ("TD了", NPS, PERSON),
    ("T恤有吗", NPS, PERSON),
    ("no", NPS, PERSON),
    ("stop", NPS, PERSON),
    ("R 9", NPS, PERSON),
    ("退 订", NPS, PERSON),
    # choices, by number or by name
    ("1", CHOICE, ChoiceGiven(3, "绿茶")),
    ("２", CHOICE, ChoiceGiven(3, "白茶")),
    ("白茶", CHOICE, ChoiceGiven(3, "白茶")),
    (" oolong ", CHOICE, ChoiceGiven(3, "Oolong")),
    ("4", CHOICE, PERSON),
    ("0", CHOICE, PERSON),
    ("白茶吧", CHOICE, PERSON),
    ("1分", CHOICE, PERSON),
    # an open question takes any words
    ("水温多少合适？", TEXT, CommentGiven(4, "水温多少合适？")),
    (" 9 ", TEXT, CommentGiven(4, "9")),
    ("我要退订吗", TEXT, CommentGiven(4, "我要退订吗")),
)


@pytest.mark.parametrize(("text", "question", "expected"), CORPUS)
def test_corpus(text: str, question: OpenQuestion | None, expected: Meaning) -> None:
    assert meaning(text, *([question] if question else [])) == expected


# --- comments and corrections -----------------------------------------------------------------------------------


def test_words_after_a_score_are_its_comment() -> None:
    assert meaning("包装破了", SCORED) == CommentGiven(1, "包装破了")


def test_words_after_the_comment_are_for_a_person() -> None:
    assert meaning("还有一件事", replace(SCORED, has_comment=True)) == PERSON


def test_words_after_a_score_without_an_open_question_are_for_a_person() -> None:
    assert meaning("包装破了", replace(SCORED, wants_comment=False)) == PERSON


def test_another_score_corrects_the_first() -> None:
    assert meaning("8", SCORED) == nps(8)
    assert meaning("8 手滑了", SCORED) == nps(8, "手滑了")


def test_another_choice_corrects_the_first() -> None:
    assert meaning("2", replace(CHOICE, answered_at=NOW - HOUR)) == ChoiceGiven(3, "白茶")


def test_an_open_question_that_was_answered_takes_no_more_words() -> None:
    assert meaning("还有一件事", replace(TEXT, answered_at=NOW - HOUR)) == PERSON


@pytest.mark.parametrize(("hours", "expected"), [(24, nps(8)), (24.01, PERSON)])
def test_a_score_can_be_corrected_for_a_day(hours: float, expected: Meaning) -> None:
    assert meaning("8", replace(SCORED, answered_at=NOW - hours * HOUR)) == expected


def test_a_member_who_answered_and_then_opts_out_is_heard() -> None:
    assert meaning("T", SCORED) == OUT


# --- two questions open -----------------------------------------------------------------------------------------

OLDER_NPS = replace(NPS, asked_at=NOW - 5 * HOUR)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", csat(5)), ("9", nps(9)), ("0", nps(0)), ("11", PERSON)],
    ids=["fits both: the newest", "fits the older only", "fits the older only", "fits neither"],
)
def test_the_newest_question_whose_range_fits_is_answered(text: str, expected: Meaning) -> None:
    for questions in permutations([OLDER_NPS, CSAT]):
        assert meaning(text, *questions) == expected


def test_a_question_that_waits_comes_before_one_that_was_answered() -> None:
    answered = replace(CSAT, asked_at=NOW - HOUR / 2, answered_at=NOW - HOUR / 3, wants_comment=True)
    assert meaning("4", OLDER_NPS, answered) == nps(4)
    assert meaning("包装破了", OLDER_NPS, answered) == CommentGiven(2, "包装破了")


def test_a_choice_that_fits_no_option_may_still_be_a_score() -> None:
    assert meaning("7", replace(CHOICE, asked_at=NOW), OLDER_NPS) == nps(7)


# --- menu words -------------------------------------------------------------------------------------------------


def test_offered_words_are_read_out_of_the_message() -> None:
    assert offered_words("回复【1】领一份，回复【2】看新茶") == ("1", "2")
    assert offered_words("回复【Ａ】、【B】或【C】") == ("a", "b", "c")
    assert offered_words("回复 【领茶】 即可") == ("领茶",)


@pytest.mark.parametrize(
    "text", ["【山野茶事】新茶到了", "请直接回复 0–10", "拒收请回复R", "回复1领取", "回复【】", ""]
)
def test_messages_that_offer_nothing(text: str) -> None:
    assert offered_words(text) == ()


LATER = Offer(9, NOW - HOUR / 2, ("1", "2"))
EARLIER = Offer(9, NOW - 2 * HOUR, ("1", "2"))


def test_a_menu_digit_offered_after_the_question_is_never_a_score() -> None:
    assert meaning("1", NPS, offers=(LATER,)) == MenuWord(9, "1")
    assert meaning("１", NPS, offers=(LATER,)) == MenuWord(9, "1")


def test_a_digit_nobody_offered_is_a_score_although_a_menu_is_open() -> None:
    assert meaning("9", NPS, offers=(LATER,)) == nps(9)
    assert meaning("1 包装破了", NPS, offers=(LATER,)) == nps(1, "包装破了")


def test_the_question_asked_after_the_offer_gets_the_digit() -> None:
    assert meaning("1", NPS, offers=(EARLIER,)) == nps(1)


def test_an_older_offer_gets_the_digit_that_the_newer_question_cannot_take() -> None:
    ten = replace(EARLIER, words=("10",))
    assert meaning("10", CSAT, offers=(ten,)) == MenuWord(9, "10")


def test_with_no_question_open_a_menu_word_is_one() -> None:
    assert meaning("2", offers=(EARLIER,)) == MenuWord(9, "2")


def test_of_two_offers_of_the_same_word_the_newest_is_meant() -> None:
    offers = (replace(EARLIER, delivery_id=8), LATER)
    assert meaning("1", offers=offers) == meaning("1", offers=offers[::-1]) == MenuWord(9, "1")


def test_a_menu_word_never_becomes_a_comment_on_the_question_before_it() -> None:
    assert meaning("1", replace(TEXT, asked_at=NOW - 2 * HOUR), offers=(LATER,)) == MenuWord(9, "1")


def test_an_opt_out_word_that_a_message_offers_is_still_an_opt_out() -> None:
    """The law names these words; no message may give them another meaning."""
    assert meaning("R", offers=(replace(LATER, words=("r",)),)) == OUT


# --- for any words at all ---------------------------------------------------------------------------------------


@given(st.text(max_size=30))
def test_only_the_exact_words_opt_out(text: str) -> None:
    assert isinstance(meaning(text, NPS, TEXT), OptOutWord) == (fold(text) in OPT_OUT_WORDS)


@given(st.text(alphabet="0123456789１分.,:-~ 包破T", max_size=8))
def test_a_score_is_always_inside_its_range(text: str) -> None:
    for question, lowest, highest in ((NPS, 0, 10), (CSAT, 1, 5)):
        found = meaning(text, question)
        assert not isinstance(found, ScoreGiven) or lowest <= found.score <= highest


@pytest.mark.parametrize("text", ["退订。", "退订！", "Ｒ！", "TD.", " r ～", "。退订"])
def test_what_a_keyboard_adds_does_not_hide_an_opt_out(text: str) -> None:
    assert interpret(text, [], [], NOW) == OptOutWord()
