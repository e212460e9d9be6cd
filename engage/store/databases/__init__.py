"""SQLite and PostgreSQL themselves: connected to, spelt, upgraded, spread, copied, moved from one to the other."""
