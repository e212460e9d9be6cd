"""How the people of a simulation behave: what `simulate.yaml` says. See docs/simulate.md."""
