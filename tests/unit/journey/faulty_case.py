"""Reads `tests/fixtures/faulty/*.cases`: kinds of faulty files, what is expected of each, and the mended file.

A case is `=== name`, the faulty text, `>>> code line:column | words of the remedy` for each problem, the mended text.
The words are those of both languages, or `English ‖ Chinese`.
`@ path` behind the name says which file of the project it is; without it, a journey. What a journey or a catalog must
have and a case does not write is added below it, so that places stay true; `[whole]`: nothing is added.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "fixtures" / "faulty"
JOURNEY = "journeys/trial.yaml"

_TITLE = re.compile(r"=== (?P<name>.*?)(?: @ (?P<path>\S+))?(?P<whole> \[whole\])?")
_EXPECTED = re.compile(r">>> (?P<code>E\d{3}) (?P<line>\d+):(?P<column>\d+)(?: \| (?P<remedy>.+))?")
_NEEDED = {
    "journey": {"journey": "journey: 试", "start": "start: manual", "steps": "steps:\n  - send: welcome"},
    "catalog": {"brand": "brand: { name: 山野茶事 }"},
}


@dataclass(frozen=True)
class Expected:
    code: str
    line: int
    column: int
    remedy: tuple[str, str]  # in English and in Chinese; nothing in particular is expected of an empty one

    @classmethod
    def of(cls, found: re.Match[str]) -> Expected:
        english, _, chinese = (found["remedy"] or "").partition(" ‖ ")
        return cls(found["code"], int(found["line"]), int(found["column"]), (english, chinese or english))


@dataclass(frozen=True)
class Case:
    theme: str
    name: str
    path: str
    faulty: str
    expected: tuple[Expected, ...]
    mended: str
    mended_path: str


def cases(theme: str = "*") -> Iterator[Case]:
    for file in sorted(FOLDER.glob(f"{theme}.cases")):
        for block in re.split(r"^(?==== )", file.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
            yield _case(file.stem, block)


def _case(theme: str, block: str) -> Case:
    title, *lines = block.rstrip("\n").split("\n")
    found = _TITLE.fullmatch(title)
    assert found, title
    marks = [number for number, line in enumerate(lines) if line.startswith(">>> ")]
    assert marks, f"{title}: nothing is expected"
    expected = [_EXPECTED.fullmatch(lines[number]) for number in marks]
    assert all(expected), title
    path = mended_path = found["path"] or JOURNEY
    mended = lines[marks[-1] + 1 :]
    if mended[0].startswith("@ "):
        mended_path = mended.pop(0).removeprefix("@ ")
    whole = bool(found["whole"])
    return Case(
        theme,
        found["name"],
        path,
        _completed(lines[: marks[0]], path, whole),
        tuple(Expected.of(each) for each in expected if each),
        _completed(mended, mended_path, whole),
        mended_path,
    )


def _completed(lines: list[str], path: str, whole: bool) -> str:
    text = "\n".join(lines) + "\n"
    if whole or not path.endswith(".yaml"):
        return text
    there = set(re.findall(r"^(\w+) ?[:：]", text, re.MULTILINE))
    needed = _NEEDED["catalog" if path == "catalog.yaml" else "journey"]
    return text + "".join(f"{line}\n" for key, line in needed.items() if key not in there)
