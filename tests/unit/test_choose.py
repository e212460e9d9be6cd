"""Ranking: the numbers of the published explanation, the marketer's own order, and a reason for every loser."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from engage.core.choose import Candidate, choose

ONE = Decimal("1.00")
WECHAT = Candidate("wechat", None, "客服消息 (wrote to us 1d7h ago, 1/5 left)", Decimal("0.000"), Decimal("0.30"))
SMS = Candidate("sms", None, "sms", Decimal("0.045"), Decimal("0.06"))
EMAIL = Candidate("email", None, "email", Decimal("0.001"), Decimal("0.08"))
BOUNCED = Candidate("email", "hard bounce", "email", Decimal("0.001"), Decimal("0.08"))


def test_scores_are_engagement_times_value_minus_price_in_hundredths() -> None:
    """Reply worth 1.00: WeChat 30 % at ¥0.000 is 30.0; SMS 6 % at ¥0.045 is 1.5."""
    choice = choose([SMS, WECHAT, BOUNCED], None, ONE)
    assert choice.channels == ("wechat", "sms")
    assert choice.trace == (
        {
            "channel": "wechat",
            "open": True,
            "why": "客服消息 (wrote to us 1d7h ago, 1/5 left)",
            "price": "0.000",
            "engagement": "30%",
            "score": "30.0",
        },
        {"channel": "sms", "open": True, "why": "sms", "price": "0.045", "engagement": "6%", "score": "1.5"},
        {"channel": "email", "open": False, "why": "hard bounce"},
    )


def test_what_a_response_is_worth_decides_between_cheap_and_effective() -> None:
    dear = Candidate("sms", None, price=Decimal("0.045"), engagement=Decimal("0.12"))
    cheap = Candidate("email", None, price=Decimal("0.001"), engagement=Decimal("0.08"))
    assert choose([dear, cheap], None, ONE).channels == ("email", "sms")
    assert choose([dear, cheap], None, Decimal(5)).channels == ("sms", "email")


def test_the_marketers_order_decides_whatever_the_scores_say() -> None:
    choice = choose([WECHAT, SMS, BOUNCED], ("sms", "email", "wechat"), ONE)
    assert choice.channels == ("sms", "wechat")
    assert [(line["channel"], line.get("preference")) for line in choice.trace] == [
        ("sms", 1),
        ("wechat", 3),
        ("email", None),
    ]
    assert "score" not in choice.trace[0]


def test_a_channel_the_order_does_not_name_is_no_candidate_at_all() -> None:
    choice = choose([WECHAT, SMS, EMAIL], ("sms",), ONE)
    assert choice.channels == ("sms",)
    assert [line["channel"] for line in choice.trace] == ["sms"]


def test_with_every_channel_shut_the_trace_still_says_why() -> None:
    choice = choose([Candidate("sms", "no address on file"), BOUNCED], None, ONE)
    assert choice.channels == ()
    assert {line["why"] for line in choice.trace} == {"no address on file", "hard bounce"}


def test_a_tie_is_broken_by_name_so_that_two_daemons_choose_alike() -> None:
    twins = [Candidate(name, None, engagement=Decimal("0.1")) for name in ("sms", "email", "wechat")]
    assert {choose(order, None, ONE).channels for order in permutations(twins)} == {("email", "sms", "wechat")}


_candidates = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(["wechat", "sms", "email", "app"]),
        st.none() | st.just("hard bounce"),
        st.just(""),
        st.decimals(0, 1, places=3),
        st.decimals(0, 1, places=2),
    ),
    max_size=4,
    unique_by=lambda candidate: candidate.channel,
)


@given(_candidates, st.none() | st.permutations(["wechat", "sms", "email"]), st.decimals(0, 20, places=2))
def test_only_open_channels_are_chosen_and_every_candidate_has_its_line(
    candidates: list[Candidate], order: list[str] | None, value: Decimal
) -> None:
    named = [c for c in candidates if order is None or c.channel in order]
    choice = choose(candidates, order, value)
    assert sorted(choice.channels) == sorted(c.channel for c in named if c.refusal is None)
    assert sorted(line["channel"] for line in choice.trace) == sorted(c.channel for c in named)
    assert [line["channel"] for line in choice.trace if line["open"]] == list(choice.channels)
