"""What can still be said about a file that is not valid YAML.

The parser stops at the first thing it cannot read, often lines away from the slip. So the text itself is scanned for
the slips people make (full-width punctuation, tabs, `>= 500`, unquoted `{{ … }}`, a missing space); all of them are
reported, each at its place. Only if the scan finds nothing, the parser's own complaint is passed on: `complaint`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from engage.core.journey import keyboard, slips
from engage.core.journey.complaint import in_plain_words
from engage.core.journey.vocabulary import JOURNEY_KEYS, STEP_OPTIONS, VERBS
from engage.core.problem import Problem, Said, Span

# What no YAML file may hold, and what nobody sees: zero-width spaces, soft hyphens, marks that turn the direction of
# text, and the line ends that only YAML takes for such.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
    "|[\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
)
_QUOTED = re.compile(r"""(?<![^\s:,\[{])("(?:[^"\\]|\\.)*"|'(?:[^']|'')*')""")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_BLOCK_HEADER = re.compile(r"(?::|-)\s+[|>][0-9]?[+-]?[0-9]?\s*$")

_TAB = re.compile(r"^ *(\t+)")
_WIDE_INDENT = re.compile("^ *([\u3000\u00a0]+)(?=\\S)")
_BULLET = re.compile(rf"^\s*([{keyboard.BULLETS}]+)\s*\w+\s*[:：]")
_NUMBER_SIGN = re.compile(r"^\s*(＃)")
_CLOSED_BY_CURLY = re.compile(r"""(?:^|[\s\[{])"[^"]*([“”])\s*(?:$|[,\]}])""")
_COLON = re.compile(r"(?:^\s*(?:-\s+)*|[{,]\s*)[A-Za-z0-9_.]+\s*(：)")
_BRACKET = re.compile("[［］｛｝]")
_COMMA_IN_LIST = re.compile(r"\[[^\]]*?(，)")
_COMMA_IN_MAP = re.compile(r"(，)\s*[A-Za-z_][A-Za-z0-9_.]*\s*[:：]\s")
_COMPARISON = re.compile(r"[:：]\s*((?:>=|<=|=>|=<|==|!=|≥|≤|>|<)\s*-?[0-9][0-9.]*%?|!=\s*[^\s,\[\]{}]+)")
_TEMPLATE = re.compile(r"(?:[:：]|-)\s+((\{\{.*?\}\}).*)$")
_KNOWN_WORDS = sorted({*JOURNEY_KEYS, *STEP_OPTIONS, *VERBS, *(o for own in VERBS.values() for o in own)})
_NO_SPACE = re.compile(rf"^\s*(?:-\s+)*(({'|'.join(_KNOWN_WORDS)}):)(?=[^\s:/])")

_HALF_WIDTH = {"：": ":", "，": ",", "［": "[", "］": "]", "｛": "{", "｝": "}", "＃": "#", "”": '"', "“": '"'}
_OPENING = {"］": "［", "｝": "｛"}


def unprintable(source: str, file: str) -> Problem | None:
    """The first character that no YAML file may hold."""
    match = _UNPRINTABLE.search(source)
    if match is None:
        return None
    before = source[: match.start()].splitlines(keepends=True) or [""]
    ended = before[-1].endswith(("\n", "\r"))
    line, column = (len(before) + 1, 1) if ended else (len(before), len(before[-1]) + 1)
    return slips.unprintable(Span(file, line, column, line, column + 1), match[0])


def explain(source: str, file: str, error: yaml.MarkedYAMLError) -> list[Problem]:
    """Everything the scan finds; else what the parser said. Never empty."""
    return list(_scan(source, file)) or [in_plain_words(source, file, error)]


# --- the scan ---------------------------------------------------------------------------------------------------


def _scan(source: str, file: str) -> Iterator[Problem]:
    lines = source.splitlines()
    for number, line in _structure(source):
        yield from _slips(line, lines[number - 1], file, number)


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


def _slips(line: str, written: str, file: str, number: int) -> Iterator[Problem]:
    """`line`: what is `written`, blanked out."""

    def span(start: int, end: int) -> Span:
        return Span(file, number, start + 1, number, end + 1)

    if match := _TAB.match(line):
        yield slips.tab(span(*match.span(1)))
    if match := _WIDE_INDENT.match(line):
        yield slips.wide_indentation(span(*match.span(1)), match[1])
    if match := _BULLET.match(line):
        yield slips.odd_bullet(span(*match.span(1)), match[1])
    for pattern in (_NUMBER_SIGN, _COLON, _BRACKET, _COMMA_IN_LIST, _COMMA_IN_MAP, _CLOSED_BY_CURLY):
        for match in pattern.finditer(line):
            mark = match[pattern.groups]
            if _OPENING.get(mark, mark) in line[: match.start()] and mark in _OPENING:
                continue  # told at the opening one
            yield slips.full_width_punctuation(span(*match.span(pattern.groups)), mark, _HALF_WIDTH[mark])
    for match in _COMPARISON.finditer(line):
        yield slips.comparison(span(*match.span(1)), match[1], *as_range(match[1]))
    if match := _TEMPLATE.search(line):
        end = len(match[0].rstrip())
        yield slips.unquoted_template(span(*match.span(2)), written[match.start(1) : match.start() + end])
    if match := _NO_SPACE.match(line):
        yield slips.missing_space(span(*match.span(1)), match[2])


def as_range(comparison: str) -> tuple[Said, str | None]:
    """How a comparison is said in this language: `>= 500` is `500..`; in words, and itself if it says exactly the same.
    Both ends of a range are included, so `> 5` may be meant as `6..` or not."""
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
        case "!=" | "<>" | "≠":
            return Said(f"write  not: {{ …: {number} }}", f"请写 not: {{ …: {number} }}"), None
        case _:
            text = number
    if operator in (">", "<"):
        return Said(f"write {text}  (both ends are included)", f"请写 {text}（两端都包含在内）"), None
    return Said(f"write {text}", f"请写 {text}"), text


def _split_comparison(comparison: str) -> tuple[str, str]:
    number = comparison.lstrip("<>=!≥≤≠")
    return comparison[: len(comparison) - len(number)], number.strip()
