"""What is made once: statements, with their moments as parameters, for as long as their catalog is in use."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Date, select
from store_bench import CATALOG

from engage.core.catalog import Catalog
from engage.store.statements import moments
from engage.store.statements.moments import Moments, Prepared, once_for_catalog
from engage.store.tables import event

NOW = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)  # the 23rd in Shanghai
WEEK = timedelta(days=7)


def test_a_statement_is_told_its_moments_when_it_is_executed() -> None:
    asked = Moments("Asia/Shanghai")
    asked.instant()
    asked.instant(-WEEK)
    asked.day(timedelta(0), Date())
    told = asked.at(NOW)
    assert sorted(map(str, told.values())) == ["2026-11-15 17:30:00+00:00", "2026-11-22 17:30:00+00:00", "2026-11-23"]
    assert set(asked.at(NOW + WEEK)) == set(told)


def test_a_statement_for_one_moment_is_told_nothing() -> None:
    asked = Moments("Asia/Shanghai", NOW)
    assert asked.instant(-WEEK).value == NOW - WEEK
    assert asked.at(NOW) == {}


def test_it_is_made_once_for_a_catalog_and_what_it_is_about() -> None:
    made = []

    @once_for_catalog
    def lately(catalog: Catalog, name: str) -> Prepared:
        made.append((catalog, name))
        asked = Moments(catalog.timezone)
        return Prepared(select(event.c.id).where(event.c.name == name, event.c.at > asked.instant(-WEEK)), asked)

    other = replace(CATALOG)
    assert lately(CATALOG, "a") is lately(CATALOG, "a")
    assert lately(CATALOG, "a") is not lately(other, "a")
    assert lately(CATALOG, "b") is not lately(CATALOG, "a")
    assert made == [(CATALOG, "a"), (other, "a"), (CATALOG, "b")]


def test_it_is_forgotten_with_its_catalog() -> None:
    @once_for_catalog
    def lately(catalog: Catalog, name: str) -> Prepared:
        return Prepared(select(event.c.id).where(event.c.name == name), Moments(catalog.timezone))

    catalog = replace(CATALOG)
    statement = weakref.ref(lately(catalog, "a").statement)
    del catalog
    gc.collect()
    assert statement() is None


def test_the_oldest_is_made_anew_where_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moments, "_MOST_KEPT", 2)
    made = []

    @once_for_catalog
    def number(catalog: Catalog, name: str) -> int:
        made.append(name)
        return len(made)

    assert [number(CATALOG, name) for name in "aabbcca"] == [1, 1, 2, 2, 3, 3, 4]
