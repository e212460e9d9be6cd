"""Webhooks that journeys call and the config lacks, and events they look for and the config forgets, are named."""

import pytest

from engage.cli.misfits_shown import say_what_does_not_fit
from engage.cli.screen import Screen
from engage.config import Config
from engage.core.catalog import Brand, Catalog
from engage.core.condition import Did
from engage.core.journey.model import Arm, Branch, Journey, Manual, Webhook
from engage.core.problem import Lang, Span

CATALOG = Catalog(Brand("山野茶事", "山野茶事", {}), "Asia/Shanghai", segments={"买过": Did("order_paid")})
SPAN = Span("journeys/j.yaml", 1, 1, 1, 1)


def calls(journey_id, *names):
    nested = Branch(id="b", span=SPAN, arms=(Arm("else", None, tuple(map(_call, names))),))
    return Journey(id=journey_id, title="J", start=Manual(), steps=(nested,))


def _call(name):
    return Webhook(id=f"webhook-{name}", span=SPAN, name=name, values={})


def config(*names, events_for=None):
    webhooks = {name: {"url": "https://crm.example/"} for name in names}
    retention = {"events": events_for}
    return Config.model_validate({"web": {"signing_key": "k" * 40}, "webhooks": webhooks, "retention": retention})


@pytest.mark.parametrize(("lang", "words"), [(Lang.EN, "is not set up"), (Lang.ZH, "还没有配置")])
def test_each_is_named_once_with_the_journeys_that_call_it(lang, words, capsys):
    journeys = [calls("refill", "coupon", "crm"), calls("winback", "coupon")]
    say_what_does_not_fit(Screen(lang), CATALOG, journeys, config("crm"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("refill, winback")
    assert words in line
    assert "webhooks.coupon" in line


def test_nothing_is_said_where_nothing_is_missing(capsys):
    say_what_does_not_fit(Screen(Lang.EN), CATALOG, [calls("refill", "crm"), calls("nps")], config("crm", "other"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("lang", "words"), [(Lang.EN, "retention.events keeps 90d"), (Lang.ZH, "只留 90d")])
def test_what_is_looked_for_and_not_kept_is_named(lang, words, capsys):
    say_what_does_not_fit(Screen(lang), CATALOG, [], config(events_for="90d"))
    (line,) = capsys.readouterr().out.splitlines()
    assert "买过" in line
    assert words in line
