"""The `engage` command: its list of commands, and the one place where every error ends.

A command is a module beside this one and its line here. Only that module is imported when it is called.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup
from typer.main import get_command

from engage.cli.later import Later, flowing
from engage.cli.options import GlobalOptions

_BUILD, _RUN, _LOOK, _DATA = "Write journeys", "Run them", "See what happens", "Data"

COMMANDS = (
    Later("init", "engage.cli.init:init", "Start a new project, ready to run on local simulators.", _BUILD),
    Later("check", "engage.cli.check:check", "Find every mistake in journeys, templates and catalog.", _BUILD),
    Later("fmt", "engage.cli.fmt:fmt", "Lay out journeys, tests and catalog in one way.", _BUILD),
    Later("schema", "engage.cli.schema:schema", "Write JSON Schemas for your editor.", _BUILD),
    Later("test", "engage.cli.test:run_tests", "Run the tests of journeys; nothing is sent.", _BUILD),
    Later(
        "simulate", "engage.cli.simulate:simulate", "What the coming weeks would bring: messages, cost, goals.", _BUILD
    ),
    Later(
        "replay",
        "engage.cli.replay:replay_journey",
        "What a journey would have done with what really happened.",
        _BUILD,
    ),
    Later("preview", "engage.cli.preview:preview", "Show a template as one member would get it.", _BUILD),
    Later("send-test", "engage.cli.send_test:send_test", "Really send a template, to a test address.", _BUILD),
    Later("plan", "engage.cli.plan:plan", "Show what apply would do, and who would notice.", _BUILD),
    Later("apply", "engage.cli.apply:apply", "Make the files of the project what runs.", _BUILD),
    Later("run", "engage.cli.run:run", "Run the daemon: journeys, sending, web.", _RUN),
    Later("sandbox", "engage.cli.sandbox:sandbox", "Local WeChat, SMS and mail, with the follower's phone.", _RUN),
    Later("demo", "engage.cli.demo:demo", "See the main job done, in minutes and without any account.", _RUN),
    Later("pause", "engage.cli.pause:pause", "Stop sending: everything, a journey, or a channel.", _RUN),
    Later("resume", "engage.cli.pause:resume", "Go on sending after a pause.", _RUN),
    Later("approve", "engage.cli.approve:approve", "Show what waits for approval, and let it go on.", _RUN),
    Later("reread", "engage.cli.reread:reread", "Read again what came in and could not be read.", _RUN),
    Later("status", "engage.cli.status:status", "How the system is, now.", _LOOK),
    Later("doctor", "engage.cli.doctor:doctor", "Examine a running Engage: what is wrong, and what to do.", _LOOK),
    Later("report", "engage.cli.report:report", "What came of it: messages, goals, NPS, cost.", _LOOK),
    Later("explain", "engage.cli.explain:explain", "Why a member got what they got, and did not get the rest.", _LOOK),
    Later("trace", "engage.cli.trace:trace", "Follow one thing through the system, by any handle.", _LOOK),
    Later("tasks", "engage.cli.tasks:group", "Open tasks of the teams: list them, close them.", _LOOK),
    Later("import", "engage.cli.importing:group", "Bring in members or events from CSV and Excel.", _DATA),
    Later("export", "engage.cli.exporting:export", "Write what is stored, as JSON Lines or CSV.", _DATA),
    Later("db", "engage.cli.db:group", "Upgrade, back up, tidy and move the database.", _DATA),
)


def engage(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The config file. Default: config.yaml here or in a folder above."),
    ] = None,
    lang: Annotated[
        Literal["en", "zh"] | None,
        typer.Option("--lang", help="Language of the answers. Default: the config's, else the system's."),
    ] = None,
) -> None:
    """Multichannel customer engagement that runs itself: journeys in YAML over WeChat, SMS and email.

    Start with  engage demo , or with  engage init my-shop .

    Exit codes: 0 done · 1 the answer is no, or problems were found · 2 wrong usage · 3 the configuration cannot be
    used · 4 refused as things stand (the message says what to do first) · 5 a fault of Engage or the machine.
    """
    ctx.obj = GlobalOptions(config, lang)


def build() -> TyperGroup:
    root = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
    root.callback()(engage)
    group = get_command(root)
    if not isinstance(group, TyperGroup):
        raise AssertionError("a Typer with a callback is a group")
    for command in COMMANDS:
        group.add_command(command)
    flowing(group)
    return group


def main(args: list[str] | None = None) -> None:
    """Runs one command and leaves the process with its exit code."""
    given = sys.argv[1:] if args is None else args
    try:
        ending = build()(args=given, prog_name="engage", standalone_mode=False)
    except typer.Abort:
        ending = 1
    except Exception as error:
        ending = _told(error, given)
    sys.exit(ending or 0)


def _told(error: Exception, args: list[str]) -> int:
    from engage.cli.ending import tell
    from engage.cli.language import asked_for, spoken
    from engage.cli.usage import tell_usage

    lang = spoken(asked_for(args))
    return tell_usage(error, lang) if isinstance(error, typer.TyperException) else tell(error, lang)
