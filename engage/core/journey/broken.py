"""What can still be said about a file that is not valid YAML.

The parser stops at the first thing it cannot read, often lines away from the slip. So the text itself is scanned for
the slips people make (full-width punctuation, tabs, `>= 500`, unquoted `{{ … }}`, a missing space); all of them are
reported, each at its place. Only if the scan finds nothing, the parser's own words are passed on, in plain language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from engage.core.journey import mistakes
from engage.core.journey.vocabulary import JOURNEY_KEYS, LATER_VERBS, STEP_OPTIONS, VERBS
from engage.core.problem import Problem, Said, Span

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_QUOTED = re.compile(r"""(?<![^\s:,\[{])("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_BLOCK_HEADER = re.compile(r"(?::|-)\s+[|>][0-9]?[+-]?[0-9]?\s*$")

_TAB = re.compile(r"^ *(\t+)")
_COLON = re.compile(r"(?:^\s*(?:-\s+)*|[{,]\s*)[A-Za-z0-9_.]+\s*(：)")
_BRACKET = re.compile("[［］｛｝]")
_COMMA_IN_LIST = re.compile(r"\[[^\]]*?(，)")
_COMMA_IN_MAP = re.compile(r"(，)\s*[A-Za-z_][A-Za-z0-9_.]*\s*[:：]\s")
_COMPARISON = re.compile(r"[:：]\s*((?:>=|<=|=>|=<|==|!=|≥|≤|>|<)\s*-?[0-9][0-9.]*%?)")
_TEMPLATE = re.compile(r"(?:[:：]|-)\s+((\{\{.*?\}\}).*)$")
_KNOWN_WORDS = sorted({*JOURNEY_KEYS, *STEP_OPTIONS, *VERBS, *LATER_VERBS, *(o for own in VERBS.values() for o in own)})
_NO_SPACE = re.compile(rf"^\s*(?:-\s+)*(({'|'.join(_KNOWN_WORDS)}):)(?=[^\s:/])")

_HALF_WIDTH = {"：": ":", "，": ",", "［": "[", "］": "]", "｛": "{", "｝": "}"}


def unprintable(source: str, file: str) -> Problem | None:
    """The first character that no YAML file may hold."""
    match = _UNPRINTABLE.search(source)
    if match is None:
        return None
    before = source[: match.start()].splitlines(keepends=True) or [""]
    ended = before[-1].endswith(("\n", "\r"))
    line, column = (len(before) + 1, 1) if ended else (len(before), len(before[-1]) + 1)
    return mistakes.unprintable(Span(file, line, column, line, column + 1), match[0])


def explain(source: str, file: str, error: yaml.MarkedYAMLError) -> list[Problem]:
    """Everything the scan finds; else what the parser said. Never empty."""
    return list(_scan(source, file)) or [_parser_problem(source, file, error)]


# --- the scan ---------------------------------------------------------------------------------------------------


def _scan(source: str, file: str) -> Iterator[Problem]:
    for number, line in _structure(source):
        yield from _slips(line, file, number)


def _structure(source: str) -> Iterator[tuple[int, str]]:
    """The lines outside text blocks, with quoted text and comments blanked out so that columns stay true."""
    block: int | None = None  # indentation of the line that opened a text block
    for number, line in enumerate(source.splitlines(), start=1):
        indentation = len(line) - len(line.lstrip(" "))
        if block is not None and (not line.strip() or indentation > block):
            continue
        masked = _COMMENT.sub("", _QUOTED.sub(lambda match: '"' + "_" * (len(match[0]) - 2) + '"', line))
        block = indentation if _BLOCK_HEADER.search(masked) else None
        yield number, masked


def _slips(line: str, file: str, number: int) -> Iterator[Problem]:
    def span(start: int, end: int) -> Span:
        return Span(file, number, start + 1, number, end + 1)

    if match := _TAB.match(line):
        yield mistakes.tab(span(*match.span(1)))
    for pattern in (_COLON, _BRACKET, _COMMA_IN_LIST, _COMMA_IN_MAP):
        for match in pattern.finditer(line):
            mark = match[pattern.groups]
            yield mistakes.full_width_punctuation(span(*match.span(pattern.groups)), mark, _HALF_WIDTH[mark])
    for match in _COMPARISON.finditer(line):
        yield mistakes.comparison(span(*match.span(1)), match[1], as_range(match[1]))
    if match := _TEMPLATE.search(line):
        yield mistakes.unquoted_template(span(*match.span(2)), match[1].rstrip())
    if match := _NO_SPACE.match(line):
        yield mistakes.missing_space(span(*match.span(1)), match[2])


def as_range(comparison: str) -> Said:
    """How a comparison is said in this language: `>= 500` is `500..`. Both ends of a range are included."""
    operator, number = _split_comparison(comparison)
    whole = re.fullmatch(r"-?[0-9]{1,15}", number)
    match operator:
        case ">=" | "=>" | "≥":
            text = f"{number}.."
        case "<=" | "=<" | "≤":
            text = f"..{number}"
        case ">":
            text = f"{int(number) + 1}.." if whole else f"{number}.."
        case "<":
            text = f"..{int(number) - 1}" if whole else f"..{number}"
        case "!=":
            return Said(f"write  not: {{ …: {number} }}", f"请写 not: {{ …: {number} }}")
        case _:
            text = number
    if operator in (">", "<"):
        return Said(f"write {text}  (both ends are included)", f"请写 {text}（两端都包含在内）")
    return Said(f"write {text}", f"请写 {text}")


def _split_comparison(comparison: str) -> tuple[str, str]:
    operator = "".join(character for character in comparison if character in "<>=!≥≤")
    return operator, comparison[len(operator) :].strip()


# --- the parser's words -----------------------------------------------------------------------------------------

_LINE_UP = Said("check that this line starts in the same column as its siblings", "请检查这一行是否和同级的行左对齐")
_PLAIN: tuple[tuple[str, Said, Said], ...] = (
    ("expected <block end>", Said("this line does not line up with the others", "这一行和其他行没有对齐"), _LINE_UP),
    (
        "mapping values are not allowed here",
        Said("a “:” where none can be", "这里不能有“:”"),
        Said(
            "check the indentation; text that has “: ” in it must be quoted",
            "请检查缩进；文字里如果有“: ”，需要加引号",
        ),
    ),
    (
        "expected ',' or",
        Said("a bracket is not closed, or a comma is missing", "括号没有闭合，或者少了逗号"),
        Said("check the brackets and commas before this place", "请检查这里之前的括号和逗号"),
    ),
    (
        "found unexpected end of stream",
        Said("a quotation mark is not closed", "引号没有闭合"),
        Said("close the quotation mark", "请补上后引号"),
    ),
    (
        "that cannot start any token",
        Said("text cannot begin with this character", "文字不能以这个字符开头"),
        Said("put the text in quotation marks", "请给这段文字加上引号"),
    ),
    (
        "could not find expected ':'",
        Said("a “:” is missing", "少了一个“:”"),
        Said("write  key: value", "请写成  键: 值"),
    ),
    (
        "expected chomping or indentation",
        Said("“>” and “|” start a text block", "“>”和“|”表示多行文字"),
        Said("put the text in quotation marks", "请给这段文字加上引号"),
    ),
    (
        "undefined alias",
        Said("“*” refers to something that does not exist", "“*”指向了不存在的内容"),
        Said("put the text in quotation marks", "请给这段文字加上引号"),
    ),
)


def _parser_problem(source: str, file: str, error: yaml.MarkedYAMLError) -> Problem:
    said = error.problem or "it cannot be read"
    mark = error.context_mark if "end of stream" in said else error.problem_mark
    mark = mark or error.problem_mark or error.context_mark
    span = _line_span(source, file, mark.line if mark else 0)
    for fragment, plain, help in _PLAIN:
        if fragment in said:
            return mistakes.not_yaml(span, plain, help)
    return mistakes.not_yaml(span, Said(said, said))


def _line_span(source: str, file: str, index: int) -> Span:
    """The words of that line; of the last line with words where the parser ran off the end."""
    lines = source.splitlines() or [""]
    index = min(index, len(lines) - 1)
    while index > 0 and not lines[index].strip():
        index -= 1
    line = lines[index]
    start = len(line) - len(line.lstrip())
    return Span(file, index + 1, start + 1, index + 1, max(len(line.rstrip()), start + 1) + 1)
