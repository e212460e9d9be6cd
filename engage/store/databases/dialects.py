"""The few words SQLite and PostgreSQL spell differently, each under one name: JSON values by their type, text whatever
its case, and lists of keys or texts.

A value of an event's payload, or one passed to a run, counts only if it is of the type that is asked for; else it is
missing, here NULL. So `"n/a"` is no number, and `true` is none either. Numbers may be written as text (`enroll … with`
passes words), as plain digits with a point: no exponent, no separators, and less than 10^16.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Dialect,
    Double,
    String,
    TypeDecorator,
    column,
    literal,
    literal_column,
    null,
    type_coerce,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

_LARGEST = 10**16
SPREAD = "engage_spread"


def say_whether_spread(dialect: Dialect, whether: bool) -> None:
    """Whether the database is a PostgreSQL that Citus spreads over servers; said when it is first connected to."""
    setattr(dialect, SPREAD, whether)


def is_spread(dialect: Dialect) -> bool:
    return bool(getattr(dialect, SPREAD, False))


class _DayInText(TypeDecorator[date]):
    """A calendar day as JSON has it, `2026-11-23`: text of that form is in the order of the days."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: Dialect) -> str | None:
        return value.isoformat() if value is not None else None


class _Spelt(FunctionElement[Any]):
    """Spelt by each database in its own way, and by its name where a statement is printed without one."""

    inherit_cache = True


@compiles(_Spelt)
def _named(function: _Spelt, compiler: Any, **kw: Any) -> str:
    return f"{type(function).__name__}({compiler.process(function.clauses, **kw)})"


class _OfJson(_Spelt):
    """Over an element of a JSON column. SQLite asks for its type by the path: taken out of its document, a value no
    longer knows whether it was `true` or 1."""

    inherit_cache = True

    def __init__(self, element: Any) -> None:
        super().__init__(element, element.as_string(), element.left, element.right)


class text_in(_OfJson):
    type = String()
    inherit_cache = True


class number_in(_OfJson):
    type = Double()
    inherit_cache = True


class flag_in(_OfJson):
    type = Boolean()
    inherit_cache = True


class day_in(_OfJson):
    type = _DayInText()
    inherit_cache = True


def _on_sqlite(function: _OfJson, compiler: Any, **kw: Any) -> tuple[str, str]:
    """The element's type, and its value."""
    _, text, column, path = (compiler.process(clause, **kw) for clause in function.clauses)
    return f"json_type({column}, {path})", text


def _on_postgresql(function: _OfJson, compiler: Any, **kw: Any) -> tuple[str, str]:
    json, text, *_ = (compiler.process(clause, **kw) for clause in function.clauses)
    return f"jsonb_typeof({json})", text


@compiles(text_in, "sqlite")
def _text_on_sqlite(function: text_in, compiler: Any, **kw: Any) -> str:
    kind, text = _on_sqlite(function, compiler, **kw)
    return f"CASE {kind} WHEN 'text' THEN {text} END"


@compiles(text_in, "postgresql")
def _text_on_postgresql(function: text_in, compiler: Any, **kw: Any) -> str:
    kind, text = _on_postgresql(function, compiler, **kw)
    return f"CASE {kind} WHEN 'string' THEN {text} END"


@compiles(number_in, "sqlite")
def _number_on_sqlite(function: number_in, compiler: Any, **kw: Any) -> str:
    """Compared as it came, every text would be greater than every number (SQLite, “Datatypes”, §4.2)."""
    kind, text = _on_sqlite(function, compiler, **kw)
    small = f"abs(CAST({text} AS REAL)) < {_LARGEST}"
    written = f"{text} NOT GLOB '*[^-.0-9]*' AND json_valid({text})"
    return (
        f"CASE WHEN {kind} IN ('integer', 'real') AND {small} THEN CAST({text} AS REAL)"
        f" WHEN {kind} = 'text' AND {written} AND {small} THEN CAST({text} AS REAL) END"
    )


@compiles(number_in, "postgresql")
def _number_on_postgresql(function: number_in, compiler: Any, **kw: Any) -> str:
    """`jsonb` writes its numbers without an exponent. What does not look like one must never reach the cast."""
    kind, text = _on_postgresql(function, compiler, **kw)
    written = "'^-?(0|[1-9][0-9]{0,15})([.][0-9]{1,200})?$'"
    return f"CASE WHEN {kind} IN ('number', 'string') AND {text} ~ {written} THEN CAST({text} AS DOUBLE PRECISION) END"


@compiles(flag_in, "sqlite")
def _flag_on_sqlite(function: flag_in, compiler: Any, **kw: Any) -> str:
    kind, _ = _on_sqlite(function, compiler, **kw)
    return f"CASE {kind} WHEN 'true' THEN 1 WHEN 'false' THEN 0 END"


@compiles(flag_in, "postgresql")
def _flag_on_postgresql(function: flag_in, compiler: Any, **kw: Any) -> str:
    kind, text = _on_postgresql(function, compiler, **kw)
    return f"CASE {kind} WHEN 'boolean' THEN {text} = 'true' END"


@compiles(day_in, "sqlite")
def _day_on_sqlite(function: day_in, compiler: Any, **kw: Any) -> str:
    kind, text = _on_sqlite(function, compiler, **kw)
    digits = "[0-9]"
    form = "-".join((digits * 4, digits * 2, digits * 2))
    return f"CASE WHEN {kind} = 'text' AND {text} GLOB '{form}' THEN {text} END"


@compiles(day_in, "postgresql")
def _day_on_postgresql(function: day_in, compiler: Any, **kw: Any) -> str:
    kind, text = _on_postgresql(function, compiler, **kw)
    form = "'^[0-9]{4}-[0-9]{2}-[0-9]{2}$'"
    return f"CASE WHEN {kind} = 'string' AND {text} ~ {form} THEN {text} END"


# --- text -------------------------------------------------------------------------------------------------------


class _small_letters(_Spelt):
    """A–Z as a–z, and nothing else: what SQLite's `lower` does. PostgreSQL's follows the language of the database."""

    type = String()
    inherit_cache = True


@compiles(_small_letters, "sqlite")
def _small_on_sqlite(function: _small_letters, compiler: Any, **kw: Any) -> str:
    return f"lower({compiler.process(function.clauses, **kw)})"


@compiles(_small_letters, "postgresql")
def _small_on_postgresql(function: _small_letters, compiler: Any, **kw: Any) -> str:
    return f'lower({compiler.process(function.clauses, **kw)} COLLATE "C")'


def contains(value: Any, part: str) -> ColumnElement[bool]:
    """Whether the text has this part in it; capital and small letters A–Z are the same. NULL where the text is."""
    small = "".join(char.lower() if char.isascii() else char for char in part)
    return _small_letters(value).contains(small, autoescape=True)


# --- lists ------------------------------------------------------------------------------------------------------


class beside_index(_Spelt):
    """A column as it is, for SQLite not to look it up by: another clause knows the better way."""

    inherit_cache = True


@compiles(beside_index, "sqlite")
def _beside_index_on_sqlite(function: beside_index, compiler: Any, **kw: Any) -> str:
    return f"+{compiler.process(function.clauses, **kw)}"


@compiles(beside_index, "postgresql")
def _beside_index_on_postgresql(function: beside_index, compiler: Any, **kw: Any) -> str:
    return str(compiler.process(function.clauses, **kw))


class _each_text_of(_Spelt):
    """The elements of a JSON array of texts, as a table with one column, `value`."""

    inherit_cache = True


@compiles(_each_text_of, "sqlite")
def _each_text_on_sqlite(function: _each_text_of, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(function.clauses, **kw)})"


@compiles(_each_text_of, "postgresql")
def _each_text_on_postgresql(function: _each_text_of, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_elements_text(({compiler.process(function.clauses, **kw)})::jsonb)"


def listed(texts: Iterable[str], name: str) -> Any:
    """These texts as a table with one column, `value`: a query can go through them, one look-up for each."""
    return _each_text_of(literal(json.dumps(list(texts)))).table_valued(column("value", String()), name=name)


class _each_list_of(_Spelt):
    """The elements of a JSON array of arrays, as a table with one column, `value`."""

    inherit_cache = True


@compiles(_each_list_of, "sqlite")
def _each_list_on_sqlite(function: _each_list_of, compiler: Any, **kw: Any) -> str:
    return f"json_each({compiler.process(function.clauses, **kw)})"


@compiles(_each_list_of, "postgresql")
def _each_list_on_postgresql(function: _each_list_of, compiler: Any, **kw: Any) -> str:
    return f"jsonb_array_elements(({compiler.process(function.clauses, **kw)})::jsonb)"


def each_row(lists: ColumnElement[str]) -> Any:
    """Rows told as a JSON array of arrays, as a table of which `value_in` reads the columns."""
    return _each_list_of(lists).table_valued(column("value", String()), name="given")


class _value_at(_Spelt):
    """An element of an array, by its place, as a value of the type of the last clause."""

    inherit_cache = True


@compiles(_value_at, "sqlite")
def _value_at_on_sqlite(function: _value_at, compiler: Any, **kw: Any) -> str:
    value, place, _ = (compiler.process(clause, **kw) for clause in function.clauses)
    return f"json_extract({value}, '$[{place}]')"


@compiles(_value_at, "postgresql")
def _value_at_on_postgresql(function: _value_at, compiler: Any, **kw: Any) -> str:
    value, place, typed = function.clauses
    kept_as = compiler.dialect.type_compiler_instance.process(typed.type)
    return f"({compiler.process(value, **kw)} ->> {compiler.process(place, **kw)})::{kept_as}"


def value_in(row: Any, place: int, kept_as: TypeEngine[Any]) -> ColumnElement[Any]:
    """A column of `each_row`, to be kept in a column of that type."""
    return _value_at(row.c.value, literal_column(str(place)), type_coerce(null(), kept_as))


def pairs_in_text(pairs: Sequence[tuple[int, Any]]) -> tuple[str, str]:
    """Pairs of a bucket and another value, and the buckets alone, as `in_bucket_with` takes them."""
    buckets = ",".join(map(str, sorted({number for number, _ in pairs})))
    return json.dumps(pairs), f"{{{buckets}}}"


class in_bucket_with(_Spelt):
    """Whether a row's bucket and another column, of numbers or texts, are one of these pairs: one look-up for each, and
    one statement however many they are. (Two lists, `bucket IN … AND id IN …`, are every one with every other; a list
    of row values drives no index on SQLite.) Where PostgreSQL is spread the buckets are spelt out as well: by them
    Citus finds the servers that have the rows; one server alone would compare each row with each of them."""

    type = Boolean()
    inherit_cache = True

    def __init__(
        self,
        bucket: ColumnElement[int],
        other: ColumnElement[Any],
        pairs: ColumnElement[str],
        buckets: ColumnElement[str],
    ) -> None:
        """The last two as `pairs_in_text` has them."""
        super().__init__(bucket, other, pairs, buckets)

    def self_group(self, against: Any = None) -> Any:
        """As it is: SQLAlchemy would write `… = 1` on SQLite, which then walks through the table."""
        return self


@compiles(in_bucket_with, "sqlite")
def _in_bucket_with_on_sqlite(function: in_bucket_with, compiler: Any, **kw: Any) -> str:
    """The column first: SQLite takes the type of the first pair of columns for that of all of them, and would not look
    up a text as a number; a number as a text it does."""
    bucket, column, pairs, _ = function.clauses
    wanted = "json_extract(asked.value, '$[1]')"
    if isinstance(column.type, String):
        wanted = f"CAST({wanted} AS TEXT)"
    every = compiler.process(pairs, **kw)
    asked = f"SELECT {wanted}, json_extract(asked.value, '$[0]') FROM json_each({every}) AS asked"  # noqa: S608
    return f"({compiler.process(column, **kw)}, {compiler.process(bucket, **kw)}) IN ({asked})"


@compiles(in_bucket_with, "postgresql")
def _in_bucket_with_on_postgresql(function: in_bucket_with, compiler: Any, **kw: Any) -> str:
    of_text = isinstance(list(function.clauses)[1].type, String)
    bucket, column, pairs, buckets = (compiler.process(clause, **kw) for clause in function.clauses)
    wanted = "(asked.value ->> 1)" if of_text else "(asked.value ->> 1)::bigint"
    asked = f"SELECT {wanted}, (asked.value ->> 0)::bigint FROM jsonb_array_elements(({pairs})::jsonb) AS asked"  # noqa: S608
    among = f"({column}, {bucket}) IN ({asked})"
    # Told either way: a statement has the same parameters wherever it runs.
    if is_spread(compiler.dialect):
        return f"({bucket} = ANY (({buckets})::bigint[]) AND {among})"
    return f"({among} AND ({buckets})::varchar IS NOT NULL)"
