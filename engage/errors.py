"""Faults: exceptions to catch, record, and back off from. Author mistakes are `Problem`s, decisions are values."""

from __future__ import annotations


class EngageError(Exception):
    """The root of every fault. The message says what happened and what to do."""


class DatabaseUnavailable(EngageError):
    """The database did not answer, or was busy for too long. Nothing was written; try again."""
