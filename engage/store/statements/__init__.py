"""How statements are made: about the rows of a batch, about what is due, and of conditions."""
