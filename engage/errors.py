"""Faults: exceptions that code may catch, record, and back off from. Author mistakes are `Problem`s, decisions values."""

from __future__ import annotations


class EngageError(Exception):
    """The root of every fault. The message says what happened and what to do."""
