"""The four loops: receive (facts recorded), enrol (who enters), advance (what next), dispatch (the send protocol).

Each claims a batch, decides in pure code, and writes the batch back in one transaction. They meet only in the database.
"""
