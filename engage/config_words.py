"""What is said about a value that the configuration cannot use: in both languages, and never the value of a secret.

`Unfit` is raised by the validators of `config`; the rest puts what pydantic and YAML say into plain words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

import yaml
from pydantic_core import ErrorDetails

from engage.core.problem import Said


class Unfit(ValueError):
    """A value that cannot be used: why, and what to write."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.said = Said(en, zh)


def about_value(item: ErrorDetails, known_keys: Iterable[str]) -> Said:
    """One mistake that pydantic has found, with its key."""
    key = ".".join(str(part) for part in item["loc"])
    why = _why(item, known_keys)
    return Said(f"{key}: {why.en}", f"{key}：{why.zh}") if key else why


def _why(item: ErrorDetails, known_keys: Iterable[str]) -> Said:
    error = item.get("ctx", {}).get("error")
    if isinstance(error, Unfit):
        return error.said
    match item["type"]:
        case "missing":
            return Said("is missing; see config.example.yaml", "缺少这一项；写法见 config.example.yaml")
        case "extra_forbidden":
            near = get_close_matches(str(item["loc"][-1]), sorted(known_keys), 1)
            meant = Said(f"; did you mean {near[0]}?", f"；您想写的是 {near[0]} 吗？") if near else Said("", "")
            return Said(f"there is no such key{meant.en}", f"没有这一项{meant.zh}")
        case kind:
            said = item["msg"].removeprefix("Value error, ")
            chinese = _IN_CHINESE.get(kind)
            return Said(said, chinese.format(**item.get("ctx", {})).replace(" or ", "、") if chinese else said)


# By the kinds of pydantic; what stands in braces is from its context.
_IN_CHINESE = {
    "bool_parsing": "应该是 yes 或 no",
    "bool_type": "应该是 yes 或 no",
    "int_parsing": "应该是整数",
    "int_type": "应该是整数",
    "decimal_parsing": "应该是数字",
    "decimal_type": "应该是数字",
    "string_type": "应该是一段文字",
    "dict_type": "应该是一组“键: 值”",
    "model_type": "应该是一组“键: 值”",
    "list_type": "应该是一列值",
    "time_type": "应该是一天中的时间，例如 09:30",
    "time_delta_type": "应该是时长，例如 3d",
    "literal_error": "应该是 {expected} 之一",
    "greater_than_equal": "不能小于 {ge}",
    "less_than_equal": "不能大于 {le}",
}


def about_yaml(error: Exception) -> Said:
    """Without the text around it, which YAML's own message quotes: that may be a password."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem is None:
        return Said("it is not a text file that YAML can read", "这不是 YAML 能读取的文本文件")
    mark = error.problem_mark
    line = Said(f"line {mark.line + 1}: ", f"第 {mark.line + 1} 行：") if mark is not None else Said("", "")
    said = re.sub(r"""(['"]).*\1""", "…", error.problem)
    return Said(f"{line.en}{said}", f"{line.zh}{_YAML_IN_CHINESE.get(said, f'这里读不懂（{said}）')}")


_YAML_IN_CHINESE = {
    "this key is given twice": "这一项写了两次",
    "mapping values are not allowed here": "这里不能有“:”，请检查缩进",
    "could not find expected …": "少了一个“:”",
    "found character … that cannot start any token": "文字不能以这个字符开头，请加引号",
    "found unexpected end of stream": "引号没有闭合",
}
