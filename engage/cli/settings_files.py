"""What of a project is neither journey nor template: `config.yaml` and the behaviour file, checked with the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from engage.cli.language import CONFIG_NAME
from engage.cli.shipped import BEHAVIOUR
from engage.config import Config, load_config
from engage.content.project import Project, read_text
from engage.core.behaviour.reading import read_behaviour
from engage.core.journey import misfits
from engage.core.looking_back import looks_beyond
from engage.core.problem import Problem, Said, Severity, Span
from engage.errors import ConfigError

SETTINGS = (CONFIG_NAME, BEHAVIOUR.name)
_Keys = Sequence[str | int]


def read_settings(folder: Path, project: Project | None) -> tuple[dict[str, str], list[Problem]]:
    """The texts of those that are there, and their problems. Without a `project`, what is said of its words is not
    looked at."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name in SETTINGS:
        path = folder / name
        text = read_text(path, name) if path.is_file() else None
        if isinstance(text, Problem):
            problems.append(text)
        elif text is not None:
            texts[name] = text
            problems += _problems(path, text, project)
    return texts, problems


def _problems(path: Path, text: str, project: Project | None) -> list[Problem]:
    if path.name == CONFIG_NAME:
        return list(_of_config(path, text, project))
    return read_behaviour(text, path.name, project.catalog, project.journeys)[1] if project is not None else []


def _of_config(path: Path, text: str, project: Project | None) -> Iterator[Problem]:
    """Secrets are not looked up: they may be where the daemon runs, and not here."""
    try:
        config = load_config(path, secrets=False)
    except ConfigError as error:
        for keys, said in error.mistakes or [((), error.said)]:
            yield Problem("E420", _place(text, keys), said, help=(_WRITTEN_DOWN,))
        return
    if project is not None:
        yield from _beside_project(config, text, project)


def _beside_project(config: Config, text: str, project: Project) -> Iterator[Problem]:
    topics = project.catalog.topics
    for topic in _keys_of(text, ("policy", "caps")):
        if topic not in topics:
            yield misfits.unknown("topic", _place(text, ("policy", "caps", topic)), topic, topics)
    kept = config.retention.events
    if kept is not None:
        for look in looks_beyond(kept, project.catalog, project.journeys.values()):
            place = _place(text, ("retention", "events"))
            yield Problem("E421", place, look.beside(kept), help=(_KEEP_LONGER,), severity=Severity.WARNING)


_KEEP_LONGER = Said(
    "keep them longer, or ask for less: `within: 90d`, or a computed field, whose count is kept",
    "请留得更久，或者少看一些：`within: 90d`，或用计算字段，它的计数会一直保留",
)


_WRITTEN_DOWN = Said("each key is explained in docs/config.md", "每一项的说明见 docs/config.md")


def _keys_of(text: str, keys: _Keys) -> list[str]:
    node = _node(text, keys)[1]
    return [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []


def _place(text: str, keys: _Keys) -> Span:
    """Of the last key that is written."""
    node = _node(text, keys)[0]
    if node is None:
        return Span(CONFIG_NAME, 1, 1, 1, 2)
    start, end = node.start_mark, node.end_mark
    return Span(CONFIG_NAME, start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _node(text: str, keys: _Keys) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The key, or the item of a list, that the keys lead to as far as they are written; and its value, if they all
    are."""
    try:
        value = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return None, None
    place: yaml.Node | None = None
    for key in keys:
        match value:
            case yaml.MappingNode():
                found = next(((name, inner) for name, inner in value.value if name.value == str(key)), None)
            case yaml.SequenceNode() if isinstance(key, int) and key < len(value.value):
                found = (value.value[key], value.value[key])
            case _:
                found = None
        if found is None:
            return place, None
        place, value = found
    return place, value
