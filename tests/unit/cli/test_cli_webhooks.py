"""Webhooks that journeys call and the config lacks are named before anything fails."""

import pytest

from engage.cli.screen import Screen
from engage.cli.webhooks_missing import say_which_are_missing
from engage.config import Config
from engage.core.journey.model import Arm, Branch, Journey, Manual, Webhook
from engage.core.problem import Lang, Span

SPAN = Span("journeys/j.yaml", 1, 1, 1, 1)


def calls(journey_id, *names):
    nested = Branch(id="b", span=SPAN, arms=(Arm("else", None, tuple(map(_call, names))),))
    return Journey(id=journey_id, title="J", start=Manual(), steps=(nested,))


def _call(name):
    return Webhook(id=f"webhook-{name}", span=SPAN, name=name, values={})


def config(*names):
    webhooks = {name: {"url": "https://crm.example/"} for name in names}
    return Config.model_validate({"web": {"signing_key": "k" * 40}, "webhooks": webhooks})


@pytest.mark.parametrize(("lang", "words"), [(Lang.EN, "is not set up"), (Lang.ZH, "还没有配置")])
def test_each_is_named_once_with_the_journeys_that_call_it(lang, words, capsys):
    journeys = [calls("refill", "coupon", "crm"), calls("winback", "coupon")]
    say_which_are_missing(Screen(lang), journeys, config("crm"))
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("refill, winback")
    assert words in line
    assert "webhooks.coupon" in line


def test_nothing_is_said_where_nothing_is_missing(capsys):
    say_which_are_missing(Screen(Lang.EN), [calls("refill", "crm"), calls("nps")], config("crm", "other"))
    assert capsys.readouterr().out == ""
