"""ADVANCE: what every run that is due does next."""
