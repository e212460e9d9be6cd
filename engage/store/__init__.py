"""The database: the only package that knows SQL. One module of queries for each loop, and for each thing people ask.

Statements are SQLAlchemy Core, a batch at a time; on member-owned tables each locking or updating one carries `bucket`.
"""
