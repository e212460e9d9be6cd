"""The fixed words of the journey language: verbs, options, channels. What a project adds is in its catalog.

A new verb or option is a line here and a reader in `steps`; the messages about misspelt words follow by themselves.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from difflib import get_close_matches

CHANNELS = ("wechat", "sms", "email")

JOURNEY_KEYS = (
    "journey",
    "owner",
    "note",
    "draft",
    "start",
    "audience",
    "exclude",
    "per",
    "reentry",
    "exit_if",
    "goal",
    "holdout",
    "canary",
    "priority",
    "topic",
    "channels",
    "on_edit",
    "moved_to",
    "steps",
)

STEP_OPTIONS = ("id", "was", "label", "only_if")

# verb → its own options
VERBS: Mapping[str, tuple[str, ...]] = {
    "send": ("text", "with", "channels", "topic", "late", "at", "on_ambiguous"),
    "ask": ("question", "comment", "options", "answer_within", "remind", "channels", "topic"),
    "wait": (),
    "wait_for": ("up_to", "where", "since", "then", "else"),
    "if": ("then", "else"),
    "branch": (),
    "switch": ("cases",),
    "split": ("ways", "winner"),
    "update": (),
    "notify": ("task", "due", "urgent", "copy_to"),
    "webhook": ("with", "on_fail"),
    "enroll": ("with",),
    "goto": ("at_most",),
    "exit": (),
}

# What a person may write for a word of ours. Used for suggestions only: the file keeps one spelling.
_ALSO_CALLED = {
    "微信": "wechat",
    "公众号": "wechat",
    "短信": "sms",
    "邮件": "email",
    "邮箱": "email",
    "电子邮件": "email",
    "mail": "email",
    "enrol": "enroll",
    "tell": "notify",
    "message": "send",
    "when": "only_if",
    "condition": "only_if",
    "timeout": "up_to",
    "title": "journey",
    "name": "journey",
    "trigger": "start",
    "标题": "journey",
    "旅程": "journey",
    "负责人": "owner",
    "备注": "note",
    "开始": "start",
    "触发": "start",
    "受众": "audience",
    "人群": "audience",
    "排除": "exclude",
    "退出条件": "exit_if",
    "目标": "goal",
    "对照组": "holdout",
    "灰度": "canary",
    "优先级": "priority",
    "主题": "topic",
    "渠道": "channels",
    "步骤": "steps",
    "发送": "send",
    "action": "send",
    "type": "send",
    "询问": "ask",
    "提问": "ask",
    "等待": "wait",
    "delay": "wait",
    "等待事件": "wait_for",
    "如果": "if",
    "分支": "branch",
    "分流": "split",
    "更新": "update",
    "通知": "notify",
    "带入": "enroll",
    "跳转": "goto",
    "退出": "exit",
    "结束": "exit",
    "问题": "question",
    "选项": "options",
    "期限": "up_to",
    "提醒": "remind",
    "任务": "task",
    "那么": "then",
    "否则": "else",
    "or": "any",
    "and": "all",
    "或": "any",
    "且": "all",
    "非": "not",
    "标签": "tag",
    "in": "within",
    "公历": "solar",
    "阳历": "solar",
    "农历": "lunar",
    "阴历": "lunar",
    "文字": "text",
    "文本": "text",
    "string": "text",
    "str": "text",
    "数字": "number",
    "int": "number",
    "integer": "number",
    "float": "number",
    "decimal": "number",
    "money": "number",
    "bool": "boolean",
    "是否": "boolean",
    "日期": "date",
    "datetime": "date",
    "生日": "anniversary",
    "birthday": "anniversary",
    "newsletter": "marketing",
    "promotion": "marketing",
    "transactional": "service",
    "everybody": "everyone",
    "所有人": "everyone",
    "全部": "everyone",
}


def nearest(word: str, words: tuple[str, ...] | list[str]) -> str | None:
    """The word most likely meant, or None. Short Chinese names differ by half when one character is wrong."""
    known = _ALSO_CALLED.get(word.lower())
    if known in words:
        return known
    if word in ("all", "*") and "everyone" in words:  # `all` combines conditions elsewhere
        return "everyone"
    short_chinese = len(word) <= 4 and not word.isascii()
    matches = get_close_matches(word[:80], words, n=1, cutoff=0.5 if short_chinese else 0.6)
    if matches:
        return matches[0]
    lower = {candidate.lower(): candidate for candidate in words}
    return lower.get(word.lower())


def is_slip_of(meant: str, word: str) -> bool:
    """Whether it is the same but for a letter or two. A template is often named before it is written: not so then."""
    return bool(get_close_matches(word[:80], [meant], n=1, cutoff=0.8))


def same_word(wrong: str, meant: str) -> bool:
    """Whether they differ in dress only: capitals, the letters of a Chinese keyboard, quotation marks around."""
    return unicodedata.normalize("NFKC", wrong).strip(" “”‘’「」『』\"'").lower() == meant.lower()
