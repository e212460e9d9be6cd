"""Wrong usage, in the reader's language: what is wrong, how the command is called, where to read more."""

from __future__ import annotations

import re
import sys

from typer import TyperException

from engage.core.problem import Lang, Said

_HOW = Said("usage: {usage}\n{path} --help tells more", "用法：{usage}\n{path} --help 有详细说明")


def tell_usage(error: TyperException, lang: Lang) -> int:
    """Its exit code. What has no words has shown its help already."""
    said = getattr(error, "format_message", error.__str__)()
    if said:
        print(f"engage: {_in(lang, said)}", file=sys.stderr)
        if context := getattr(error, "ctx", None):
            usage = context.get_usage().removeprefix("Usage: ")
            print(_HOW.in_(lang).format(usage=usage, path=context.command_path), file=sys.stderr)
    return int(getattr(error, "exit_code", 2))


def _in(lang: Lang, said: str) -> str:
    if lang is Lang.ZH:
        for pattern, chinese in _CHINESE:
            if found := pattern.fullmatch(said):
                return chinese.format(*found.groups())
    return said[:1].lower() + said[1:].rstrip(".")


# The parser's sentences. One that is not here is told in English.
_CHINESE = tuple(
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        (r"No such option: (\S+) \(Possible options: (.+)\)", "没有 {0} 这个选项；您想写的是 {1} 吗？"),
        (r"No such option: (\S+)\.?", "没有 {0} 这个选项"),
        (r"No such command '(.+?)'\. Did you mean (.+)\?", "没有 {0} 这个命令；您想写的是 {1} 吗？"),
        (r"No such command '(.+?)'\.", "没有 {0} 这个命令"),
        (r"Missing command\.", "还需要写一个子命令"),
        (r"Missing argument '(.+?)'\.?", "还需要写 {0}"),
        (r"Missing option '(.+?)'.*", "还需要写选项 {0}"),
        (r"Got unexpected extra argument(?:s|\(s\))? \((.+)\)", "多写了 {0}"),
        (r"Option '(.+?)' requires an argument\.", "选项 {0} 后面要写一个值"),
        (r"Option '(.+?)' does not take a value\.", "选项 {0} 后面不写值"),
        (r"Invalid value for '(.+?)': .*'(.+)' is not one of (.+?)\.?", "{0} 不能是 {1}，可以是 {2}"),
        (r"Invalid value for '(.+?)': .*valid integer.*", "{0} 应该是整数"),
        (
            r"Invalid value for '(.+?)': .*'(.+)' does not match the formats? '%Y-%m-%d'\.?",
            "{0} 看不懂“{1}”；日期请写成 2026-11-24 这样",
        ),
        (r"Invalid value for '(.+?)': .*greater than or equal to (-?\d+).*", "{0} 不能小于 {1}"),
        (r"Invalid value for '(.+?)': .*less than or equal to (-?\d+).*", "{0} 不能大于 {1}"),
        (
            r"Invalid value for '(.+?)': (\S+) is no day between (\d+) and (\d+)",
            "{0} 应在 {2} 年到 {3} 年之间，{1} 太远了",
        ),
        (r"Invalid value for '(.+?)': (.+)", "{0} 的值不对：{1}"),
    )
)
