"""Formulas: what numbers mean, with their sources. Counting is the store's task, rounding and words the reader's.

Scores are of 0-10 and 1-5 only; other numbers are a fault of the caller and raise ValueError. Intervals hold at 95 %.
Where there is nothing to measure the value is None, never zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

_Z = Decimal("1.959964")  # the 97.5 % quantile of the normal distribution
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Interval:
    low: Decimal
    high: Decimal


# --- surveys ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Nps:
    """`value` and its interval are in points, -100 to +100. One answer alone has no interval."""

    promoters: int
    passives: int
    detractors: int
    n: int
    value: Decimal | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class Csat:
    """`satisfied` counts the 4s and 5s, `share` is their part (0-1), `mean` the average score."""

    n: int
    satisfied: int
    share: Decimal | None
    mean: Decimal | None


def nps(scores: Iterable[int]) -> Nps:
    """Net Promoter Score: (promoters - detractors) / n x 100, of answers 9-10, 7-8 and 0-6.

    F. Reichheld, “The One Number You Need to Grow”, Harvard Business Review 81(12), 2003.
    """
    answers = _checked(scores, 0, 10)
    n = len(answers)
    promoters = sum(score >= 9 for score in answers)
    detractors = sum(score <= 6 for score in answers)
    value = (promoters - detractors) * _HUNDRED / n if n else None
    interval = _nps_interval(promoters, detractors, n) if n > 1 else None
    return Nps(promoters, n - promoters - detractors, detractors, n, value, interval)


def _nps_interval(promoters: int, detractors: int, n: int) -> Interval:
    """Adjusted Wald: three answers are added, ¾ promoter, 1½ passive, ¾ detractor, then mean ± z·√(variance / n) of the
    variable that is +1, 0 or -1. Without them a few unanimous answers would seem to be certain.

    B. Rocks, “Interval Estimation for the Net Promoter Score”, The American Statistician 70(4), 2016.
    """
    size = Decimal(n + 3)
    above, below = (promoters + Decimal("0.75")) / size, (detractors + Decimal("0.75")) / size
    mean = above - below
    reach = _Z * ((above + below - mean**2) / size).sqrt()
    return Interval(max(mean - reach, Decimal(-1)) * _HUNDRED, min(mean + reach, Decimal(1)) * _HUNDRED)


def csat(scores: Iterable[int]) -> Csat:
    """Customer satisfaction on 1-5: the share of 4 and 5 (“top two boxes”), and the mean."""
    answers = _checked(scores, 1, 5)
    n = len(answers)
    satisfied = sum(score >= 4 for score in answers)
    if n == 0:
        return Csat(0, 0, None, None)
    return Csat(n, satisfied, Decimal(satisfied) / n, Decimal(sum(answers)) / n)


def _checked(scores: Iterable[int], low: int, high: int) -> list[int]:
    answers = list(scores)
    for score in answers:
        if not low <= score <= high:
            raise ValueError(f"{score} is not a score from {low} to {high}")
    return answers


# --- shares and their difference --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lift:
    """What a treatment added over the control group. All are shares (0-1): 0.05 is five percentage points."""

    treated: Decimal | None
    control: Decimal | None
    difference: Decimal | None
    interval: Interval | None


def proportion_interval(hits: int, n: int) -> Interval | None:
    """Wilson's score interval of hits / n; None for n = 0.

    E. B. Wilson, “Probable Inference, the Law of Succession, and Statistical Inference”, JASA 22, 1927.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is not a share")
    if n == 0:
        return None
    share, z2 = Decimal(hits) / n, _Z**2
    centre = share + z2 / (2 * n)
    reach = _Z * (share * (1 - share) / n + z2 / (4 * Decimal(n) ** 2)).sqrt()
    # The ends are exact where nobody or everybody did it: the formula leaves a last digit there.
    low = (centre - reach) / (1 + z2 / n) if hits else Decimal(0)
    high = (centre + reach) / (1 + z2 / n) if hits < n else Decimal(1)
    return Interval(low, high)


def lift(treated_hits: int, treated_n: int, control_hits: int, control_n: int) -> Lift:
    """Difference of two independent shares, with Newcombe's interval from the two Wilson ones; None if one is empty.

    R. G. Newcombe, “Interval estimation for the difference between independent proportions”, Statistics in Medicine 17,
    1998, method 10.
    """
    first, second = proportion_interval(treated_hits, treated_n), proportion_interval(control_hits, control_n)
    treated = Decimal(treated_hits) / treated_n if treated_n else None
    control = Decimal(control_hits) / control_n if control_n else None
    if treated is None or control is None or first is None or second is None:
        return Lift(treated, control, None, None)
    difference = treated - control
    below = ((treated - first.low) ** 2 + (second.high - control) ** 2).sqrt()
    above = ((first.high - treated) ** 2 + (control - second.low) ** 2).sqrt()
    return Lift(treated, control, difference, Interval(difference - below, difference + above))


# --- is one better than the other -------------------------------------------------------------------------------

_ENOUGH = 5  # expected successes and failures in each group, below which the normal distribution is no guide


def difference_by_chance(first_hits: int, first_n: int, second_hits: int, second_n: int) -> float:
    """How likely two groups differ at least so much by mere chance: the two-sided p of the two-proportion z-test with
    the pooled share. 1 where the figures are too small to tell (Cochran's rule).

    NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3; W. G. Cochran, “Some Methods for Strengthening the Common
    χ² Tests”, Biometrics 10(4), 1954.
    """
    for hits, n in ((first_hits, first_n), (second_hits, second_n)):
        if not 0 <= hits <= n:
            raise ValueError(f"{hits} of {n} is not a share")
    if first_n == 0 or second_n == 0:
        return 1.0
    pooled = (first_hits + second_hits) / (first_n + second_n)
    if min(first_n, second_n) * min(pooled, 1 - pooled) < _ENOUGH:
        return 1.0
    spread = math.sqrt(pooled * (1 - pooled) * (1 / first_n + 1 / second_n))
    z = (first_hits / first_n - second_hits / second_n) / spread
    return math.erfc(abs(z) / math.sqrt(2))
