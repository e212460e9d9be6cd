"""Shares, and values that are drawn: `0.5%`, `60..800`, `[A, B]`, `{ A: 80%, B: 20% }`, `new`, `same`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from engage.core import coerce
from engage.core.behaviour.model import Between, Draw, New, OneOf, Same
from engage.core.catalog import Catalog
from engage.core.condition import ValueType
from engage.core.journey import guesses, misfits, mistakes, scalars, slips
from engage.core.journey.nodes import Listing, Node, Scalar, Table
from engage.core.problem import Problem, Said

_SHARE = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,4})?%")
_A_SHARE = Said("a share", "比例")


def read_share(node: Node, problems: list[Problem]) -> float | None:
    """`12%`, `0.5%`."""
    found = scalars.scalar(node, _A_SHARE, problems)
    if found is None:
        return None
    spelt = slips.half_width(found.text.strip())
    if not _SHARE.fullmatch(spelt):
        problems.append(mistakes.not_a_number(found.span, found.text, _A_SHARE, guesses.percent(found.text), "0.5%"))
        return None
    if float(spelt[:-1]) > 100:
        problems.append(mistakes.out_of_range(found.span, found.text, "0%", "100%"))
        return None
    return float(spelt[:-1]) / 100


def read_draw(node: Node, name: str, kind: ValueType, catalog: Catalog, problems: list[Problem]) -> Draw | None:
    match node:
        case Scalar(text="new"):
            return New()
        case Scalar(text="same"):
            return Same()
        case Scalar() if kind is ValueType.NUMBER and (ends := scalars.number_range(node, problems)) is not None:
            return _between(node, ends, problems)
        case Scalar():
            values = _values([node], name, kind, catalog, problems)
            return OneOf(values, (1.0,)) if values else None
        case Listing(items):
            texts = [item for item in items if isinstance(item, Scalar)]
            values = _values(texts, name, kind, catalog, problems)
            return OneOf(values, (1 / len(values),) * len(values)) if values else None
        case Table():
            return read_weights(node, kind, catalog, problems)


def read_weights(
    table: Table, kind: ValueType, catalog: Catalog, problems: list[Problem], only: Sequence[str] = ()
) -> OneOf | None:
    """`{ A: 80%, B: 20% }`. `only`: the values of an enum."""
    values: list[Any] = []
    weights: list[float] = []
    for entry in table.entries:
        if only and entry.key.text not in only:
            problems.append(mistakes.not_one_of(entry.key.span, entry.key.text, _A_VALUE, tuple(only)))
            continue
        read = _values([entry.key], entry.key.text, kind, catalog, problems)
        share = read_share(entry.value, problems)
        if read and share is not None:
            values += read
            weights.append(share)
    if sum(weights) > 1.0001:
        problems.append(mistakes.out_of_range(table.span, f"{sum(weights):.0%}", "0%", "100%"))
        return None
    return OneOf(tuple(values), tuple(weights)) if any(weights) else None


_A_VALUE = Said("a value", "值")


def _between(node: Scalar, ends: tuple[Any, Any], problems: list[Problem]) -> Between | None:
    low, high = ends
    if low is None or high is None or low > high or low < 0:
        problems.append(misfits.empty_range(node.span, node.text))
        return None
    return Between(float(low), float(high))


def _values(
    texts: Sequence[Scalar], name: str, kind: ValueType, catalog: Catalog, problems: list[Problem]
) -> tuple[Any, ...]:
    """As JSON data, the way facts carry them."""
    zone = ZoneInfo(catalog.timezone)
    values = []
    for text in texts:
        value = coerce.payload_value(kind, slips.half_width(text.text), zone)
        if value is None:
            problems.append(misfits.wrong_type(text.span, name, kind))
        else:
            values.append(value)
    return tuple(values)
