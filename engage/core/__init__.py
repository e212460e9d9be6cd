"""Decisions, and nothing else.

Nothing in this package reads the clock, the database, the network or a random source; `now` is always an argument.
It imports nothing from the rest of Engage.
"""
