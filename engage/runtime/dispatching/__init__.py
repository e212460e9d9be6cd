"""DISPATCH: the send protocol, from the claim of a message to the record of what became of it."""
