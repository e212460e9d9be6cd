"""The four loops over one database, a folder each: `receiving` (facts recorded), `enrolling` (who enters), `advancing`
(what next), `dispatching` (the send protocol). Each claims a batch, decides in pure code, and writes the batch back in
one transaction. They meet only in the database.

Around them: the engine and the daemon that drive them, `edits` (what becomes of changed files) and `insight` (answers
to those who ask).
"""
