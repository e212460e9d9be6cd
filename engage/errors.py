"""Faults: exceptions to catch, record, and back off from. Author mistakes are `Problem`s, decisions are values."""

from __future__ import annotations

from collections.abc import Sequence

from engage.core.problem import Said


class EngageError(Exception):
    """The root of every fault. The message says what happened and what to do; `zh`: the same, where a person reads it
    who ran a command. Logs have the English one."""

    def __init__(self, en: str, zh: str | None = None) -> None:
        super().__init__(en)
        self.said = Said(en, zh or en)


class DatabaseUnavailable(EngageError):
    """The database did not answer, or was busy for too long. Nothing was written; try again."""


class DatabaseConflict(DatabaseUnavailable):
    """Transactions were in each other's way, and this one was given up. Nothing was written; the same again will do."""


class DatabaseBusy(DatabaseUnavailable):
    """Somebody else held for too long what was wanted. Nothing was written; try again when they are done."""


class DiskFull(DatabaseUnavailable):
    """The disk of the database is full. Nothing was written, and nothing is claimed until there is room."""


class OtherTables(DatabaseUnavailable):
    """A table or column is missing, or may not be touched: no fault of what was being done, which waits."""


class DatabaseDamaged(DatabaseUnavailable):
    """The file is no database, or one that cannot be read any more. Nothing mends it; a copy takes its place."""


class ConfigError(Exception):
    """The configuration cannot be used: the message says which key, what is wrong and what to write.

    Stands outside `EngageError`, so that retry code cannot swallow it. `mistakes`: one by one, each with the keys that
    lead to it.
    """

    def __init__(self, en: str, zh: str, mistakes: Sequence[tuple[tuple[str | int, ...], Said]] = ()) -> None:
        super().__init__(en)
        self.said = Said(en, zh)
        self.mistakes = mistakes
