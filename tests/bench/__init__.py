"""How fast, beside what: `make bench`. Nothing here is a test; see `__main__`."""
