"""What the YAML parser complains of, in plain words, and where the slip is rather than where the parser gave up.

Its words are matched, so they must be those of PyYAML itself: libyaml says the same things differently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from engage.core.journey import slips
from engage.core.problem import Problem, Said, Span

_CLOSED_QUOTE = re.compile(r"""["']\s*$""")
_VALUE = re.compile(r"^\s*(?:-\s+)*[^:\s][^:]*:\s+(\S.*?)\s*$")
_PERCENT_FIRST = re.compile(r"%([0-9]{1,3})(?![^\s,\]}])")
_UNSAID = Said("it cannot be read", "无法读取")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One that the parser has raised, and the text it is about."""

    error: yaml.MarkedYAMLError
    file: str
    lines: list[str]

    def says(self, fragment: str) -> bool:
        return fragment in (self.error.problem or "")

    def within(self, fragment: str) -> bool:
        return fragment in (self.error.context or "")

    @property
    def line(self) -> int:
        """The index of the line at which the parser gave up; the last one with words if it ran off the end."""
        index = min(self._mark(self.error.problem_mark)[0], len(self.lines) - 1)
        while index > 0 and not self.lines[index].strip():
            index -= 1
        return index

    @property
    def gave_up(self) -> tuple[int, int]:
        return self._mark(self.error.problem_mark)

    @property
    def began(self) -> tuple[int, int]:
        """Where the bracket or quotation mark opens that was being read."""
        return self._mark(self.error.context_mark or self.error.problem_mark)

    def whole_line(self, index: int) -> Span:
        line = self.lines[index]
        return self.span((index, len(line) - len(line.lstrip())))

    def span(self, start: tuple[int, int], length: int | None = None) -> Span:
        """From a place on, as far as the words of its line go."""
        index, column = start
        end = len(self.lines[index].rstrip()) if length is None else column + length
        return Span(self.file, index + 1, column + 1, index + 1, max(end, column + 1) + 1)

    def _mark(self, mark: yaml.Mark | None) -> tuple[int, int]:
        if mark is None:
            return 0, 0
        line = min(mark.line, len(self.lines) - 1)
        return line, min(mark.column, len(self.lines[line])) if line == mark.line else 0


def in_plain_words(source: str, file: str, error: yaml.MarkedYAMLError) -> Problem:
    complaint = Complaint(error, file, source.splitlines() or [""])
    if complaint.within("alias") or complaint.within("anchor") or complaint.says("undefined alias"):
        return slips.no_yaml_reuse(complaint.span(complaint.began, 1))
    if complaint.within("tag"):
        return slips.no_yaml_tags(complaint.span(complaint.began, 1))
    if complaint.says("expected ',' or"):
        return _bracket(complaint)
    if complaint.says("found unexpected end of stream"):
        return _said(complaint.span(complaint.began), *_UNCLOSED_QUOTE)
    if complaint.says("that cannot start any token"):
        return _strange_beginning(complaint)
    if complaint.says("mapping values are not allowed here"):
        return _second_colon(complaint)
    if complaint.says("expected <block end>"):
        return _out_of_line(complaint)
    if complaint.says("could not find expected ':'"):
        return _said(complaint.whole_line(complaint.began[0]), *_NO_COLON)
    if complaint.says("unknown escape character"):
        line, behind = complaint.gave_up
        return _said(complaint.span((line, behind - 1), 1), *_BACKSLASH)
    for fragment, why, help in _SIMPLE:
        if complaint.says(fragment):
            return _said(complaint.whole_line(complaint.line), why, help)
    return slips.not_yaml(complaint.whole_line(complaint.line), Said(error.problem or _UNSAID.en, _UNSAID.zh))


def _said(span: Span, why: Said, help: Said) -> Problem:
    return slips.not_yaml(span, why, help)


_UNCLOSED_QUOTE = (
    Said("a quotation mark is not closed", "引号没有闭合"),
    Said("close the quotation mark", "请补上后引号"),
)
_NO_COLON = (
    Said("a “:” is missing", "少了一个“:”"),
    Said("write  key: value", "请写成  键: 值"),
)
_BACKSLASH = (
    Said('between “"” a “\\” has a meaning of its own', "双引号里的“\\”有特殊含义"),
    Said("write “\\\\”, or use single quotation marks: '…'", "请写成“\\\\”，或者改用单引号：'…'"),
)
_SIMPLE: tuple[tuple[str, Said, Said], ...] = (
    (
        "expected chomping or indentation",
        Said("“>” and “|” start a text block", "“>”和“|”表示多行文字"),
        Said("put the text in quotation marks", "请给这段文字加上引号"),
    ),
)


def _bracket(complaint: Complaint) -> Problem:
    """Not closed: told at the opening one, if nothing wrong stands on its own line."""
    (line, column), (opened, _) = complaint.gave_up, complaint.began
    found = complaint.lines[line][column : column + 1]
    if line != opened or not found.strip():
        return _said(
            complaint.span(complaint.began),
            Said("this bracket is not closed", "这个括号没有闭合"),
            Said("close it, and check the commas within", "请补上后括号，并检查里面的逗号"),
        )
    if found in "]}":
        return _said(
            complaint.span((line, column), 1),
            Said(f"“{found}” does not close this kind of bracket", f"“{found}”和前面的括号不成对"),
            Said("[ is closed by ], { by }", "[ 要用 ] 闭合，{ 要用 } 闭合"),
        )
    return _said(
        complaint.span((line, column)),
        Said("a comma is missing in front of this", "这里前面少了逗号"),
        Said("put a comma between the entries; quote text that has “: ” in it", "各项之间用逗号；带“: ”的文字请加引号"),
    )


def _strange_beginning(complaint: Complaint) -> Problem:
    line, column = complaint.gave_up
    text = complaint.lines[line][column:].rstrip()
    if text.startswith("\t"):
        return slips.tab(complaint.span((line, column), len(text) - len(text.lstrip("\t"))))
    if percent := _PERCENT_FIRST.match(text):
        meant = f"{percent[1]}%"
        return _said(
            complaint.span((line, column), len(percent[0])),
            Said("the percent sign stands behind the number", "百分号要写在数字后面"),
            Said(f"write {meant}", f"请写 {meant}"),
        )
    quoted = f'"{text}"' if '"' not in text else f"'{text}'"
    return _said(
        complaint.span((line, column)),
        Said(f"text cannot begin with “{text[:1]}”", f"文字不能以“{text[:1]}”开头"),
        Said(f"put the text in quotation marks: {quoted}", f"请给这段文字加上引号：{quoted}"),
    )


def _second_colon(complaint: Complaint) -> Problem:
    """`owner: 林晓: 运营`; or an option that stands too far to the right, and so reads on from the line above."""
    line, column = complaint.gave_up
    value = _VALUE.match(complaint.lines[line])
    if value is None or complaint.lines[line].find(":") >= column:
        return _said(
            complaint.whole_line(line),
            Said("a “:” where none can be", "这里不能有“:”"),
            Said("check the indentation: the line above has its value already", "请检查缩进：上一行已经有值了"),
        )
    return _said(
        complaint.span((line, value.start(1))),
        Said("text that has “: ” in it", "文字里有“: ”"),
        Said(f'put it in quotation marks: "{value[1]}"', f'请加上引号："{value[1]}"'),
    )


def _out_of_line(complaint: Complaint) -> Problem:
    line, column = complaint.gave_up
    found = complaint.lines[line][column : column + 1]
    if found and found in "]}":
        return _said(
            complaint.span((line, column), 1),
            Said(f"one “{found}” too many", f"多了一个“{found}”"),
            Said("remove it", "请把它删掉"),
        )
    if _CLOSED_QUOTE.search(complaint.lines[line][:column]):
        return _said(
            complaint.span((line, column)),
            Said("words behind the closing quotation mark", "后引号的后面还有文字"),
            Said("put all of it in one pair of quotation marks", "请把整段文字放进同一对引号里"),
        )
    return _said(
        complaint.whole_line(complaint.line),
        Said("this line does not line up with the others", "这一行和其他行没有对齐"),
        Said("check that this line starts in the same column as its siblings", "请检查这一行是否和同级的行左对齐"),
    )
