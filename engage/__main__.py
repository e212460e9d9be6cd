"""`python -m engage`: the same as the `engage` command."""

from engage.cli.app import main

main()
