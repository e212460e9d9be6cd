"""Answers to those who ask: how things stand, what came of them, what happened. Queries that only read."""
