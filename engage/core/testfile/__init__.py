"""Test files (`journeys/<id>.test.yaml`): what they say, and what is wrong with them. They are run by `simulation`."""
