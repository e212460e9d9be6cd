"""Answers to those who ask: why, what next, what would be, what came of it. Reads only."""
