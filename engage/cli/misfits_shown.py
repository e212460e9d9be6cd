"""Where journeys, catalog and config do not fit: webhooks called and not set up, events looked for and not kept, rules
for topics that nobody knows. Said in time, before calls fail one by one and conditions miss what happened."""

from __future__ import annotations

from collections.abc import Collection

from engage.cli.screen import Screen
from engage.config import Config, Policy
from engage.core.catalog import Catalog
from engage.core.journey.check import webhooks_called
from engage.core.journey.model import Journey
from engage.core.looking_back import looks_beyond
from engage.core.problem import Said


def say_what_does_not_fit(screen: Screen, catalog: Catalog, journeys: Collection[Journey], config: Config) -> None:
    _say_webhooks(screen, journeys, config)
    _say_topics(screen, catalog, config.policy)
    kept = config.retention.events
    if kept is not None:
        for look in looks_beyond(kept, catalog, journeys):
            said = look.beside(kept)
            screen.say(f"{said.en}.", f"{said.zh}。", "yellow")


def _say_webhooks(screen: Screen, journeys: Collection[Journey], config: Config) -> None:
    for name, ids in webhooks_called(journeys).items():
        if name in config.webhooks:
            continue
        said = missing_webhook(name, ids)
        screen.say(said.en, said.zh, "yellow")


def _say_topics(screen: Screen, catalog: Catalog, policy: Policy) -> None:
    caps = policy.caps.keys() if "caps" in policy.model_fields_set else set()
    for name in sorted(caps - catalog.topic_names):
        screen.say(
            f"policy.caps: the catalog has no topic {name}, and this cap holds for nothing.",
            f"policy.caps：词表里没有主题 {name}，这条上限不起作用。",
            "yellow",
        )
    for name in sorted(policy.approvals.topics - catalog.topic_names):
        screen.say(
            f"policy.approvals: the catalog has no topic {name}. Until that is mended, everything needs approval.",
            f"policy.approvals：词表里没有主题 {name}。改正之前，所有改动都需要批准。",
            "yellow",
        )


def missing_webhook(name: str, journeys: Collection[str]) -> Said:
    listed = ", ".join(journeys)
    return Said(
        f"{listed}: the webhook {name} is not set up, and calls to it fail. Add webhooks.{name} to config.yaml.",
        f"{listed}：webhook {name} 还没有配置，调用会失败。请在 config.yaml 里加上 webhooks.{name}。",
    )
