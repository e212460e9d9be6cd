"""One template file, read and checked: its front matter, its words, and every name in them.

Everything that can be known before there is a member is said here, with its line. Rendering is in `render`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

from engage.content.fault import Fault
from engage.content.front import ANY, Front, Place, Shape, TemplateFile, did_you_mean, read_file, warning
from engage.content.grammar import Used, Wording, read_wording
from engage.content.names import LAYOUT_NAMES, KnownNames
from engage.core.problem import Problem, Said, Severity

FOLDER = "templates/"
LAYOUTS = "templates/layouts/"
SUFFIX = ".j2"

_NOTICE: Shape = {"id": None, "url": None, "data": {ANY: None}}
SHAPES: Mapping[str, Shape] = {
    "wechat": {
        "kind": None,
        "template_message": _NOTICE,
        "subscription": {"id": None, "page": None, "data": {ANY: None}},
    },
    "sms": {"sms_template": None, "params": {ANY: None}},
    "email": {"subject": None, "preheader": None, "layout": None},
}
CHANNELS = tuple(SHAPES)
_KINDS = ("text", "news", "msgmenu")
_NO_LAYOUT = "none"
_DEFAULT_LAYOUT = "brand"

_BRACES = re.compile(r"(\{\{.*?\}\}|\{%.*?%\})", re.DOTALL)

Words = Mapping[tuple[str, ...], Wording]


@dataclass(frozen=True, slots=True)
class Template:
    name: str
    channel: str
    file: TemplateFile = field(repr=False)
    body: Wording
    words: Words  # the front matter's texts, by their path in it
    layout: Wording | None = None
    defaults: Mapping[str, str] = field(default_factory=dict)  # what the catalog prints for members who have no value

    @property
    def front(self) -> Mapping[str, Any]:
        """The front matter as written: what a channel looks at before anything is rendered."""
        return self.file.front.values

    def used(self) -> Iterator[tuple[Used, Place]]:
        """Every name the template uses, and where."""
        for path, wording in self._all():
            for used in wording.names:
                yield used, place_in(self.file, path, used.line)

    def uses_links(self) -> Iterator[Place]:
        """Where a tracked or survey link is made."""
        for path, wording in self._all():
            for line, text in enumerate(wording.source.split("\n"), start=1):
                if wording.varies and ("link(" in text or "unsubscribe_url" in text):
                    yield place_in(self.file, path, line)

    def shows_way_out(self) -> bool:
        """A layout always does: it is checked for it."""
        return self.layout is not None or any(str(used) == "unsubscribe_url" for used in self.body.names)

    def last_line(self) -> Place:
        return self.file.place(self.file.body_line + self.body.source.count("\n"))

    def _all(self) -> Iterator[tuple[tuple[str, ...], Wording]]:
        yield (), self.body
        yield from self.words.items()


def place_in(file: TemplateFile, path: tuple[str, ...], line: int) -> Place:
    """A line of the body (`path` empty) or of a front matter text, in the file."""
    first = file.front.lines[path] if path else file.body_line
    return file.place(first + line - 1)


@dataclass(frozen=True, slots=True)
class Reading:
    """What templates are read against."""

    known: KnownNames
    defaults: Mapping[str, str]
    layouts: Mapping[str, Wording] = field(default_factory=dict)

    def template(self, name: str, channel: str, path: str, source: str) -> tuple[Template | None, list[Problem]]:
        file, problems = read_file(path, source, SHAPES[channel])
        front_is_sound = not problems
        body, found = self._words(file, (), file.body.rstrip(), html=channel == "email")
        problems += found
        words: dict[tuple[str, ...], Wording] = {}
        for key, text in _texts(file.front.values):
            wording, found = self._words(file, key, text, html=False)
            problems += found
            if wording:
                words[key] = wording
        problems += self._demands(file, channel, front_is_sound)
        if body is None or problems_stop(problems):
            return None, problems
        return Template(name, channel, file, body, words, self._layout(file, channel), self.defaults), problems

    def inline(self, text: str, subject: str, channel: str) -> Template | None:
        """The `text` of a `send`, as a template of its own. Paragraphs stay paragraphs in a mail."""
        html = channel == "email"
        body = read_wording(_as_html(text) if html else text, html=html)
        title = read_wording(subject)
        if isinstance(body, list) or isinstance(title, list):
            return None
        front = Front({"subject": subject} if html else {})
        file = TemplateFile("", tuple(text.split("\n")), front, text, 1)
        words: Words = {("subject",): title} if html else {}
        return Template(
            "text", channel, file, body, words, self.layouts.get(_DEFAULT_LAYOUT) if html else None, self.defaults
        )

    def layout(self, path: str, source: str) -> tuple[Wording | None, list[Problem]]:
        """A layout stands around a mail's body. It must show the body, and the way out."""
        file, problems = read_file(path, source, {})
        reading = Reading(_with_more(self.known, LAYOUT_NAMES), self.defaults)
        wording, found = reading._words(file, (), file.body, html=True)
        problems += found
        if wording is None:
            return None, problems
        names = {str(used) for used in wording.names}
        for needed in ("content", "unsubscribe_url"):
            if needed not in names:
                message = Said(f"a mail layout must print {{{{ {needed} }}}}", f"邮件版式必须输出 {{{{ {needed} }}}}")
                help_ = Said(f"write {{{{ {needed} }}}} where it belongs", f"请在合适的位置写上 {{{{ {needed} }}}}")
                problems.append(Problem("E408", file.place(1).span(), message, help=(help_,)))
        return wording, problems

    def _words(
        self, file: TemplateFile, path: tuple[str, ...], source: str, *, html: bool
    ) -> tuple[Wording | None, list[Problem]]:
        read = read_wording(source, html=html)
        if isinstance(read, list):
            return None, [fault_problem(fault, place_in(file, path, fault.line)) for fault in read]
        return read, list(self.known.problems(read, lambda line: place_in(file, path, line)))

    def _layout(self, file: TemplateFile, channel: str) -> Wording | None:
        if channel != "email":
            return None
        return self.layouts.get(str(file.front.values.get("layout", _DEFAULT_LAYOUT)))

    def _demands(self, file: TemplateFile, channel: str, front_is_sound: bool) -> Iterator[Problem]:
        """Nothing is missed from a front matter that could not be read."""
        if not file.body.strip():
            message = Said("this template says nothing", "这个模板没有正文")
            help_ = Said("write the words below the front matter", "请在文件头下面写上正文")
            yield Problem("E408", file.place(file.body_line).span(), message, help=(help_,))
        match channel:
            case _ if not front_is_sound:
                return
            case "email":
                yield from _needs(file, "subject", Said("a mail needs a subject", "邮件需要标题（subject）"))
                yield from self._layout_demands(file)
            case "sms":
                message = Said(
                    "an SMS needs the provider's approved template: sms_template",
                    "短信需要填写服务商审核通过的模板编号：sms_template",
                )
                yield from _needs(file, "sms_template", message)
            case "wechat":
                yield from _wechat_demands(file)

    def _layout_demands(self, file: TemplateFile) -> Iterator[Problem]:
        name = file.front.values.get("layout")
        if name is not None and name != _NO_LAYOUT and name not in self.layouts:
            yield Problem(
                "E408",
                file.place(file.front.lines[("layout",)]).span(name),
                Said(f"there is no layout `{name}`", f"没有名为 `{name}` 的邮件版式"),
                label=did_you_mean(name, self.layouts),
                help=(Said(f"layouts are files {LAYOUTS}<name>.email.j2", f"版式文件放在 {LAYOUTS}<名称>.email.j2"),),
            )


def _needs(file: TemplateFile, key: str, message: Said) -> Iterator[Problem]:
    if not file.front.values.get(key):
        help_ = Said(f"begin the file with ---, `{key}: …`, ---", f"在文件开头写 ---、`{key}: …`、---")
        yield Problem("E408", file.place(1).span(), message, help=(help_,))


def _wechat_demands(file: TemplateFile) -> Iterator[Problem]:
    kind = file.front.values.get("kind", "text")
    if kind not in _KINDS:
        yield Problem(
            "E408",
            file.place(file.front.lines[("kind",)]).span(kind),
            Said(f"`kind: {kind}` cannot be sent", f"不能发送 `kind: {kind}`"),
            label=did_you_mean(kind, _KINDS),
            notes=(Said(f"kinds: {' · '.join(_KINDS)}", f"可用：{' · '.join(_KINDS)}"),),
        )
    yield from _lines_of_the_kind(file, kind)
    notice = file.front.values.get("template_message")
    if notice is not None and not _may_become(notice.get("url") or "{", "https://", "http://"):
        url = notice["url"]
        message = Said(f"“{url}” is not a web address", f"“{url}”不是网址")
        help_ = Said(
            "it starts with https://; without `url` it leads nowhere", "网址以 https:// 开头；不写 `url` 就不跳转"
        )
        yield Problem(
            "E408", file.place(file.front.lines[("template_message", "url")]).span(url), message, help=(help_,)
        )
    if notice is not None and not (notice.get("id") and notice.get("data")):
        message = Said("template_message needs an id and its data", "template_message 需要 id 和 data")
        example = "template_message: { id: …, data: { thing1: … } }"
        help_ = Said(f"write {example}", f"请写 {example}")
        yield Problem("E408", file.place(2).span("template_message"), message, help=(help_,))
    if "subscription" in file.front.values:
        message = Said("subscription notices are not sent by this version yet", "当前版本还不会发送订阅通知")
        yield warning("E290", file.place(2).span(), message)


_LINES_OF_KINDS = {
    "msgmenu": (("[",), Said("a menu without anything to tap", "菜单里没有可以点的选项"), "[5] 很满意"),
    "news": (
        ("https://", "http://"),
        Said("nothing says where it leads", "没有写点开后去哪里"),
        "https://shop.example/tea",
    ),
}


def _lines_of_the_kind(file: TemplateFile, kind: str) -> Iterator[Problem]:
    """The line without which WeChat takes no message of this kind. What a variable prints may be one."""
    starts, message, example = _LINES_OF_KINDS.get(kind, ((), None, ""))
    if message is not None and not any(_may_become(line.strip(), *starts) for line in file.body.splitlines()):
        help_ = Said(f"write a line like  {example}", f"请写一行，例如  {example}")
        yield Problem("E408", file.place(file.front.lines[("kind",)]).span(kind), message, help=(help_,))


def _may_become(text: str, *starts: str) -> bool:
    return text.startswith((*starts, "{"))


def _as_html(text: str) -> str:
    """Words written without HTML. What stands in braces is left alone: its values are escaped when they are printed."""
    plain = "".join(part if part.startswith("{") else escape(part, quote=False) for part in _BRACES.split(text))
    paragraphs = (part.strip().replace("\n", "<br>\n") for part in re.split(r"\n\s*\n", plain))
    return "\n".join(f"<p>{part}</p>" for part in paragraphs)


def _with_more(known: KnownNames, more: frozenset[str]) -> KnownNames:
    return KnownNames(known.fields, known.event_keys, known.links, known.answers, more)


def _texts(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _texts(value, (*path, key))
        else:
            yield (*path, key), value


def problems_stop(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def fault_problem(fault: Fault, place: Place) -> Problem:
    return Problem(
        fault.code,
        place.span(fault.word),
        fault.message,
        label=did_you_mean(fault.word, fault.candidates) if fault.word else None,
        notes=(Said(f"known here: {' · '.join(fault.candidates)}", f"可用：{' · '.join(fault.candidates)}"),)
        if fault.candidates
        else (),
        help=(fault.help,) if fault.help else (),
    )
