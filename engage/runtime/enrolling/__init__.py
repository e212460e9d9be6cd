"""ENROL: who enters which journey, and who waits at its door."""
