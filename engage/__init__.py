"""Engage: multichannel customer engagement that runs itself."""

__version__ = "0.1.0"
