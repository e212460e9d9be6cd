"""One layout for every YAML file: indentation, spaces, blank lines, line ends.

Works on the file's own text. The scanner says where each piece is (a key, a value, a dash, a bracket); the pieces are
kept letter by letter, comments with them, and only what stands between them is set anew. Nothing is ever dumped from
data, so quotes, comments and spellings stay the author's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from engage.core.journey.nodes import Entry, Listing, Node, Scalar, read_nodes
from engage.editor.pieces import INDENT, Piece, pieces_of

_COMMENT_GAP = 2  # spaces before a comment on the line of a value


def laid_out(source: str) -> str:
    """The file in its one layout. A file that cannot be read is left as it is."""
    source = plain_lines(source)
    before = _said(source)
    pieces = pieces_of(source) if before is not None else None
    if before is None or pieces is None:
        return source
    result = _Writer(source).write(pieces)
    return result if _said(result) == before else source  # whatever was overlooked, the meaning stands


def plain_lines(source: str) -> str:
    """LF, no BOM, and one at the end: a text block that ends the file gains its last line break, nothing else does."""
    text = source.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") or not text else f"{text}\n"


def _said(source: str) -> object:
    """What the file says, without the places; None if it cannot be read."""
    node, problems = read_nodes(source, "")
    return None if node is None or problems else _content(node)


def _content(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Listing):
        return [_content(item) for item in node.items]
    return [_pair(entry) for entry in node.entries]


def _pair(entry: Entry) -> tuple[str, object]:
    return entry.key.text, _content(entry.value)


@dataclass(slots=True)
class _Writer:
    source: str
    lines: list[str] = field(default_factory=list)
    line: str = ""
    shift: int = 0  # how far the line being written has moved: what continues it moves along

    def write(self, pieces: list[Piece]) -> str:
        before: Piece | None = None
        for piece in pieces:
            gap = self.source[before.end if before else 0 : piece.start]
            if before is None:
                self._begin_line(piece, before, gap.split("\n"))
            elif "\n" in gap:
                inline, *rest = gap.split("\n")
                self._end_line(before, inline)
                self._begin_line(piece, before, rest)
            else:
                self.line += " " if _apart(before, piece) else ""
            self._put(piece)
            before = piece
        return "\n".join(self.lines).strip("\n") + "\n"

    def _end_line(self, last: Piece, inline: str) -> None:
        """`inline`: what followed on the same line, which can only be a comment."""
        comment = inline.strip()
        if comment:
            was_at = last.end - (self.source.rfind("\n", 0, last.end) + 1)
            gap = len(inline) - len(inline.lstrip()) - (len(self.line) - was_at)  # keep its column where there is room
            self.line += " " * max(_COMMENT_GAP, gap) + comment
        self.lines.append(self.line)

    def _begin_line(self, piece: Piece, before: Piece | None, gap: list[str]) -> None:
        """`gap`: the lines between the last piece's line and this one; the last of them is this one's indentation."""
        for text in gap[:-1]:
            if text.strip():
                self.lines.append(" " * self._comment_column(text, piece, before) + text.strip())
            elif self.lines and self.lines[-1]:
                self.lines.append("")
        column = piece.block.column if piece.opens_line else piece.block.column + INDENT
        if piece.in_brackets:
            column = max(len(gap[-1]) + self.shift, column)
        else:
            self.shift = column - len(gap[-1])
        self.line = " " * column

    def _comment_column(self, text: str, piece: Piece, before: Piece | None) -> int:
        """With what it stood in line with; else with what it stands above."""
        was_at = len(text) - len(text.lstrip())
        if piece.in_brackets:
            return max(was_at + self.shift, piece.block.column + INDENT)
        left = [block for block in before.block.chain() if block.announced] if before else []
        levels = {block.was_at: block.column for block in (*left, *piece.block.chain())}
        return levels.get(was_at, piece.block.column)

    def _put(self, piece: Piece) -> None:
        first, *more = piece.text.split("\n")
        self.line += first.rstrip() if piece.kind == "|" else first
        for text in _text_block(piece, more) if piece.kind == "|" else self._continued(piece, more):
            self.lines.append(self.line)
            self.line = text

    def _continued(self, piece: Piece, lines: list[str]) -> Iterator[str]:
        """Words that run over several lines: their indentation is not part of them."""
        least = piece.block.column + INDENT
        for text in lines:
            words = text.lstrip(" ")
            yield " " * max(len(text) - len(words) + self.shift, least) + words if words else ""


def _apart(left: Piece, right: Piece) -> bool:
    """Whether a space stands between two pieces of one line."""
    if right.kind in (":", ","):
        return False
    if left.kind in ("{", "[") or right.kind in ("}", "]"):
        opening = left if left.kind in ("{", "[") else right
        return opening.roomy and (left.kind, right.kind) not in (("{", "}"), ("[", "]"))
    return bool(right.text)


def _text_block(piece: Piece, lines: list[str]) -> Iterator[str]:
    """The lines of `|` and `>`: moved as a whole, so that the text keeps its own indentation."""
    header = piece.text.partition("\n")[0].split("#")[0]
    digits = [int(letter) for letter in header if letter.isdigit()]
    first = next((line for line in lines if line.strip()), "")
    was_at = piece.block.was_at + digits[0] if digits else len(first) - len(first.lstrip(" "))
    column = piece.block.column + (digits[0] if digits else INDENT)
    for line in lines:
        yield " " * column + line[was_at:] if len(line) > was_at else ""
