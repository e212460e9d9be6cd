"""Slips of spelling: what is wrong with a file before anything is looked up, and before its shape is (codes E1xx).

One function for each, so that every place that can meet it says the same words. `in_word` tells them by a single word:
`keyboard` and `broken` find them in keys and in whole texts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from engage.core.problem import Mark, Mend, Problem, Said, Span


def half_width(words: str) -> str:
    """As typed without the Chinese keyboard's wide letters, digits and spaces."""
    return unicodedata.normalize("NFKC", words).strip()


def write(text: str) -> tuple[Said, ...]:
    return (Said(f"write {text}", f"请写 {text}"),)


_SEPARATOR = re.compile("[，、；]")
_SINGLE_WORD = re.compile(r"[\w.:%-]+")
_GLUED_COMMENT = re.compile(r"(?<=\S)#")
_WIDE_COMMENT = re.compile(r"(?<=\S)\s*(＃)")


def in_word(
    text: str, span: Span, fits: Callable[[str], bool] = lambda _: False, *, several: bool = False
) -> Problem | None:
    """What makes a word that is not understood: a comment glued to it, or behind a wide sign; its wide letters, if it
    `fits` without them; where `several` may stand, their separators. None: it is simply another word."""
    if not as_written(text, span):
        return None  # typed on purpose
    if comment := _GLUED_COMMENT.search(text):
        return glued_comment(span_of(span, *comment.span()))
    if comment := _WIDE_COMMENT.search(text):
        told = full_width_punctuation(span_of(span, *comment.span(1)), comment[1], "#")
        return replace(told, mend=Mend(span_of(span, *comment.span()), " #"))
    if several and (separator := _SEPARATOR.search(text)):
        told = full_width_punctuation(span_of(span, *separator.span()), separator[0], ",")
        return replace(told, mend=None)  # the words may want brackets around them
    half = half_width(text)
    return full_width_text(span, half) if half != text and fits(half) else None


def as_written(text: str, span: Span) -> bool:
    """Whether the text stands in the file just so: on one line, and not in quotation marks."""
    return span.line == span.end_line and span.end_column - span.column == len(text)


def span_of(span: Span, start: int, end: int) -> Span:
    """Of some characters of a word that stands on one line."""
    return replace(span, column=span.column + start, end_column=span.column + end)


def not_yaml(span: Span, why: Said | None, help: Said | None = None) -> Problem:
    why = why or Said("a character or number in it cannot be read", "里面有无法读取的字符或数字")
    said = Said(f"this is not valid YAML: {why.en}", f"这不是有效的 YAML：{why.zh}")
    return Problem("E100", span, said, help=(help,) if help else ())


def full_width_punctuation(span: Span, mark: str, ascii_mark: str) -> Problem:
    return Problem(
        "E101",
        span,
        Said("full-width punctuation from the Chinese keyboard", "用了中文输入法的全角标点"),
        label=Said(f"this is “{mark}”, YAML needs “{ascii_mark}”", f"这是“{mark}”，YAML 需要“{ascii_mark}”"),
        help=(
            Said(
                "switch the IME to half-width, or run `engage fmt --fix`",
                "请把输入法切换到半角，或运行 `engage fmt --fix`",
            ),
        ),
        mend=Mend(span, f"{ascii_mark} " if ascii_mark in ":," else ascii_mark),
    )


def full_width_text(span: Span, half_width: str) -> Problem:
    return Problem(
        "E101",
        span,
        Said("full-width characters from the Chinese keyboard", "用了中文输入法的全角字符"),
        help=write(half_width),
        mend=Mend(span, half_width),
    )


def tab(span: Span) -> Problem:
    return Problem(
        "E102",
        span,
        Said("a tab in the indentation", "缩进里有制表符（Tab）"),
        label=Said("YAML allows only spaces here", "YAML 在这里只允许空格"),
        help=(Said("replace it with two spaces", "请换成两个空格"),),
        mend=Mend(span, "  " * (span.end_column - span.column)),
    )


def wide_indentation(span: Span, spaces: str) -> Problem:
    """The space of the Chinese keyboard (U+3000), or one copied from a page (U+00A0)."""
    return Problem(
        "E102",
        span,
        Said("a full-width space in the indentation", "缩进里有全角空格"),
        label=Said("YAML allows only plain spaces here", "YAML 在这里只允许半角空格"),
        help=(Said("replace each with two plain spaces", "请把每个都换成 2 个半角空格"),),
        mend=Mend(span, "".join("  " if space == "\u3000" else " " for space in spaces)),
    )


def odd_bullet(span: Span, mark: str) -> Problem:
    return Problem(
        "E101",
        span,
        Said("a dash from the Chinese keyboard", "用了中文输入法的横线"),
        label=Said(f"this is “{mark}”, YAML needs “- ”", f"这是“{mark}”，YAML 需要“- ”"),
        help=(Said("write a half-width “- ” in front of each step", "请在每个步骤前面写半角的“- ”"),),
        mend=Mend(span, "- "),
    )


def curly_quotation(span: Span, words: str) -> Problem:
    """Around a sentence they may be meant; around a single word hardly."""
    return Problem(
        "E101",
        span,
        Said("curly quotation marks from the Chinese keyboard", "用了中文输入法的引号"),
        help=(
            Said(
                f"write \"{words}\" with straight marks; to have curly ones printed, write '“{words}”'",
                f"请用英文引号写 \"{words}\"；如果引号要显示出来，请写 '“{words}”'",
            ),
        ),
        mend=Mend(span, f'"{words}"', sure=_SINGLE_WORD.fullmatch(words) is not None),
    )


def unquoted_template(span: Span, text: str) -> Problem:
    """`text` starts where `span` does, and may go on after it."""
    quoted = "'" + text.replace("'", "''") + "'" if '"' in text or "\\" in text else f'"{text}"'
    whole = replace(span, end_line=span.line, end_column=span.column + len(text))
    return Problem(
        "E103",
        span,
        Said("a template expression must be quoted", "模板表达式要加引号"),
        label=Said("YAML reads {{ as the start of a mapping", "YAML 会把 {{ 当作一个映射的开头"),
        help=(Said(f"write {quoted}  (or use the | block form)", f"请写 {quoted}（或者用 | 的多行写法）"),),
        mend=Mend(whole, quoted),
    )


def comparison(span: Span, text: str, help: Said, meant: str | None) -> Problem:
    """`meant`: the range, if it says exactly the same."""
    block = Said("YAML reads > as a text block", "YAML 会把 > 当作多行文字")
    return Problem(
        "E104",
        span,
        Said("comparisons are written as ranges", "比较要写成范围"),
        label=block if text.startswith(">") else None,
        help=(help,),
        mend=Mend(span, meant) if meant else None,
    )


def too_large(span: Span, limit: int) -> Problem:
    return Problem(
        "E105",
        span,
        Said(f"this file has more than {limit:,} characters", f"这个文件超过了 {limit:,} 个字符"),
        help=(Said("split it into several journeys", "请拆成几个旅程"),),
    )


def too_deep(span: Span, limit: int) -> Problem:
    return Problem(
        "E105", span, Said(f"nested more than {limit} levels deep", f"嵌套超过了 {limit} 层"), help=(_SIMPLER,)
    )


_SIMPLER = Said(
    "move the inner part to a journey of its own and `enroll` it", "请把里层移到单独的旅程，用 `enroll` 带入"
)


def no_yaml_reuse(span: Span) -> Problem:
    return Problem(
        "E106",
        span,
        Said("YAML anchors and aliases (`&`, `*`, `<<`) are not used", "不使用 YAML 的锚点和别名（`&`、`*`、`<<`）"),
        help=(
            Said("write the value out, or quote it if it is text", "请把内容写完整；如果只是文字，请加引号"),
            Said(
                "a condition used twice can be a segment in catalog.yaml",
                "重复使用的条件可以在 catalog.yaml 里定义成人群",
            ),
        ),
    )


def no_yaml_tags(span: Span) -> Problem:
    return Problem(
        "E106",
        span,
        Said("YAML tags (`!`) are not used here", "这里不使用 YAML 的标签（`!`）"),
        help=(Said("quote the value if it is text", "如果只是文字，请加引号"),),
    )


def key_twice(span: Span, key: str, first: Span) -> Problem:
    return Problem(
        "E107",
        span,
        Said(f"`{key}` is given twice", f"`{key}` 写了两次"),
        label=Said("second time", "第二次"),
        marks=(Mark(first, Said("first time", "第一次")),),
        help=(Said("keep one of them", "请只留一个"),),
    )


def key_must_be_text(span: Span) -> Problem:
    return Problem(
        "E108",
        span,
        Said("a key must be a plain word", "键必须是一个简单的词"),
        help=(Said("write  key: value, e.g. city: [上海, 北京]", "请写成  键: 值，例如 city: [上海, 北京]"),),
    )


_NEEDED = (
    (".test.yaml", Said("a test file has `journey:`, `clock:`, `members:` and `tests:`",
                        "测试文件要有 `journey:`、`clock:`、`members:` 和 `tests:`")),
    ("catalog.yaml", Said("a catalog begins with `brand:`", "目录以 `brand:` 开头")),
    ("simulate.yaml", Said("say how people behave, or remove the file", "请写上人们的行为，或者删掉这个文件")),
    ("", Said("a journey has `journey:`, `start:` and `steps:`", "旅程要有 `journey:`、`start:` 和 `steps:`")),
)  # fmt: skip


def empty_file(span: Span) -> Problem:
    needed = next(said for ending, said in _NEEDED if span.file.endswith(ending))
    return Problem("E109", span, Said("this file is empty", "这个文件是空的"), help=(needed,))


def second_document(span: Span) -> Problem:
    return Problem(
        "E109",
        span,
        Said("a second document starts here", "这里开始了第二个文档"),
        help=(Said("one file holds one journey: remove the `---`", "一个文件只写一个旅程：请去掉 `---`"),),
    )


def unprintable(span: Span, character: str) -> Problem:
    code = f"U+{ord(character):04X}"
    return Problem(
        "E110",
        span,
        Said(f"an invisible character ({code})", f"有一个看不见的字符（{code}）"),
        help=(Said("delete it and type the words around it again", "请删掉它，重新输入这里的文字"),),
        mend=Mend(span, ""),
    )


def glued_dash(span: Span, step: str) -> Problem:
    return Problem(
        "E111",
        span,
        Said("a space is missing after the dash", "横线后面少了一个空格"),
        help=write(f"`- {step}: …`"),
        mend=Mend(span, "- "),
    )


def glued_comment(span: Span) -> Problem:
    return Problem(
        "E112",
        span,
        Said("a comment needs a space in front of its `#`", "注释的 `#` 前面要有一个空格"),
        label=Said("read as part of the value", "被当成了值的一部分"),
        help=(Said("put a space in front of the `#`", "请在 `#` 前面加一个空格"),),
        mend=Mend(span, " #"),
    )


def missing_space(span: Span, key: str) -> Problem:
    return Problem(
        "E111",
        span,
        Said("a space is missing after the colon", "冒号后面少了一个空格"),
        help=write(f"`{key}: …`"),
        mend=Mend(span, f"{key}: "),
    )
