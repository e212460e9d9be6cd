"""A YAML text as the pieces its scanner finds: keys, values, dashes, brackets, each with its place and its block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml
from yaml import tokens
from yaml.tokens import Token

INDENT = 2

_MARKS: dict[type[Token], str] = {
    tokens.BlockEntryToken: "-",
    tokens.ValueToken: ":",
    tokens.FlowEntryToken: ",",
    tokens.FlowMappingStartToken: "{",
    tokens.FlowMappingEndToken: "}",
    tokens.FlowSequenceStartToken: "[",
    tokens.FlowSequenceEndToken: "]",
    tokens.DocumentStartToken: "---",
    tokens.DocumentEndToken: "...",
    tokens.StreamEndToken: "",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A list or mapping written by indentation: the column it stands at, and the one it gets."""

    was_at: int
    column: int
    around: Block | None = None
    dashes: bool = False  # a list
    announced: bool = True  # by the scanner: it is silent about a list whose dashes stand right below their key

    def inner(self, was_at: int, *, dashes: bool, announced: bool = True) -> Block:
        return Block(was_at, self.column + INDENT, self, dashes, announced)

    def chain(self) -> Iterator[Block]:
        """From the outermost inwards."""
        if self.around:
            yield from self.around.chain()
        yield self


_FILE = Block(-1, -INDENT)


@dataclass(slots=True)
class Piece:
    kind: str  # a mark; "|" for a text block; "word" for any other key or value; "" for the end of the file
    text: str
    start: int
    block: Block  # the innermost around it
    opens_line: bool = False  # a dash or a key of its block: stands at the block's column
    in_brackets: bool = False
    roomy: bool = True  # of brackets: a space inside

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def pieces_of(source: str) -> list[Piece] | None:
    """None: the file uses a part of YAML that the language has no use for. Only for text that can be read."""
    scan = _Scan(source)
    try:  # this scanner, unlike the one that reads, knows no tabs between words; one space stands for one tab
        if not all(scan.take(token) for token in yaml.scan(source.replace("\t", " "))):
            return None
    except yaml.YAMLError:
        return None
    _make_room(scan.pieces)
    return scan.pieces


class _Scan:
    def __init__(self, source: str) -> None:
        self.pieces: list[Piece] = []
        self._source = source
        self._block = _FILE
        self._depth = 0  # of brackets
        self._key = False  # the next word is a key

    def take(self, token: Token) -> bool:
        match token:
            case tokens.StreamStartToken():
                pass
            case tokens.BlockMappingStartToken():
                self._block = self._block.inner(token.start_mark.column, dashes=False)
            case tokens.BlockSequenceStartToken():
                self._block = self._block.inner(token.start_mark.column, dashes=True)
            case tokens.BlockEndToken():
                self._leave_silent_list()
                self._block = self._block.around or _FILE
            case tokens.KeyToken():
                self._leave_silent_list()
                self._key = not self._depth
                return bool(token.start_mark.index == token.end_mark.index)  # else `? key`
            case tokens.ScalarToken():
                self._word(token)
            case _ if type(token) in _MARKS:
                self._mark(_MARKS[type(token)], token)
            case _:
                return False
        return True

    def _leave_silent_list(self) -> None:
        if not self._depth and not self._block.announced:
            self._block = self._block.around or _FILE

    def _word(self, token: tokens.ScalarToken) -> None:
        start = token.start_mark.index
        text = self._source[start : token.end_mark.index]
        kind = "|" if token.style in ("|", ">") else "word"
        if kind == "|":
            text = _without_blank_end(text)
        self.pieces.append(Piece(kind, text, start, self._block, self._key, self._depth > 0))
        self._key = False

    def _mark(self, mark: str, token: Token) -> None:
        start = token.start_mark.index
        if mark in ("---", "...", ""):
            self.pieces.append(Piece(mark, mark, start, _FILE, opens_line=True))
            return
        if mark == "-" and not self._block.dashes:
            self._block = self._block.inner(token.start_mark.column, dashes=True, announced=False)
        inside = self._depth > 0
        self._depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(mark, 0)
        self.pieces.append(Piece(mark, mark, start, self._block, mark == "-", inside))


def _without_blank_end(text: str) -> str:
    """A text block without the blank lines that follow it; `+` says that they belong to it."""
    header, *lines = text.split("\n")
    if "+" in header.split("#")[0]:
        return text.removesuffix("\n")
    first = next((line for line in lines if line.strip()), "")
    indentation = len(first) - len(first.lstrip(" "))
    while lines and not lines[-1].strip() and len(lines[-1]) <= indentation:
        lines.pop()
    return "\n".join([header, *lines])


def _make_room(pieces: list[Piece]) -> None:
    """`[a, b]`, but `[ { a: b }, { c: d } ]`."""
    open_: list[Piece] = []
    for piece in pieces:
        if piece.kind in ("{", "["):
            if open_ and open_[-1].kind == "[":
                open_[-1].roomy = True
            piece.roomy = piece.kind == "{"
            open_.append(piece)
        elif piece.kind in ("}", "]"):
            piece.roomy = open_.pop().roomy
