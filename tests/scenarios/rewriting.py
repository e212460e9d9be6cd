"""A journey with a step of every kind that holds people, and what an author may do to it, at a place that chance picks.

The journey is plain data, written out as the flow style of YAML. Every message says words of its own, `〔3〕`, by which
it is known again under whatever name.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from on_the_way import START
from stage_scene import files_with

from engage.content.project import read_project

Step = dict[str, Any]
Steps = list[Step]

STEPS: Steps = [
    {"send": "hello", "text": "〔1〕"},
    {"wait": "1d"},
    {"ask": "csat", "id": "taste", "question": "〔2〕", "channels": ["email"], "answer_within": "2d"},
    {
        "if": {"taste.score": "1..3"},
        "then": [{"send": "sorry", "text": "〔3〕"}, {"wait": "1d", "id": "cool"}],
        "else": [{"wait": "2d"}, {"send": "glad", "text": "〔4〕"}],
    },
    {"wait": "1d", "id": "pause"},
    {
        "wait_for": "coupon_used",
        "up_to": "2d",
        "then": [{"send": "used", "text": "〔5〕"}],
        "else": [{"wait": "1d"}],
    },
    {
        "split": "开场",
        "ways": {
            "甲": {"share": "50%", "steps": [{"send": "soft", "text": "〔6〕"}, {"wait": "1d"}]},
            "乙": {"share": "50%", "steps": [{"wait": "2d"}, {"send": "offer", "text": "〔7〕"}]},
        },
    },
    {"goto": "pause", "at_most": 1},
    {"wait": "1d"},
    {"send": "last", "text": "〔8〕"},
    {"wait": "3d", "id": "rest"},
    {"send": "bye", "text": "〔9〕"},
]


SAYS = re.compile("〔.〕")


def written(steps: Steps, **keys: object) -> dict[str, str]:
    head = {"journey": "改写", "start": {"event": START}, "reentry": "never", "topic": "service"}
    return {"note": json.dumps({**head, **keys, "steps": steps}, ensure_ascii=False)}


# --- finding a place ----------------------------------------------------------------------------------------------


def lists(steps: Steps) -> Iterator[Steps]:
    """The journey's own list of steps, and every one that is nested in it."""
    yield steps
    for step in steps:
        for nested in [step.get("then"), step.get("else"), *(way["steps"] for way in step.get("ways", {}).values())]:
            if nested is not None:
                yield from lists(nested)


def some_step(chance: random.Random, steps: Steps, *verbs: str) -> tuple[Steps, int]:
    """The list it is in, and where."""
    found = [(block, at) for block in lists(steps) for at, step in enumerate(block) if not verbs or verbs & step.keys()]
    return chance.choice(found)


def some_gap(chance: random.Random, steps: Steps) -> tuple[Steps, int]:
    return chance.choice([(block, at) for block in lists(steps) for at in range(len(block) + 1)])


# --- what an author may do ----------------------------------------------------------------------------------------

Edit = Callable[[random.Random, Steps], dict[str, Any] | None]
"""Changes the steps; gives the journey's keys that it changes besides."""


def adds_a_message(chance: random.Random, steps: Steps) -> None:
    block, at = some_gap(chance, steps)
    block.insert(at, {"send": "news", "text": "〔a〕"})


def adds_a_wait(chance: random.Random, steps: Steps) -> None:
    block, at = some_gap(chance, steps)
    block.insert(at, {"wait": "1d12h"})


def adds_a_question(chance: random.Random, steps: Steps) -> None:
    block, at = some_gap(chance, steps)
    block.insert(at, {"ask": "text", "id": "wish", "question": "〔b〕", "channels": ["email"], "answer_within": "1d"})


def removes_a_step(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send", "wait", "goto")
    del block[at]


def removes_a_choice(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "if", "wait_for", "split")
    del block[at]


def removes_two_steps(chance: random.Random, steps: Steps) -> None:
    removes_a_step(chance, steps)
    removes_a_step(chance, steps)


def empties_a_way(chance: random.Random, steps: Steps) -> None:
    chance.choice(list(lists(steps))[1:]).clear()


def swaps_neighbours(chance: random.Random, steps: Steps) -> None:
    block, at = chance.choice([(block, at) for block in lists(steps) for at in range(1, len(block))])
    block[at - 1], block[at] = block[at], block[at - 1]


def shuffles_a_list(chance: random.Random, steps: Steps) -> None:
    chance.shuffle(chance.choice(list(lists(steps))))


def moves_a_step_elsewhere(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send", "wait")
    step = block.pop(at)
    block, at = some_gap(chance, steps)
    block.insert(at, step)


def renames_with_was(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send")
    block[at] |= {"id": "renamed", "was": block[at]["send"]}


def renames_what_holds_people(chance: random.Random, steps: Steps) -> None:
    old = chance.choice(["taste", "cool", "pause", "rest"])
    steps[:] = json.loads(re.sub(rf'"{old}(["\.])', r'"renamed\1', json.dumps(steps)))
    next(step for block in lists(steps) for step in block if step.get("id") == "renamed")["was"] = old


def renames_without_was(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send", "wait")
    block[at]["id"] = "renamed"


def waits_less(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "wait")
    block[at]["wait"] = "6h"


def waits_longer(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "wait")
    block[at]["wait"] = "4d at 18:00"


def every_wait_is_shorter(chance: random.Random, steps: Steps) -> None:
    for block in lists(steps):
        for step in block:
            step |= {key: "8h" for key in ("wait", "up_to", "answer_within") if key in step}


def gives_less_time_to_answer(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "ask")
    block[at]["answer_within"] = "12h"


def listens_longer(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "wait_for")
    block[at]["up_to"] = "5d"


def says_it_otherwise(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send")
    block[at]["text"] += "（新）"


def goes_other_ways(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "send")
    block[at] |= {"channels": ["wechat", "email"], "late": "2d"}


def decides_otherwise(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "if")
    block[at]["if"] = {"taste.score": "5"}


def turns_a_choice_round(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "if")
    step = block[at]
    step["then"], step["else"] = step["else"], step["then"]


def shares_otherwise(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "split")
    block[at]["ways"]["甲"]["share"], block[at]["ways"]["乙"]["share"] = "10%", "90%"


def wraps_in_a_choice(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps)
    block[at] = {"if": {"tag": "VIP"}, "then": [], "else": [block[at]]}


def becomes_another_kind(chance: random.Random, steps: Steps) -> None:
    block, at = some_step(chance, steps, "wait")
    block[at] = {"ask": "text", "id": block[at].get("id", "wish"), "question": "〔b〕", "channels": ["email"]}


def leaves_early(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"exit_if": {"event": "coupon_used"}}


def has_a_goal(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"goal": {"event": "coupon_used", "within": "7d"}}


def holds_some_out(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"holdout": "50%"}


def takes_in_others(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"audience": {"tag": "VIP"}, "reentry": "after 30d", "per": "event.store"}


def pins(chance: random.Random, steps: Steps) -> dict[str, Any]:
    removes_a_choice(chance, steps)
    return {"on_edit": "pin"}


def is_a_draft(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"draft": "yes"}


def tells_people_more(chance: random.Random, steps: Steps) -> dict[str, Any]:
    return {"owner": "周敏", "note": "改写", "priority": 60}


# Nobody on the way notices.
UNNOTICED: tuple[Edit, ...] = (
    renames_with_was,
    renames_what_holds_people,
    holds_some_out,
    takes_in_others,
    pins,
    is_a_draft,
    tells_people_more,
)
EDITS: tuple[Edit, ...] = (
    *UNNOTICED,
    shares_otherwise,
    adds_a_message,
    adds_a_wait,
    adds_a_question,
    removes_a_step,
    removes_a_choice,
    removes_two_steps,
    empties_a_way,
    swaps_neighbours,
    shuffles_a_list,
    moves_a_step_elsewhere,
    renames_without_was,
    waits_less,
    waits_longer,
    every_wait_is_shorter,
    gives_less_time_to_answer,
    listens_longer,
    says_it_otherwise,
    goes_other_ways,
    decides_otherwise,
    turns_a_choice_round,
    wraps_in_a_choice,
    becomes_another_kind,
    leaves_early,
    has_a_goal,
)


def edited(chance: random.Random, *edits: Edit) -> dict[str, str]:
    """The journey after these edits, each at some place; of those places that leave a journey which can be applied."""
    for _ in range(200):
        steps, keys = deepcopy(STEPS), {}
        for edit in edits:
            keys |= edit(chance, steps) or {}
        files = written(steps, **keys)
        if files != written(STEPS) and can_be_applied(files):
            return files
    raise AssertionError(f"{[edit.__name__ for edit in edits]} make no journey")


def can_be_applied(files: dict[str, str]) -> bool:
    project, _ = read_project(files_with(files))
    return project is not None
