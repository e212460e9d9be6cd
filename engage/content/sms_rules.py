"""What a mainland SMS template may say, and the text its provider has approved.

The provider fills its own approved text with our parameters, so the body here must be that text: every `{{ … }}` in it
is one of `params`, and nothing else varies. Then what `preview` shows is what a phone receives.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from engage.content.front import Place, warning
from engage.content.grammar import Wording
from engage.content.template import Template
from engage.core.catalog import TopicClass
from engage.core.problem import Problem, Said

ONE_SEGMENT = 70  # characters with the signature; beyond it every 67 cost another message
PARAMETER_LENGTH = 35  # characters a provider lets a variable have
REFUSAL = "拒收请回复R"  # 通信短信息服务管理规定: a free way to refuse, told in the message
_TYPICAL_VALUE = 3  # characters: most names
_EXPRESSION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)


def body_problems(template: Template, sign: str) -> Iterator[Problem]:
    """What is wrong whatever the topic is."""
    if any(bracket in template.body.source for bracket in "【】"):
        message = Said("an SMS may not contain 【】", "短信正文不能出现【】")
        help_ = Said(
            "the platform adds the signature itself; around other words write 「」 or nothing",
            "签名由平台自动添加；其他地方请用「」或不加括号",
        )
        yield Problem("E411", _line_with(template, "【", "】").span(_bracketed(template)), message, help=(help_,))
    for link in template.uses_links():
        message = Said("an SMS may not carry a member's own link", "短信里不能放会员的专属链接")
        help_ = Said(
            "providers refuse web addresses in variables: ask for a reply instead",
            "服务商不接受变量里带网址，请改为引导回复",
        )
        yield Problem("E412", link.span(), message, help=(help_,))
    yield from _unapproved(template)
    if (length := typical_length(template.body.source, sign)) > ONE_SEGMENT:
        message = Said(
            f"about {length} characters with 【{sign}】: more than one SMS",
            f"连同【{sign}】约 {length} 个字，会按多条短信计费",
        )
        help_ = Said(f"{ONE_SEGMENT} characters are one SMS", f"{ONE_SEGMENT} 个字以内算一条")
        yield warning("E413", template.last_line().span(), message, help_)


def sms_problems(template: Template, topic_class: TopicClass) -> Iterator[Problem]:
    """What is wrong for messages of this class."""
    if topic_class is TopicClass.MARKETING and not template.body.source.rstrip().endswith(REFUSAL):
        message = Said(f"an SMS of this topic must end with {REFUSAL}", f"这类短信必须以“{REFUSAL}”结尾")
        yield Problem(
            "E410", template.last_line().span(), message, help=(Said(f"add {REFUSAL}", f"在末尾加上 {REFUSAL}"),)
        )


def approved_text(template: Template) -> str:
    """The provider's text, its variables as `${name}`."""
    by_expression = {expression: name for name, expression in _parameters(template.words).items()}
    return _EXPRESSION.sub(lambda found: f"${{{by_expression[found[1]]}}}", template.body.source.strip())


def typical_length(source: str, sign: str) -> int:
    values = len(_EXPRESSION.findall(source)) * _TYPICAL_VALUE
    return len(f"【{sign}】") + len(_EXPRESSION.sub("", source).strip()) + values


def _unapproved(template: Template) -> Iterator[Problem]:
    if "{%" in template.body.source:
        message = Said("an SMS has one approved text: no {% … %} in it", "短信正文是审核过的固定文字，不能写 {% … %}")
        help_ = Said("have two texts approved, and choose in the journey", "请报备两条模板，在旅程里用 if 选择")
        yield Problem("E414", _line_with(template, "{%").span(), message, help=(help_,))
    known = set(_parameters(template.words).values())
    for expression in _EXPRESSION.findall(template.body.source):
        if expression not in known and "link(" not in expression:  # a link has been told, and is not wanted there
            message = Said(f"{{{{ {expression} }}}} is not one of `params`", f"{{{{ {expression} }}}} 不在 `params` 里")
            help_ = Said(
                f'add it to the front matter: params: {{ name: "{{{{ {expression} }}}}" }}',
                f'在文件头加上：params: {{ name: "{{{{ {expression} }}}}" }}',
            )
            yield Problem("E414", _line_with(template, expression).span(expression), message, help=(help_,))


def _parameters(words: Mapping[tuple[str, ...], Wording]) -> dict[str, str]:
    """Each parameter's expression."""
    found = {path[1]: _EXPRESSION.fullmatch(word.source.strip()) for path, word in words.items() if path[0] == "params"}
    return {name: match[1] for name, match in found.items() if match}


def _bracketed(template: Template) -> str | None:
    found = re.search("【[^【】\n]*】", template.body.source)
    return found[0] if found else None


def _line_with(template: Template, *marks: str) -> Place:
    lines = template.body.source.split("\n")
    number = next((n for n, line in enumerate(lines) if any(mark in line for mark in marks)), 0)
    return template.file.place(template.file.body_line + number)
