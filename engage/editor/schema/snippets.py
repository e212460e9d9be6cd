"""What an editor writes when a step or a start is chosen from its list. `$1` is where the cursor goes first."""

from __future__ import annotations

from typing import Any

from engage.core.problem import Lang
from engage.editor.manual.journeys import START
from engage.editor.manual.steps import VERBS
from engage.editor.manual.told import Manual

# Verbs that are little without what stands beside or below them; the others are offered as plain keys.
_STEPS: dict[str, Any] = {
    "ask": {"ask": "${1|nps,csat,text|}", "question": "$2"},
    "wait_for": {"wait_for": "${1:clicked}", "up_to": "${2:7d}"},
    "if": {"if": {"$1": "$2"}, "then": [{"$3": "$4"}]},
    "branch": {"branch": [{"if": {"$1": "$2"}, "then": [{"$3": "$4"}]}, {"else": [{"$5": "$6"}]}]},
    "switch": {
        "switch": "${1:nps}",
        "cases": {
            "0..6": [{"notify": "$2", "task": "$3"}],
            "7..8": [{"send": "$4"}],
            "9..10": [{"send": "$5"}],
            "no_answer": [{"exit": "${6:没有回答}"}],
        },
    },
    "split": {
        "split": "$1",
        "ways": {"A": {"share": "50%", "steps": [{"send": "$2"}]}, "B": {"share": "50%", "steps": [{"send": "$3"}]}},
    },
    "update": {"update": {"set": {"$1": "$2"}}},
    "notify": {"notify": "$1", "task": "$2", "due": "${3:1d}"},
    "goto": {"goto": "$1", "at_most": "${2:1}"},
}

_STARTS: dict[str, Any] = {
    "event": {"event": "$1"},
    "segment": {"segment": "$1"},
    "date": {"date": "${1:birthday}", "at": "${2:10:00}"},
    "every": {"every": "${1:workday}", "at": "${2:10:00}"},
}


def step_snippets(lang: Lang) -> list[Any]:
    return _snippets(_STEPS, VERBS, lang)


def start_snippets(lang: Lang) -> list[Any]:
    return _snippets(_STARTS, START, lang)


def _snippets(bodies: dict[str, Any], manual: Manual, lang: Lang) -> list[Any]:
    """Under a label of their own: the plain key is offered beside them."""
    return [
        {"label": f"{word} …", "description": manual[word].plain(lang), "body": body} for word, body in bodies.items()
    ]
