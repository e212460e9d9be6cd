"""Words: templates and their checks, rendering, signed links, and the project that holds them with its journeys.

Knows no channel's wire, no database and no clock: what a message says is decided here, when and how it goes out is not.
"""
