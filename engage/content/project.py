"""A project: the catalog, the journeys and the templates, read together from texts.

The same function reads the files of a folder and what `engage apply` has stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from engage.content.library import Library
from engage.content.template import FOLDER, SUFFIX, problems_stop
from engage.content.usage import usage_problems
from engage.core.catalog import Catalog
from engage.core.journey.check import check_journeys
from engage.core.journey.model import Journey
from engage.core.journey.reading import read_catalog, read_journey
from engage.core.problem import Problem, Said, Severity, Span

JOURNEYS = "journeys/"
CATALOG = "journeys/catalog.yaml"
_YAML = ".yaml"
_TEST = ".test.yaml"


@dataclass(frozen=True, slots=True)
class Project:
    catalog: Catalog
    journeys: Mapping[str, Journey]  # by id
    library: Library
    sources: Mapping[str, str]  # every file it was read from, by path


def read_project(sources: Mapping[str, str]) -> tuple[Project | None, list[Problem]]:
    """`sources`: texts by path (`journeys/catalog.yaml`, `journeys/<id>.yaml`, `templates/…`). All problems at once; a
    project only if none of them is an error."""
    if CATALOG not in sources:
        return None, [_no_catalog()]
    catalog, problems = read_catalog(sources[CATALOG], CATALOG)
    if catalog is None:
        return None, problems
    journeys, found = _read_journeys(sources, catalog)
    problems += found
    library, found = Library.read(sources, catalog)
    problems += found
    problems += check_journeys(journeys.values(), catalog, library, _faulty(sources, journeys, problems))
    problems += usage_problems(journeys, library, catalog, sources, _of_unsure_topic(problems))
    problems.sort(key=lambda problem: (problem.span, problem.code))
    if problems_stop(problems):
        return None, problems
    return Project(catalog, journeys, library, sources), problems


def project_files(folder: Path) -> tuple[dict[str, str], list[Problem]]:
    """Everything `read_project` wants from a folder, by path. A file that is not UTF-8 is a problem; where it can be
    told what it is, it is read as that, so that all that names it is not wrong as well. A file that looks like a
    journey and is not named like one is a problem, and left out."""
    sources: dict[str, str] = {}
    problems: list[Problem] = []
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        text: str | Problem | None = read_text(path, name)
        if isinstance(text, Problem):
            problems.append(text)
            text = _as_it_was_saved(path.read_bytes()) if path.is_file() else None
        if text is not None:
            sources[name] = text
    return sources, problems + [_passed_over(folder, path) for path in sorted(_misnamed(folder))]


def _misnamed(folder: Path) -> Iterator[Path]:
    journeys = folder / JOURNEYS
    for path in journeys.rglob("*"):
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in path.relative_to(journeys).parts)
        test = path.name.lower().endswith((_TEST, ".test.yml"))
        yaml = path.suffix.lower() in (_YAML, ".yml")
        if yaml and not hidden and not test and name != CATALOG and not _is_journey(name) and path.is_file():
            yield path


def _files(folder: Path) -> Iterator[Path]:
    for path in (folder / JOURNEYS).glob(f"*{_YAML}"):
        if not path.name.endswith(_TEST):
            yield path
    yield from (folder / FOLDER).rglob(f"*{SUFFIX}")


def _read_journeys(sources: Mapping[str, str], catalog: Catalog) -> tuple[dict[str, Journey], list[Problem]]:
    journeys: dict[str, Journey] = {}
    problems: list[Problem] = []
    for path in sorted(filter(_is_journey, sources)):
        journey, found = read_journey(sources[path], path, catalog)
        problems += found
        if journey is not None:
            journeys[journey.id] = journey
    return journeys, problems


def _faulty(sources: Mapping[str, str], journeys: Mapping[str, Journey], problems: list[Problem]) -> frozenset[str]:
    """The ids of journeys that cannot be read, or only in part."""
    files = {problem.span.file for problem in problems if problem.severity is Severity.ERROR}
    ids = {PurePosixPath(path).stem: path for path in filter(_is_journey, sources)}
    return frozenset(name for name, path in ids.items() if name not in journeys or path in files)


def _of_unsure_topic(problems: list[Problem]) -> frozenset[str]:
    """The ids of journeys whose topic may be another one than was read: it is unknown, or so is a key."""
    return frozenset(PurePosixPath(p.span.file).stem for p in problems if p.code in ("E306", "E210"))


def _is_journey(path: str) -> bool:
    directly_there = PurePosixPath(path).parent == PurePosixPath(JOURNEYS)
    return directly_there and path.endswith(_YAML) and not path.endswith(_TEST) and path != CATALOG


def _no_catalog() -> Problem:
    return Problem(
        "E400",
        Span(CATALOG, 1, 1, 1, 2),
        Said(f"{CATALOG} does not exist", f"缺少 {CATALOG}"),
        help=(Said("`engage init DIR` makes a project with one", "用 `engage init DIR` 可以新建一个完整的项目"),),
    )


def _passed_over(folder: Path, path: Path) -> Problem:
    name, wanted = path.relative_to(folder).as_posix(), f"{JOURNEYS}{path.stem}{_YAML}"
    return Problem(
        "E415",
        Span(name, 1, 1, 1, 2),
        Said(
            "this file is passed over: journeys are read from `journeys/<id>.yaml` only",
            "这个文件不会被读取：旅程文件只从 `journeys/<id>.yaml` 读取",
        ),
        help=(Said(f"if it is a journey, rename it to `{wanted}`", f"如果它是旅程，请改名为 `{wanted}`"),),
        severity=Severity.WARNING,
    )


def read_text(path: Path, name: str) -> str | Problem:
    """The text of a file; told under `name` if it cannot be read, or is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError:
        return _unreadable(path, name)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return _not_utf8(name, content, error.start)


def _unreadable(path: Path, name: str) -> Problem:
    """A folder, a link that leads nowhere or in a circle, a file that others have locked away."""
    if path.is_dir():
        why, help = Said("it is a folder", "它是一个文件夹"), Said("rename the folder", "请给这个文件夹改名")
    elif path.is_symlink() and not path.exists():
        why, help = Said("it is a link that leads nowhere", "它是一个失效的链接"), Said("remove it", "请把它删掉")
    else:
        why = Said("we may not open it", "没有打开它的权限")
        help = Said("give yourself the right to read it", "请给自己读取的权限")
    said = Said(f"this file cannot be read: {why.en}", f"这个文件读不了：{why.zh}")
    return Problem("E400", Span(name, 1, 1, 1, 2), said, help=(help,))


def _not_utf8(name: str, content: bytes, at: int) -> Problem:
    line = content.count(b"\n", 0, at) + 1
    column = len(content[content.rfind(b"\n", 0, at) + 1 : at].decode(errors="replace")) + 1
    kind = _encoding(content)
    return Problem(
        "E400",
        Span(name, line, column, line, column + 1),
        Said("this file is not UTF-8", "这个文件不是 UTF-8 编码"),
        label=Said(f"it looks like {kind}", f"看起来是 {kind}") if kind else None,
        help=(
            Said(
                f"open it{f' as {kind}' if kind else ''} in your editor and save it as UTF-8",
                f"请在编辑器里{f'用 {kind} ' if kind else ''}打开，再另存为 UTF-8",
            ),
        ),
    )


def _as_it_was_saved(content: bytes) -> str | None:
    kind = _encoding(content)
    return content.decode(kind, errors="replace").replace("\r\n", "\n") if kind else None


def _encoding(content: bytes) -> str | None:
    """What Windows writes: Notepad's “Unicode”, and the code page of a Chinese system."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    try:
        words = content.decode("gbk")
    except UnicodeDecodeError:
        return None
    return "GBK" if any("\u4e00" <= character <= "\u9fff" for character in words) else None
