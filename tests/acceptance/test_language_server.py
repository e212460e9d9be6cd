"""The schemas in a real YAML language server: what it underlines, offers and explains.

Needs node and the server, which a normal run has not: `npm install yaml-language-server`, and its program's path in
YAML_LANGUAGE_SERVER.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engage.cli.schema import write_schemas
from engage.cli.shipped import ROOT
from engage.core.problem import Lang
from tests.acceptance.language_server import LanguageServer

PROGRAM = os.environ.get("YAML_LANGUAGE_SERVER", "")
pytestmark = pytest.mark.skipif(
    not PROGRAM or shutil.which("node") is None,
    reason="needs node, and YAML_LANGUAGE_SERVER=…/bin/yaml-language-server",
)

FILES = sorted((ROOT / "journeys").glob("*.yaml"))
HEAD = "# yaml-language-server: $schema=../.engage/journey.schema.json\njourney: 试\nstart: { event: order_paid }\n"


class Editor:
    """Every text is a new document: answers about an earlier one cannot be taken for answers about this one."""

    def __init__(self, server: LanguageServer, folder: Path) -> None:
        self._server = server
        self._folder = folder / "journeys"
        self._number = 0

    def _next(self) -> Path:
        self._number += 1
        return self._folder / f"trial{self._number}.yaml"

    def complaints(self, text: str) -> list[tuple[int, str]]:
        return self._server.complaints(self._next(), text)

    def offers(self, text: str) -> dict[str, str]:
        return {label: item["insertText"] for label, item in self._server.offers(self._next(), HEAD + text).items()}

    def explanation(self, text: str) -> str:
        return self._server.explanation(self._next(), HEAD + text)


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Editor]:
    folder = tmp_path_factory.mktemp("project")
    for name in ("journeys", "templates"):
        shutil.copytree(ROOT / name, folder / name)
    write_schemas(folder, Lang.EN)
    server = LanguageServer(Path(PROGRAM), folder)
    yield Editor(server, folder)
    server.close()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nothing_is_underlined_in_a_shipped_file(editor: Editor, path: Path) -> None:
    assert editor.complaints(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("steps:\n  - sned: welcome\n", 5, "Property sned is not allowed"),
        ("steps:\n  - send: welcom\n", 5, "Value is not accepted"),
        ("steps:\n  - send: welcome\n    lates: 3d\n", 6, "Property lates is not allowed"),
        ("steps:\n  - wait: 3 days\n", 5, "waits look like"),
        ("steps:\n  - wait_for: clicked\n", 5, 'Missing property "up_to"'),
        ("audience: { citty: 上海 }\nsteps: [ { send: welcome } ]\n", 4, "Property citty is not allowed"),
        ("channels: [wechat, smss]\nsteps: [ { send: welcome } ]\n", 4, "Value is not accepted"),
    ],
)
def test_a_mistake_is_underlined_as_it_is_typed(editor: Editor, text: str, line: int, words: str) -> None:
    complaints = editor.complaints(HEAD + text)
    assert any(at == line and words in message for at, message in complaints), complaints


def test_verbs_are_offered_with_what_they_need(editor: Editor) -> None:
    for place in ("steps:\n  - ‸\n", "steps:\n  - if: { orders: 2.. }\n    then:\n      - ‸\n"):
        offers = editor.offers(place)
        assert {"send", "wait", "exit", "wait_for …", "switch …"} <= set(offers)
        assert offers["wait_for …"] == "wait_for: ${1:clicked}\n  up_to: ${2:7d}"


def test_after_a_verb_only_its_own_options_are_offered(editor: Editor) -> None:
    offers = set(editor.offers("steps:\n  - send: welcome\n    ‸\n"))
    assert {"late", "channels", "only_if"} <= offers
    assert not {"wait", "exit", "up_to", "switch …"} & offers


@pytest.mark.parametrize(
    ("text", "some"),
    [
        ("steps:\n  - send: ‸\n", {"welcome", "winback_story"}),
        ("steps:\n  - notify: ‸\n", {"客服一组"}),
        ("steps:\n  - enroll: ‸\n", {"nps"}),
        ("steps:\n  - wait_for: [‸]\n", {"clicked", "order_paid"}),
        ("steps:\n  - if:\n      lifecycle: ‸\n", {"新客", "known"}),
        ("steps:\n  - if:\n      ‸\n", {"lifecycle", "any", "did", "event.amount"}),
        ("steps:\n  - wait: ‸\n", {"3d at 10:00"}),
        ("topic: ‸\n", {"marketing"}),
        ("‸\n", {"goal", "audience", "steps"}),
    ],
)
def test_the_projects_own_words_are_offered(editor: Editor, text: str, some: set[str]) -> None:
    assert some <= set(editor.offers(text))


def test_a_word_is_explained_with_an_example(editor: Editor) -> None:
    told = editor.explanation("steps:\n  - send: welcome\n    late‸: 3d\n")
    assert "Do not send if it could not go out within this." in told
    assert "late: 6h" in told
