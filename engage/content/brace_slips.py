"""Slips around `{{ … }}`: what Jinja stumbles over, and what it would print to a customer as it stands.

The text is scanned for the slips people make. Only if there is none, Jinja's own complaint is passed on, in plain
words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from jinja2.exceptions import TemplateSyntaxError

from engage.content.fault import Fault
from engage.core.problem import Said

_MARKED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_WIDE_BRACES = re.compile(r"｛\s*｛\s*([^｛｝{}\n]*?)\s*[｝}]\s*[｝}]|\{\s*｛\s*([^｛｝{}\n]*?)\s*[｝}]\s*[｝}]")
_ONE_BRACE = re.compile(r"(?<![{$])\{\s*((?:member|event|var|brand|journey)\.\w+[^{}\n]*?)\s*\}{1,2}(?!\})")
_PLACEHOLDER = re.compile(r"[$#]\{\s*([\w.]+)\s*\}")
_OPEN = re.compile(r"\{\{(?P<inside>[^{}\n]*)(?P<end>\}(?!\})|\n|\Z|\{)")
_WIDE_INSIDE = "（）‘’“”，｜：．。［］＝"
_PLAIN = dict(zip(_WIDE_INSIDE, "()''\"\",|:..[]=", strict=True))
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_ELSE_IF = re.compile(r"\{%-?\s*(else\s*if|elseif|elsif)\b")
_ONE_EQUALS = re.compile(r"\{%\s*(?:el)?if\b[^%]*?[^=!<>\s]\s*=\s*[^=\s]")


def printed_as_they_are(source: str) -> Iterator[Fault]:
    """What Jinja takes for text: a customer would read the braces."""
    text = _MARKED.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    for found in _WIDE_BRACES.finditer(text):
        yield _full_width(source, found, _two_braces(found[1] or found[2]))
    for found in _ONE_BRACE.finditer(text):
        yield _one_brace(source, found, found[1])
    for found in _PLACEHOLDER.finditer(text):
        name = found[1] if "." in found[1] else f"member.{found[1]}"
        yield _one_brace(source, found, name)


def behind(error: TemplateSyntaxError, source: str) -> Fault:
    """What has made Jinja give up."""
    for found in _EXPRESSION.finditer(source):
        if wide := next((mark for mark in found[0] if mark in _WIDE_INSIDE and not _quoted(found[0], mark)), None):
            return _wide_inside(source, found.start() + found[0].index(wide), wide)
    if opened := _OPEN.search(source):
        return _not_closed(source, opened)
    if equals := _ONE_EQUALS.search(source):
        message = Said("`=` in a condition", "条件里用了“=”")
        return Fault("E402", _line(source, equals.start()), message, None, Said("equal is written ==", "相等写成 =="))
    if else_if := _ELSE_IF.search(source):
        message = Said(f"`{else_if[1]}` is not known", f"没有 `{else_if[1]}` 这种写法")
        return Fault("E402", _line(source, else_if.start()), message, else_if[1], Said("write elif", "请写 elif"))
    return _in_plain_words(error, source)


def _two_braces(name: str) -> str:
    return f"{{{{ {name} }}}}"


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1


def _full_width(source: str, found: re.Match[str], meant: str) -> Fault:
    message = Said("full-width braces from the Chinese keyboard", "用了中文输入法的全角大括号")
    return Fault("E101", _line(source, found.start()), message, found[0], Said(f"write {meant}", f"请写 {meant}"))


def _one_brace(source: str, found: re.Match[str], name: str) -> Fault:
    meant = _two_braces(name)
    message = Said(f"“{found[0]}” would be printed as it stands", f"“{found[0]}”会原样显示给客户")
    return Fault("E402", _line(source, found.start()), message, found[0], Said(f"write {meant}", f"请写 {meant}"))


def _wide_inside(source: str, at: int, mark: str) -> Fault:
    message = Said("full-width punctuation from the Chinese keyboard", "用了中文输入法的全角标点")
    plain = _PLAIN[mark]
    help_ = Said(f"this is “{mark}”; write “{plain}”, half-width", f"这是“{mark}”，请写半角的“{plain}”")
    return Fault("E101", _line(source, at), message, mark, help_)


def _quoted(expression: str, mark: str) -> bool:
    """Whether it stands in straight quotation marks, as in `default('茶友，')`."""
    return mark not in re.sub(r"'[^']*'|\"[^\"]*\"", "", expression)


def _not_closed(source: str, found: re.Match[str]) -> Fault:
    message = Said("these braces are not closed", "这里的大括号没有闭合")
    help_ = Said("close them with }}", "请用 }} 闭合")
    word = "}" if found["end"] == "}" else found[0].strip()
    return Fault("E402", _line(source, found.start()), message, word, help_)


# --- Jinja's words ----------------------------------------------------------------------------------------------

_UNCLOSED = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_UNKNOWN_TAG = re.compile(r"Encountered unknown tag '(\w+)'")
_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set")


def _in_plain_words(error: TemplateSyntaxError, source: str) -> Fault:
    said = error.message or ""
    if (tag := _UNCLOSED.search(said)) and "Unexpected end of template" in said:
        opened = source.rindex(f"{{% {tag[1]}") if f"{{% {tag[1]}" in source else 0
        message = Said(f"`{tag[1]}` is not ended", f"`{tag[1]}` 没有结束")
        help_ = Said(f"end it with {{% end{tag[1]} %}}", f"请用 {{% end{tag[1]} %}} 结束")
        return Fault("E402", _line(source, opened), message, None, help_)
    if tag := _UNKNOWN_TAG.search(said):
        if tag[1] in _TAGS:
            message = Said(f"`{tag[1]}` without its beginning", f"`{tag[1]}` 前面没有对应的开头")
            return Fault("E402", error.lineno, message, tag[1], _SHAPES)
        message = Said(f"unknown tag `{tag[1]}`", f"没有 `{tag[1]}` 这个标签")
        return Fault("E402", error.lineno, message, tag[1], _SHAPES, candidates=_TAGS)
    if "end of print statement" in said:
        message = Said("nothing stands between these braces", "大括号里什么都没有")
        return Fault("E402", error.lineno, message, None, Said("write {{ member.name }}", "请写 {{ member.name }}"))
    if "end of comment tag" in said:
        message = Said("this comment is not closed", "这里的注释没有闭合")
        return Fault("E402", error.lineno, message, "{#", Said("close it with #}", "请用 #} 闭合"))
    message = Said(f"this is not valid template syntax: {said}", "这里的模板写法看不懂")
    return Fault("E402", error.lineno, message, help=_SHAPES)


_SHAPES = Said(
    "values stand in {{ … }}, choices in {% if … %} … {% endif %}",
    "取值写成 {{ … }}，条件写成 {% if … %} … {% endif %}",
)
