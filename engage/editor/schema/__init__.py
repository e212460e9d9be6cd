"""JSON Schemas (draft-07) of journeys, tests and catalog, made for one project: an editor offers its own fields, events
and templates.

A schema is less strict than `engage check` and never stricter: what it underlines is a mistake.
"""
