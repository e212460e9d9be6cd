"""All templates of a project, by name and channel."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from engage.content.front import did_you_mean, warning
from engage.content.grammar import Wording
from engage.content.mail import finish_mail
from engage.content.names import KnownNames
from engage.content.sms_rules import approved_text, body_problems
from engage.content.template import CHANNELS, FOLDER, LAYOUTS, SUFFIX, Reading, Template, problems_stop
from engage.core.catalog import Catalog
from engage.core.journey.check import INLINE_TEXT_CHANNELS
from engage.core.journey.model import Journey, Send, Survey
from engage.core.problem import Problem, Said, Span


@dataclass(frozen=True)
class Library:
    reading: Reading = field(repr=False)
    templates: Mapping[tuple[str, str], Template] = field(default_factory=dict)  # by name and channel
    broken: frozenset[tuple[str, str]] = frozenset()  # have a file, but cannot be used: reported once, not as unknown
    _inline: dict[tuple[str, str, str], Template | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def read(cls, sources: Mapping[str, str], catalog: Catalog) -> tuple[Library, list[Problem]]:
        """Every file under `templates/`; other paths are passed over. Templates with errors are left out."""
        paths = sorted(path for path in sources if path.startswith(FOLDER) and path.endswith(SUFFIX))
        reading, problems = _read_layouts(sources, paths, catalog)
        templates: dict[tuple[str, str], Template] = {}
        broken: set[tuple[str, str]] = set()
        for path in paths:
            if path.startswith(LAYOUTS):
                continue
            named = _name_and_channel(path)
            if isinstance(named, Problem):
                problems.append(named)
                broken |= {(_stem(path), channel) for channel in CHANNELS}  # whichever was meant
                continue
            template, found = reading.template(*named, path, sources[path])
            if template and template.channel == "sms":
                found += body_problems(template, catalog.brand.sms_sign)
            problems += found
            if template and not problems_stop(found):
                templates[named] = template
            else:
                broken.add(named)
        library = cls(reading, templates, frozenset(broken))
        return library, [*problems, *library._shared_codes()]

    def find(self, name: str, channel: str) -> Template | None:
        return self.templates.get((name, channel))

    def names(self) -> Collection[str]:
        return self._channels.keys()

    def channels_of(self, name: str) -> frozenset[str]:
        return self._channels.get(name, frozenset())

    @cached_property
    def _channels(self) -> Mapping[str, frozenset[str]]:
        """The channels of every template, by name: asked for at each step of each journey."""
        channels: dict[str, set[str]] = defaultdict(set)
        for name, channel in self.templates.keys() | self.broken:
            channels[name].add(channel)
        return {name: frozenset(found) for name, found in channels.items()}

    def for_send(self, step: Send, journey: Journey, channel: str) -> Template | None:
        """The template it names; or its own `text`, which every channel that takes free words can carry."""
        if step.text is None:
            return self.find(step.template or "", channel)
        key = (step.text.source, step.label or journey.title, channel)
        if channel not in INLINE_TEXT_CHANNELS:
            return None
        if key not in self._inline:
            self._inline[key] = self.reading.inline(*key)
        return self._inline[key]

    def for_ask(self, step_id: str, survey: Survey, channel: str) -> Template | None:
        """The step's own words, else the words for this kind of question."""
        return self.find(step_id, channel) or self.find(f"ask-{survey}", channel)

    def ask_channels(self, step_id: str, survey: Survey) -> frozenset[str]:
        return self.channels_of(step_id) | self.channels_of(f"ask-{survey}")

    def approved_sms(self) -> dict[str, str]:
        """What each approved SMS template says, by the provider's id, its variables as `${name}`."""
        sms = [template for (_, channel), template in sorted(self.templates.items()) if channel == "sms"]
        return {template.front["sms_template"]: approved_text(template) for template in sms}

    def _shared_codes(self) -> Iterator[Problem]:
        """One provider id has one text."""
        by_code: dict[str, list[Template]] = defaultdict(list)
        for (_, channel), template in sorted(self.templates.items()):
            if channel == "sms":
                by_code[template.front["sms_template"]].append(template)
        for code, (first, *others) in by_code.items():
            for other in others:
                if approved_text(other) != approved_text(first):
                    message = Said(
                        f"{code} stands for other words in {first.file.path}",
                        f"{first.file.path} 已把 {code} 用于另一段文字",
                    )
                    help_ = Said(
                        "one id has one text: give this one its own", "一个编号只对应一段文字：请换用它自己的编号"
                    )
                    place = other.file.place(other.file.front.lines[("sms_template",)])
                    yield Problem("E414", place.span(code), message, help=(help_,))


def _read_layouts(sources: Mapping[str, str], paths: list[str], catalog: Catalog) -> tuple[Reading, list[Problem]]:
    defaults = {known.name: known.default for known in catalog.fields.values() if known.default is not None}
    bare = Reading(KnownNames.of(catalog), defaults)
    layouts: dict[str, Wording] = {}
    problems: list[Problem] = []
    for path in (path for path in paths if path.startswith(LAYOUTS)):
        layout, found = bare.layout(path, sources[path])
        problems += found or _style_problems(path, sources[path])
        # A stand-in for one that cannot be used: its mistake is told once, not at every mail that names it.
        usable = layout if layout and not problems_stop(found) else Wording("", html=True)
        layouts[path.removeprefix(LAYOUTS).removesuffix(f".email{SUFFIX}")] = usable
    return Reading(bare.known, defaults, layouts), problems


def _style_problems(path: str, source: str) -> Iterator[Problem]:
    try:
        finish_mail(source)
    except ValueError as error:
        yield warning("E408", Span(path, 1, 1, 1, 2), Said(str(error), f"样式无法读取：{error}"))


def _stem(path: str) -> str:
    return path.removeprefix(FOLDER).removesuffix(SUFFIX).partition(".")[0]


def _name_and_channel(path: str) -> tuple[str, str] | Problem:
    whole = path.removeprefix(FOLDER).removesuffix(SUFFIX)
    name, _, channel = whole.rpartition(".")
    if name and not set("/.") & set(name) and channel in CHANNELS:
        return name, channel
    listed = " · ".join(CHANNELS)
    return Problem(
        "E407",
        Span(path, 1, 1, 1, 2),
        Said(
            f"a template's file is named {FOLDER}<name>.<channel>{SUFFIX}",
            f"模板文件应命名为 {FOLDER}<名称>.<渠道>{SUFFIX}",
        ),
        label=did_you_mean(channel, CHANNELS),
        notes=(Said(f"channels: {listed}", f"渠道：{listed}"),),
    )
