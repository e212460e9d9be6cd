"""Author mistakes on the terminal: the file's own lines, underlined, and a line that sums up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from rich.text import Text

from engage.cli.screen import Screen, counted
from engage.core.journey.explain_problem import format_problem
from engage.core.problem import Problem, Severity


def show_problems(screen: Screen, problems: Sequence[Problem], sources: Mapping[str, str]) -> None:
    for problem in problems:
        screen.line(_coloured(format_problem(problem, sources.get(problem.span.file, ""), screen.lang), problem))
        screen.line()


def _coloured(shown: str, problem: Problem) -> Text:
    text = Text(shown)
    strong = "bold red" if problem.severity is Severity.ERROR else "bold yellow"
    text.highlight_regex(r"\A.*", strong)
    text.highlight_regex(r"━+.*", strong)
    text.highlight_regex(r"─{2,}.*", "cyan")
    text.highlight_regex(r"(?m)^ *(?:╭─.*$|\d* ?[│⋮])", "dim")
    text.highlight_regex(r"(?m)^ *= .*$", "cyan")
    return text


def renamed(problem: Problem, name: Callable[[str], str]) -> Problem:
    """The same problem, its files called as the reader knows them."""
    marks = (replace(mark, span=replace(mark.span, file=name(mark.span.file))) for mark in problem.marks)
    return replace(problem, span=replace(problem.span, file=name(problem.span.file)), marks=tuple(marks))


def count_errors(problems: Sequence[Problem]) -> int:
    return sum(problem.severity is Severity.ERROR for problem in problems)


def show_summary(screen: Screen, problems: Sequence[Problem], files: int) -> None:
    errors = count_errors(problems)
    warnings = len(problems) - errors
    if not problems:
        screen.say(f"✓ {counted(files, 'file')}, no problems", f"✓ {files} 个文件，没有问题", "green")
        return
    places = len({problem.span.file for problem in problems})
    en = [counted(errors, "error")] * bool(errors) + [counted(warnings, "warning")] * bool(warnings)
    zh = [f"{errors} 个错误"] * bool(errors) + [f"{warnings} 个警告"] * bool(warnings)
    screen.say(
        f"{', '.join(en)} in {counted(places, 'file')}",
        f"{places} 个文件里有 {'、'.join(zh)}",
        "bold red" if errors else "bold yellow",
    )
