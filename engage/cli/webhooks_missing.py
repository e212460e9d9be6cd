"""Webhooks that journeys call and the config does not have: said in time, before calls fail one by one."""

from __future__ import annotations

from collections.abc import Iterable

from engage.cli.screen import Screen
from engage.config import Config
from engage.core.journey.check import every_step
from engage.core.journey.model import Journey, Webhook


def say_which_are_missing(screen: Screen, journeys: Iterable[Journey], config: Config) -> None:
    callers: dict[str, list[str]] = {}
    for journey in journeys:
        for name in sorted({step.name for step in every_step(journey.steps) if isinstance(step, Webhook)}):
            if name not in config.webhooks:
                callers.setdefault(name, []).append(journey.id)
    for name, ids in sorted(callers.items()):
        listed = ", ".join(ids)
        screen.say(
            f"{listed}: the webhook {name} is not set up, and calls to it fail. Add webhooks.{name} to config.yaml.",
            f"{listed}：webhook {name} 还没有配置，调用会失败。请在 config.yaml 里加上 webhooks.{name}。",
            "yellow",
        )
