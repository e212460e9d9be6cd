"""Which way of a split a member takes, and whether a way has won.

A way is taken by hash of member, journey and split: the same member takes the same way in every run, as long as the
shares stay as they are. Whoever has taken a way keeps it for that run, whatever is edited or decided later.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from engage.core.journey.model import Split, WinnerRule
from engage.core.lot import lot
from engage.core.measure import difference_by_chance


class Because(StrEnum):
    """Why a run takes the way it takes."""

    SHARE = "share"
    WINNER = "winner"
    EXPLORING = "exploring"  # a winner is decided; a few still go by the shares
    EARLIER = "earlier"  # this run has passed here before


@dataclass(frozen=True, slots=True)
class Taken:
    way: str
    because: Because


def way_of(member_id: int, journey_id: str, split: Split, winner: str | None) -> Taken:
    """`winner`: the way that was decided on; one that an edit has since removed does not count."""
    by_share = _by_share(split, lot("split", journey_id, split.id, member_id))
    if winner not in {way.name for way in split.ways}:
        return Taken(by_share, Because.SHARE)
    exploring = split.winner.keep_exploring if split.winner is not None else 0
    if lot("explore", journey_id, split.id, member_id) < exploring:
        return Taken(by_share, Because.EXPLORING)
    return Taken(winner, Because.WINNER)


def _by_share(split: Split, drawn: int) -> str:
    for way in split.ways:
        if drawn < way.share:
            return way.name
        drawn -= way.share
    return split.ways[-1].name  # the shares add to 100, and the lot is below


# --- the winner -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tally:
    """Of one way: how many members took it, and how many of them did what counts."""

    members: int
    successes: int


class Ruling(StrEnum):
    WON = "won"
    TOO_FEW = "too_few"  # some way has fewer members than `at_least`
    NO_DIFFERENCE = "no_difference"  # that is sure enough


@dataclass(frozen=True, slots=True)
class Decision:
    ruling: Ruling
    winner: str | None = None
    # By way: how likely the best way's lead over it, or a larger one, is by mere chance.
    by_chance: Mapping[str, float] = field(default_factory=dict)


def decide(rule: WinnerRule, tallies: Mapping[str, Tally]) -> Decision:
    """The way with the best rate wins if its lead over each other way is significant.

    Which one leads is seen only in the figures, so every pair of ways was in effect compared: the level is divided by
    the number of pairs (Bonferroni). The chance to crown a way when all are alike stays below 1 - confidence.
    """
    if len(tallies) < 2 or any(tally.members < rule.at_least for tally in tallies.values()):
        return Decision(Ruling.TOO_FEW)
    best = max(tallies, key=lambda way: tallies[way].successes / tallies[way].members)
    lead = tallies[best]
    by_chance = {
        way: difference_by_chance(lead.successes, lead.members, tally.successes, tally.members)
        for way, tally in tallies.items()
        if way != best
    }
    pairs = len(tallies) * (len(tallies) - 1) // 2
    level = (100 - rule.confidence) / 100 / pairs
    if all(chance < level for chance in by_chance.values()):
        return Decision(Ruling.WON, best, by_chance)
    return Decision(Ruling.NO_DIFFERENCE, None, by_chance)
