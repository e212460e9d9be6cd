"""Signed links: what they carry, and that nothing forged is ever read."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from content_builders import KEY
from hypothesis import given
from hypothesis import strategies as st

from engage.content.links import Links

LINKS = Links(KEY, "https://engage.example/")


def token_of(url: str) -> str:
    return urlsplit(url).path.rsplit("/", 1)[1]


@given(st.integers(0, 2**63 - 1), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_every_token_is_read_back_as_it_was_made(delivery_id: int, target: str) -> None:
    assert LINKS.read_click(token_of(LINKS.click(delivery_id, target))) == (delivery_id, target)
    assert LINKS.read_survey(token_of(LINKS.survey(delivery_id))) == delivery_id
    assert LINKS.read_unsubscribe(token_of(LINKS.unsubscribe(delivery_id))) == delivery_id


def test_addresses_tell_the_page_and_the_score() -> None:
    assert LINKS.click(7, "shop").startswith("https://engage.example/c/")
    assert LINKS.survey(7, 9) == LINKS.survey(7) + "?score=9"
    assert LINKS.survey(7, 0).endswith("?score=0")
    assert LINKS.unsubscribe(7).startswith("https://engage.example/u/")
    assert "?" not in LINKS.survey(7)


def test_a_token_is_short_enough_for_a_chat() -> None:
    assert len(token_of(LINKS.click(2**62, "shop"))) <= 42
    assert len(token_of(LINKS.survey(123_456))) <= 28


def test_a_token_of_one_purpose_means_nothing_to_another() -> None:
    survey, unsubscribe = token_of(LINKS.survey(7)), token_of(LINKS.unsubscribe(7))
    click = token_of(LINKS.click(7, ""))
    assert LINKS.read_unsubscribe(survey) is None
    assert LINKS.read_survey(unsubscribe) is None
    assert LINKS.read_click(survey) is None
    assert LINKS.read_survey(click) is None


def test_another_key_reads_nothing() -> None:
    other = Links("another signing key of 32 characters!", "https://engage.example")
    assert other.read_survey(token_of(LINKS.survey(7))) is None


def test_any_changed_character_is_refused() -> None:
    token = token_of(LINKS.click(7, "shop"))
    for position in range(len(token)):
        changed = "A" if token[position] != "A" else "B"
        assert LINKS.read_click(token[:position] + changed + token[position + 1 :]) is None


def test_other_spellings_of_the_same_bytes_are_refused() -> None:
    """base64 ignores the last unused bits, padding and stray characters; one message has one token."""
    token = token_of(LINKS.survey(7))  # 18 bytes and 4 unused bits at most
    for spelling in (token + "=", token + "==", f" {token}", f"{token}\n", token[:5] + "*" + token[5:]):
        assert LINKS.read_survey(spelling) is None


@pytest.mark.parametrize("token", ["", "A", "AAAA", "签名", "." * 30, "A" * 22, "A" * 23, "A" * 100_000, "../../u/x"])
def test_rubbish_is_no_token(token: str) -> None:
    assert LINKS.read_click(token) is None
    assert LINKS.read_survey(token) is None
    assert LINKS.read_unsubscribe(token) is None


def test_a_negative_delivery_is_a_fault_of_the_caller() -> None:
    with pytest.raises(OverflowError):
        LINKS.survey(-1)
