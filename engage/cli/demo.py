"""`engage demo`: the main job on local simulators, no account needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engage.cli.ending import end_in_order_if_told
from engage.cli.logs import log_faults
from engage.demo import folder as folders
from engage.demo.session import play


def demo(
    days: Annotated[int, typer.Option(min=1, max=400, help="Days to live through.")] = 95,
    members: Annotated[int, typer.Option(min=1, max=5000, help="How many people there are.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 7,
    leave: Annotated[
        bool, typer.Option("--exit", help="End after the summary instead of serving the phone page.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where an earlier demo ended or was killed.")] = False,
    folder: Annotated[
        Path, typer.Option(help="Where the demo keeps everything. An earlier demo there is replaced.")
    ] = Path("demo"),
    port: Annotated[int, typer.Option(help="Port of the phone page; 0 takes a free one.")] = 8600,
) -> None:
    """See the main job done: journeys run for members over real protocols, on simulators of your own machine.

    Lives through the days in a minute or two of real time: picks channels, sends, and records what followers answer.
    Then serves a follower's phone for your browser: follow the account, read, tap, type, and watch the journeys react.

    Example:  engage demo --days 95 --members 300 --seed 7 --exit

    Exit codes: 0 done · 4 nothing to resume, or a demo or daemon runs in the folder (nothing is deleted) · 5 a fault.
    """
    log_faults()
    end_in_order_if_told()
    console = Console(highlight=False)
    with folders.resumed(folder) if resume else folders.begun(folder, days, members, seed) as settings:
        try:
            play(folder.resolve(), settings, console, stay=not leave, phone_port=port)
        except KeyboardInterrupt:
            console.print("\nStopped. Go on with:  engage demo --resume")
