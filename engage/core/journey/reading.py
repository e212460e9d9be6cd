"""`read_journey`: one file of the journey language → a frozen `Journey`, and every problem of the file at once.

A journey is returned even when it has problems, so that the checks across files can go on: it is then a draft, and
what could not be read is missing from it or met by nobody. It must never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import PurePath

from engage.core.catalog import Catalog
from engage.core.condition import Condition
from engage.core.journey import actions, misfits, mistakes, nobody, scalars, splitting, steps, switching
from engage.core.journey.catalog import read_catalog
from engage.core.journey.channel_policy import read_channels
from engage.core.journey.conditions import NOBODY, Scope, condition_option, read_condition
from engage.core.journey.editing import read_moved_to, read_on_edit
from engage.core.journey.ids import StepIds, name_steps
from engage.core.journey.impossible import always_with
from engage.core.journey.model import (
    ChannelPolicy,
    ExitOnCondition,
    Journey,
    Manual,
    OnDate,
    OnEdit,
    OnSchedule,
    Reentry,
    Start,
    Step,
)
from engage.core.journey.nodes import Listing, Node, Scalar, Table, read_nodes
from engage.core.journey.options import Options, read_table
from engage.core.journey.starts import read_exits, read_goal, read_per, read_reentry, read_start, start_scope
from engage.core.journey.steps import StepKind, StepReader, asked_in
from engage.core.journey.vocabulary import JOURNEY_KEYS, VERBS
from engage.core.problem import Problem, Said, Severity

__all__ = ["read_catalog", "read_journey"]

DEFAULT_TOPIC = "marketing"

_KINDS: dict[str, StepKind] = {
    "send": actions.read_send,
    "ask": actions.read_ask,
    "wait": steps.read_wait,
    "wait_for": steps.read_wait_for,
    "if": steps.read_if,
    "branch": steps.read_branch,
    "switch": switching.read_switch,
    "split": splitting.read_split,
    "update": actions.read_update,
    "notify": actions.read_notify,
    "webhook": actions.read_webhook,
    "enroll": actions.read_enroll,
    "goto": steps.read_goto,
    "exit": steps.read_exit,
}


def read_journey(source: str, file: str, catalog: Catalog) -> tuple[Journey | None, list[Problem]]:
    """None only if the file is not a mapping at all. Problems come in file order. The file's stem is the id."""
    node, problems = read_nodes(source, file)
    table = None
    if node is not None:
        table = read_table(node, Said("a journey file", "旅程文件"), problems, "journey: …")
    if table is None:
        return None, mistakes.in_order(problems)
    journey = _Reading(table, file, catalog, problems).journey()
    if any(problem.severity is Severity.ERROR for problem in problems):
        journey = replace(journey, draft=True)
    return journey, mistakes.in_order(problems)


class _Reading:
    """One journey file while it is being read."""

    def __init__(self, table: Table, file: str, catalog: Catalog, problems: list[Problem]) -> None:
        place = Said("this journey", "这个旅程里")
        self._options = Options(table, JOURNEY_KEYS, place, problems, _belongs_to_a_step)
        self._top = table.entries[0].key.span if table.entries else table.span
        self._id = PurePath(file).stem
        self._catalog = catalog
        self._problems = problems
        self._stray_steps = any(entry.key.text in VERBS for entry in table.entries)  # each is told at its place
        self._step_ids: frozenset[str] = frozenset()  # known once the steps are read

    def journey(self) -> Journey:
        options = self._options
        for key in ("journey", "start", *(() if self._stray_steps else ("steps",))):
            options.require(key, self._top)
        self._check_id()
        start = self._start()
        entry_scope = start_scope(start, self._scope(), self._catalog)
        steps = self._steps(entry_scope)
        run_scope = replace(entry_scope, in_run=True, asked=asked_in(steps))
        journey = Journey(
            id=self._id,
            title=options.read("journey", lambda node, problems: scalars.text(node, problems, limit=200)) or self._id,
            start=start or Manual(),
            steps=steps,
            audience=self._audience(start, entry_scope),
            exclude=condition_option(options, "exclude", entry_scope),
            reentry=options.read("reentry", read_reentry) or _default_reentry(start),
            exit_if=options.read("exit_if", lambda node, problems: read_exits(node, run_scope, problems)) or (),
            goal=options.read("goal", lambda node, problems: read_goal(node, run_scope, problems)),
            holdout=options.read("holdout", scalars.percent) or 0,
            canary=options.read("canary", scalars.yes_no) is not False,
            priority=self._priority(),
            topic=self._topic(),
            channels=options.read("channels", read_channels) or ChannelPolicy(),
            per=options.read("per", lambda node, problems: read_per(node, start, self._catalog, problems)),
            on_edit=options.read("on_edit", read_on_edit) or OnEdit.MOVE,
            moved_to=options.read("moved_to", self._moved_to) or {},
            draft=bool(options.read("draft", scalars.yes_no)),
            owner=options.read("owner", scalars.text),
            note=options.read("note", scalars.text),
        )
        self._problems.extend(self._who_is_left(journey))
        return journey

    def _who_is_left(self, journey: Journey) -> Iterator[Problem]:
        """Nobody enters, stays or is written to: each line may be right by itself."""
        if journey.holdout == 100:
            node = self._options.node("holdout")
            yield nobody.nobody_is_written_to(node.span if node else self._top)
        if journey.audience is None:
            return
        if journey.exclude is not None and always_with(journey.audience, journey.exclude):
            yield nobody.everyone_excluded(self._options.key_span("exclude"))
        for rule in journey.exit_if:
            if isinstance(rule, ExitOnCondition) and always_with(journey.audience, rule.condition):
                yield nobody.everyone_leaves_at_once(self._options.key_span("exit_if"))

    def _check_id(self) -> None:
        if not scalars.NAME.fullmatch(self._id):
            what = Said("a journey's id, which is the file's name", "旅程的 id（也就是文件名）")
            self._problems.append(mistakes.not_a_name(self._top, self._id, what))

    def _scope(self) -> Scope:
        """What every condition of a journey can look at; the start adds to it."""
        return Scope(
            fields=self._catalog.fields,
            events=self._catalog.events,
            segment=lambda found, problems: segment_of(self._catalog, found, problems),
        )

    def _start(self) -> Start | None:
        node = self._options.node("start")
        return None if node is None else read_start(node, self._scope(), self._problems)

    def _audience(self, start: Start | None, scope: Scope) -> Condition | None:
        if "audience" not in self._options and isinstance(start, OnSchedule):
            self._problems.append(misfits.audience_required(self._options.key_span("start")))
        node = self._options.node("audience")
        return None if node is None else _audience(node, scope, self._problems)

    def _steps(self, scope: Scope) -> tuple[Step, ...]:
        node = self._options.node("steps")
        if node is None:
            return ()
        if isinstance(node, Listing) and not node.items:
            wanted = Said("at least one step", "至少一个步骤")
            self._problems.append(mistakes.wrong_shape(node.span, mistakes.word("steps"), wanted))
        ids = name_steps(node, self._problems) if isinstance(node, Listing) else StepIds({}, ())
        self._step_ids = frozenset(ids.of.values())
        scope = replace(scope, in_run=True, asked_later=frozenset(ids.asks))
        return StepReader(_KINDS, self._catalog, ids, self._problems).read(node, scope)

    def _moved_to(self, node: Node, problems: list[Problem]) -> Mapping[str, str]:
        return read_moved_to(node, self._step_ids, problems)

    def _priority(self) -> int:
        priority = self._options.read("priority", scalars.priority)
        return 50 if priority is None else priority

    def _topic(self) -> str:
        if "topic" not in self._options and DEFAULT_TOPIC not in self._catalog.topics:
            self._problems.append(misfits.unknown("topic", self._top, DEFAULT_TOPIC, self._catalog.topics))
        topic = self._options.read("topic", lambda node, problems: actions.read_topic(node, self._catalog, problems))
        return topic or DEFAULT_TOPIC


def _belongs_to_a_step(word: str) -> Said | None:
    """A word of a step that stands too far to the left."""
    if word in VERBS:
        return Said(f"a step goes under `steps:`, as  - {word}: …", f"步骤写在 `steps:` 下面：  - {word}: …")
    verbs = mistakes.listed(f"`{verb}`" for verb, own in VERBS.items() if word in own)
    if not verbs:
        return None
    return Said(
        f"it belongs to a step ({verbs}): indent it as far as its verb",
        f"它属于步骤（{verbs}）：请缩进到和动词左对齐",
    )


def _audience(node: Node, scope: Scope, problems: list[Problem]) -> Condition | None:
    """None: everyone."""
    if isinstance(node, Scalar) and node.text == "everyone":
        return None
    if isinstance(node, Scalar):
        problems.append(
            mistakes.not_one_of(node.span, node.text, Said("an audience", "受众"), ("everyone", "{ city: 上海 }"))
        )
        return NOBODY
    return read_condition(node, scope, problems)


def _default_reentry(start: Start | None) -> Reentry:
    """Never; a yearly date comes round again, once per cycle year, which the occurrence sees to."""
    return Reentry.always() if isinstance(start, OnDate) else Reentry(never=True)


def segment_of(catalog: Catalog, found: Scalar, problems: list[Problem]) -> Condition | None:
    condition = catalog.segments.get(found.text)
    if condition is None:
        problems.append(misfits.unknown("segment", found.span, found.text, catalog.segments))
    return condition
