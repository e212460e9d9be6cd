"""Where words meet journeys: answers, events and variables that a template may count on, by who sends it.

A template alone cannot know whether `{{ nps.score }}` will be there; a journey that sends it can.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from engage.content.front import Front, Place, TemplateFile, did_you_mean, warning
from engage.content.grammar import Used, read_wording
from engage.content.library import Library
from engage.content.names import DATE_EVENT_KEYS, KnownNames
from engage.content.sms_rules import PARAMETER_LENGTH, sms_problems
from engage.content.template import CHANNELS, Template, fault_problem, place_in
from engage.core.catalog import Catalog, TopicClass
from engage.core.journey.check import every_step
from engage.core.journey.model import Ask, Enroll, Goto, Journey, Notify, OnDate, OnEvent, Send, Step, Webhook, Words
from engage.core.problem import Problem, Said

SMS = "sms"
EMAIL = "email"
_QUESTION_NAMES = frozenset({"question", "options"})


@dataclass(frozen=True, slots=True)
class _Sending:
    """A step that sends a template."""

    journey: Journey
    step: Send | Ask
    knows: KnownNames
    passed: frozenset[str]  # keys of `var`


def usage_problems(
    journeys: Mapping[str, Journey],
    library: Library,
    catalog: Catalog,
    sources: Mapping[str, str],
    unsure: Collection[str] = (),
) -> Iterator[Problem]:
    """`unsure`: ids of journeys of which the topic is not known; they ask nothing of a template that depends on it."""
    passed = _passed(journeys.values())
    sent: dict[tuple[str, str], list[_Sending]] = defaultdict(list)
    for journey in journeys.values():
        knows = _knows(journey, catalog)
        file = _journey_file(journey, sources)
        asked = _asked_before(journey)
        for step in every_step(journey.steps):
            here = replace(knows, answers=asked[step.id], asked_later=(knows.answers or frozenset()) - asked[step.id])
            for words in _words_of(step):
                yield from _words_problems(words, here, file)
            if isinstance(step, Send | Ask):
                keys = passed.get(journey.id, frozenset()) | (
                    frozenset(step.values) if isinstance(step, Send) else frozenset()
                )
                templates = list(_templates_of(step, journey, library))
                for template in templates:
                    sent[template.name, template.channel].append(_Sending(journey, step, here, keys))
                yield from _question_length(step, library)
                if isinstance(step, Send):
                    yield from _unused_values(step, templates, library)
    for key, sendings in sorted(sent.items()):
        yield from _template_problems(library.templates[key], sendings, catalog, unsure)


# --- what a journey knows ---------------------------------------------------------------------------------------


def _knows(journey: Journey, catalog: Catalog) -> KnownNames:
    asks = frozenset(step.id for step in every_step(journey.steps) if isinstance(step, Ask))
    match journey.start:
        case OnEvent(event=event) if event in catalog.events:
            keys = frozenset(catalog.events[event].payload)
        case OnDate():
            keys = DATE_EVENT_KEYS
        case _:
            keys = frozenset()
    return replace(KnownNames.of(catalog), event_keys=keys, answers=asks)


def _asked_before(journey: Journey) -> Mapping[str, frozenset[str]]:
    """For each step the asks that may have been answered when it is reached, its own included (`comment` speaks of the
    score). Where a `goto` leads back, any may have been."""
    steps = list(every_step(journey.steps))
    asks = [step.id for step in steps if isinstance(step, Ask)]
    if any(isinstance(step, Goto) for step in steps):
        return {step.id: frozenset(asks) for step in steps}
    places = {step.id: place for place, step in enumerate(steps)}
    return {step.id: frozenset(ask for ask in asks if places[ask] <= places[step.id]) for step in steps}


def _passed(journeys: Iterable[Journey]) -> dict[str, frozenset[str]]:
    """For each journey, the keys that some `enroll … with` passes to it."""
    passed: dict[str, frozenset[str]] = {}
    for journey in journeys:
        for step in every_step(journey.steps):
            if isinstance(step, Enroll):
                passed[step.journey] = passed.get(step.journey, frozenset()) | frozenset(step.values)
    return passed


def _words_of(step: Step) -> Iterator[Words]:
    match step:
        case Send(text=text, values=values):
            yield from values.values()
            if text is not None:
                yield text
        case Ask(question=question, comment=comment):
            yield question
            if comment is not None:
                yield comment
        case Notify(task=task):
            yield task
        case Webhook(values=values) | Enroll(values=values):
            yield from values.values()
        case _:
            return


def _journey_file(journey: Journey, sources: Mapping[str, str]) -> TemplateFile:
    path = f"journeys/{journey.id}.yaml"
    source = sources.get(path, "")
    return TemplateFile(path, tuple(source.removeprefix("\ufeff").splitlines()), Front({}), source, 1)


def _words_problems(words: Words, knows: KnownNames, file: TemplateFile) -> Iterator[Problem]:
    begin = file.place(words.span.line).text[words.span.column - 1 :]
    here = replace(file, body_line=words.span.line + begin.startswith(("|", ">")))
    read = read_wording(words.source)
    if isinstance(read, list):
        yield from (fault_problem(fault, place_in(here, (), fault.line)) for fault in read)
    else:
        yield from knows.problems(read, lambda line: place_in(here, (), line))


def _unused_values(step: Send, templates: list[Template], library: Library) -> Iterator[Problem]:
    """Passed, and printed by no channel's words. Nothing is known of words that could not be read."""
    if step.template is None or any((step.template, channel) in library.broken for channel in CHANNELS):
        return
    printed = {used.path[-1] for template in templates for used, _ in template.used() if used.path[0] == "var"}
    for key, words in step.values.items() if templates else ():
        if key not in printed:
            message = Said(f"`{step.template}` does not print `{key}`", f"`{step.template}` 里没有用到 `{key}`")
            help_ = Said(
                f"write {{{{ var.{key} }}}} in it, or remove the value", f"请在模板里写 {{{{ var.{key} }}}}，或者删掉它"
            )
            yield warning("E417", words.span, message, help_)


# --- what a template may count on -------------------------------------------------------------------------------


def _templates_of(step: Send | Ask, journey: Journey, library: Library) -> Iterator[Template]:
    for channel in (step.channels or journey.channels).order or CHANNELS:
        match step:
            case Ask():
                template = library.for_ask(step.id, step.survey, channel)
            case Send():
                template = library.find(step.template, channel) if step.template else None
        if template is not None:
            yield template


def _template_problems(
    template: Template, sendings: list[_Sending], catalog: Catalog, unsure: Collection[str]
) -> Iterator[Problem]:
    sure = (sending for sending in sendings if sending.journey.id not in unsure)
    marketing = any(_class(sending, catalog) is TopicClass.MARKETING for sending in sure)
    for used, place in template.used():
        if not any(_there(used, sending) for sending in sendings):
            yield _never_there(used, place, sendings)
    if template.channel == SMS and marketing:
        yield from sms_problems(template, TopicClass.MARKETING)
    if template.channel == EMAIL and marketing and not template.shows_way_out():
        yield _no_way_out(template)
    if "template_message" in template.front and not any(
        _class(sending, catalog) is TopicClass.SERVICE for sending in sendings
    ):
        yield _never_a_template_message(template)


def _there(used: Used, sending: _Sending) -> bool:
    match used.path:
        case ("event", key):
            return key in sending.knows.event_keys
        case ("var", key):
            return key in sending.passed
        case (name,) if name in _QUESTION_NAMES:
            return isinstance(sending.step, Ask)
        case (("member" | "journey" | "brand"), _) | (_,):
            return True
        case (step, *_):
            return step in (sending.knows.answers or frozenset())
        case _:
            return True


def _never_there(used: Used, place: Place, sendings: list[_Sending]) -> Problem:
    journeys = "、".join(sorted({sending.journey.id for sending in sendings}))
    known = {name for sending in sendings for name in sending.knows.answers or ()}
    message = Said(f"`{used}` is never there: {journeys} sends this", f"`{used}` 不会有值：发送它的旅程是 {journeys}")
    label = did_you_mean(used.path[0], known)
    if used.path[0] == "var":  # people may pass it when they enrol someone by hand
        key = used.path[-1]
        help_ = Said(f"pass it where it is sent: with: {{ {key}: … }}", f"请在发送的步骤里传入：with: {{ {key}: … }}")
        return warning("E409", place.span(key), message, help_)
    help_ = Said(
        f"remove it, or write {{{{ {used} | default('…') }}}} where it may be missing",
        f"请删掉；如果只是有时没有，请写 {{{{ {used} | default('…') }}}}",
    )
    return Problem("E409", place.span(used.path[0]), message, label=label, help=(help_,))


def _no_way_out(template: Template) -> Problem:
    message = Said("a mail of this topic must have a way out", "这类邮件必须带有退订链接")
    link = '<a href="{{ unsubscribe_url }}">退订</a>'
    help_ = Said(f"add {link}, or leave `layout` out", f"请加上 {link}，或者不写 `layout`")
    return Problem("E410", template.last_line().span(), message, help=(help_,))


def _never_a_template_message(template: Template) -> Problem:
    message = Said(
        "WeChat allows template messages for topics of class service only", "微信模板消息只能用于类别为 service 的主题"
    )
    help_ = Said(
        "it is never used here: remove it, or send this under a service topic",
        "这里不会用到它：请删掉，或者改用 service 类别的主题发送",
    )
    line = template.file.front.lines.get(("template_message", "id"), 2)
    return warning("E418", template.file.place(line).span("template_message"), message, help_)


def _class(sending: _Sending, catalog: Catalog) -> TopicClass:
    """A topic the catalog does not know is reported elsewhere; here it counts as the stricter class."""
    topic = catalog.topics.get(sending.step.topic or sending.journey.topic)
    return topic.topic_class if topic else TopicClass.MARKETING


def _question_length(step: Send | Ask, library: Library) -> Iterator[Problem]:
    """A question without variables that is too long for the provider's variable would be refused for everyone."""
    if not isinstance(step, Ask) or library.for_ask(step.id, step.survey, SMS) is None:
        return
    for words in (step.question, step.comment):
        if words is not None and "{{" not in words.source and len(words.source.strip()) > PARAMETER_LENGTH:
            message = Said(
                f"too long for an SMS: a variable has {PARAMETER_LENGTH} characters at most",
                f"作为短信变量太长：最多 {PARAMETER_LENGTH} 个字",
            )
            yield warning("E413", words.span, message)
