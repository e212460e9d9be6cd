"""Checks across files: templates, other journeys, paths that lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest
from journey_desk import catalog, good, text_of, underlined

from engage.core.journey.check import check_journeys
from engage.core.journey.model import Survey
from engage.core.journey.paths import everyone_leaves
from engage.core.journey.reading import read_journey
from engage.core.problem import Severity


@dataclass
class Templates:
    """What is on disk: the channels of each template."""

    written: dict[str, set[str]] = field(default_factory=dict)

    def names(self) -> Iterable[str]:
        return self.written

    def channels_of(self, name: str) -> frozenset[str]:
        return frozenset(self.written.get(name, ()))

    def ask_channels(self, step_id: str, survey: Survey) -> frozenset[str]:
        return self.channels_of(step_id) | self.channels_of(f"ask-{survey}")


TEMPLATES = Templates(
    {"welcome": {"wechat", "sms", "email"}, "story": {"email"}, "ask-nps": {"wechat"}, "csat_7": {"sms"}}
)


def checked(source: str) -> list[tuple[str, str]]:
    journey = good(source)
    return [(p.code, underlined(source, p)) for p in check_journeys([journey], catalog(), TEMPLATES)]


def checked_steps(steps: str) -> list[tuple[str, str]]:
    return checked(text_of(steps=steps))


def test_a_sound_journey() -> None:
    assert checked_steps("  - send: welcome\n  - ask: nps\n    question: 几分？\n  - exit: 完") == []


def test_unknown_template_with_a_suggestion() -> None:
    source = text_of(steps="  - send: welcom")
    (problem,) = check_journeys([good(source)], catalog(), TEMPLATES)
    assert (problem.code, underlined(source, problem)) == ("E310", "welcom")
    assert problem.label is not None
    assert problem.label.en == "did you mean `welcome`?"


def test_only_a_service_message_may_be_repeated() -> None:
    """The topic is the step's, else the journey's, which is marketing unless it says otherwise."""
    repeat = "  - send: welcome\n    on_ambiguous: repeat"
    assert checked_steps(repeat) == [("E336", "welcome")]
    assert checked_steps(f"{repeat}\n    topic: survey") == [("E336", "welcome")]
    assert checked_steps(f"{repeat}\n    topic: service") == []
    assert checked(text_of("topic: service", steps=repeat)) == []
    assert checked_steps("  - send: welcome\n    on_ambiguous: hold") == []


def test_unknown_templates_are_found_in_every_block() -> None:
    steps = """
  - wait_for: order_paid
    up_to: 1d
    then:
      - if: { tag: a }
        then:
          - send: storry
    else:
      - send: welcom
"""
    assert checked_steps(steps) == [("E310", "storry"), ("E310", "welcom")]


def test_a_template_without_a_usable_channel() -> None:
    assert checked_steps("  - send: story\n    channels: [sms]") == [("E311", "story")]
    assert checked(text_of("channels: [sms]", "  - send: story")) == [("E311", "story")]
    assert checked(text_of("channels: [sms]", "  - send: story\n    channels: auto")) == []


def test_a_channel_that_is_never_used_is_a_warning() -> None:
    source = text_of(steps="  - send: story\n    channels: [email, sms]")
    (problem,) = check_journeys([good(source)], catalog(), TEMPLATES)
    assert (problem.code, problem.severity) == ("E311", Severity.WARNING)
    assert problem.help[0].en == "write templates/story.sms.j2"


def test_words_in_the_journey_cannot_go_by_sms() -> None:
    assert checked_steps("  - send: hello\n    text: 您好") == []
    assert checked_steps("  - send: hello\n    text: 您好\n    channels: [sms]") == [("E311", "hello")]


def test_questions_use_their_own_template_or_the_shipped_one() -> None:
    assert checked_steps("  - ask: csat\n    id: csat_7\n    question: 几分？\n    channels: [sms]") == []
    assert checked_steps("  - ask: csat\n    question: 几分？") == [("E311", "csat")]
    assert checked_steps("  - ask: nps\n    question: 几分？\n    channels: [sms]") == [("E311", "nps")]


def test_unknown_journey_to_enroll() -> None:
    source = text_of(steps="  - enroll: trail")
    (problem,) = check_journeys([good(source)], catalog(), TEMPLATES)
    assert (problem.code, problem.label and problem.label.en) == ("E308", "did you mean `trial`?")
    other, _ = read_journey(text_of(), "journeys/trail.yaml", catalog())
    assert other is not None
    assert check_journeys([good(source), other], catalog(), TEMPLATES) == []


def test_a_team_that_nobody_can_tell() -> None:
    source = text_of(steps="  - notify: 没人\n    task: a\n  - notify: 客服一组\n    task: b")
    (problem,) = check_journeys([good(source)], catalog(), TEMPLATES)
    assert (problem.code, problem.severity) == ("E307", Severity.WARNING)


NPS = "  - ask: nps\n    question: 几分？\n"
LEAVE = "[ { exit: x } ]"


@pytest.mark.parametrize(
    ("before", "leaves"),
    [
        ("  - exit: x", True),
        ("  - exit: x\n    only_if: { tag: a }", False),
        (f"  - if: {{ tag: a }}\n    then: {LEAVE}", False),
        (f"  - if: {{ tag: a }}\n    then: {LEAVE}\n    else: {LEAVE}", True),
        (f"  - if: {{ tag: a }}\n    then: {LEAVE}\n    else: []", False),
        (f"  - branch:\n      - if: {{ tag: a }}\n        then: {LEAVE}\n      - else: {LEAVE}", True),
        (f"  - branch:\n      - if: {{ tag: a }}\n        then: {LEAVE}", False),
        (f"  - wait_for: order_paid\n    up_to: 1d\n    then: {LEAVE}\n    else: {LEAVE}", True),
        (f"  - wait_for: order_paid\n    up_to: 1d\n    then: {LEAVE}", False),
        (f"{NPS}  - switch: nps\n    cases: {{ 0..6: {LEAVE}, 7..10: {LEAVE}, no_answer: {LEAVE} }}", True),
        (f"{NPS}  - switch: nps\n    cases: {{ 0..6: {LEAVE}, else: {LEAVE}, no_answer: {LEAVE} }}", True),
        (f"{NPS}  - switch: nps\n    cases: {{ 0..6: {LEAVE}, else: [], no_answer: {LEAVE} }}", False),
        (f"{NPS}  - switch: nps\n    cases: {{ 0..10: {LEAVE}, no_answer: [] }}", False),
    ],
)
def test_steps_after_everyone_has_left(before: str, leaves: bool) -> None:
    source = text_of(steps=f"{before}\n  - send: welcome\n  - send: story")
    assert everyone_leaves(good(source).steps[-3]) is leaves
    assert checked(source) == ([("E330", "welcome")] if leaves else [])


def test_unreachable_steps_in_a_block() -> None:
    assert checked_steps("  - if: { tag: a }\n    then:\n      - exit: x\n      - send: welcome") == [
        ("E330", "welcome")
    ]
