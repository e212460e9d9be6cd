"""Help: every command has some worth reading, and asking for it is quick."""

import gc
import subprocess
import sys

import pytest

from engage.cli.app import COMMANDS, build

_HEAVY = ("sqlalchemy", "pydantic", "starlette", "wechatpy", "engage.config")


def _leaves():
    for later in COMMANDS:
        command = later.real()
        below = getattr(command, "commands", {})
        yield from [(f"{later.name} {name}", leaf) for name, leaf in below.items()] or [(later.name, command)]


@pytest.mark.parametrize(
    ("name", "command"), list(_leaves()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_help_says_what_it_does_with_an_example_and_what_the_exit_codes_mean(name, command):
    assert len(command.help.split("\n")[0]) > 20
    assert "Example" in command.help
    assert f"engage {name.split()[0]}" in command.help
    assert "Exit codes: 0 " in command.help


@pytest.mark.parametrize("later", [command for command in COMMANDS if command.name != "demo"], ids=lambda c: c.name)
def test_the_line_in_the_list_is_the_first_line_of_the_commands_own_help(later):
    assert later.real().help.split("\n")[0] == later.help


def test_only_what_a_command_brings_is_kept_for_ever():
    """Called once more, it brings nothing, and what has come since stays to be collected."""
    later = COMMANDS[0]
    later.real()
    kept = gc.get_freeze_count()
    since = [[] for _ in range(1000)]
    later.real()
    assert gc.get_freeze_count() <= kept
    assert len(since) == 1000


def test_every_option_and_argument_is_explained():
    for name, command in _leaves():
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{name}: {parameter.name}"


def test_the_list_of_commands_imports_nothing_heavy():
    code = f"import sys; from engage.cli.app import build; build(); print([m for m in {_HEAVY!r} if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_paragraphs_flow_and_examples_keep_their_lines():
    help_ = build().commands["check"].real().help
    assert "belongs to no project is checked" in help_
    assert "\n  engage check\n  engage check journeys/nps.yaml\n" in help_
