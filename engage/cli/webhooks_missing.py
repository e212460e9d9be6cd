"""Webhooks that journeys call and the config does not have: said in time, before calls fail one by one."""

from __future__ import annotations

from collections.abc import Iterable

from engage.cli.screen import Screen
from engage.config import Config
from engage.core.journey.check import webhooks_called
from engage.core.journey.model import Journey


def say_which_are_missing(screen: Screen, journeys: Iterable[Journey], config: Config) -> None:
    for name, ids in webhooks_called(journeys).items():
        if name in config.webhooks:
            continue
        listed = ", ".join(ids)
        screen.say(
            f"{listed}: the webhook {name} is not set up, and calls to it fail. Add webhooks.{name} to config.yaml.",
            f"{listed}：webhook {name} 还没有配置，调用会失败。请在 config.yaml 里加上 webhooks.{name}。",
            "yellow",
        )
