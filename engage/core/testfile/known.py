"""What a test file may name: the catalog's words, the project's journeys and templates, and everything they can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from zoneinfo import ZoneInfo

from engage.core.catalog import Catalog
from engage.core.journey.check import every_step
from engage.core.journey.model import Ask, Exit, ExitOnEvent, Journey, Send, Split, Step
from engage.core.testfile.model import Verb

# What ends a run besides its own reasons.
_ENDS = ("goal", "end", "exit_if")


@dataclass(frozen=True)
class Known:
    catalog: Catalog
    journeys: Mapping[str, Journey]
    templates: tuple[str, ...]

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.catalog.timezone)

    def names_for(self, verb: Verb) -> tuple[str, ...]:
        """All that could stand after this verb; a test looks into the journeys that its own one enrolls into."""
        match verb:
            case Verb.SEND:
                return self._sent
            case Verb.ASK | Verb.ANSWERED | Verb.NO_ANSWER:
                return self._asked
            case Verb.SKIPPED | Verb.DEFERRED | Verb.CANCELLED:
                return tuple(dict.fromkeys((*self._sent, *self._asked)))
            case Verb.ENTER | Verb.ENROLL:
                return tuple(sorted(self.journeys))
            case Verb.NOTIFY:
                return tuple(self.catalog.teams)
            case Verb.WEBHOOK:
                return self.catalog.webhooks
            case Verb.SPLIT:
                return tuple(step.id for step in self._steps if isinstance(step, Split))
            case Verb.PASSED_OVER:
                return tuple(dict.fromkeys(step.id for step in self._steps))
            case Verb.EXIT:
                return tuple(dict.fromkeys((*_ENDS, *self._reasons())))
            case Verb.UPDATE:
                return ()

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return tuple(step for journey in self.journeys.values() for step in every_step(journey.steps))

    @cached_property
    def _sent(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.templates, *(s.id for s in self._steps if isinstance(s, Send)))))

    @cached_property
    def _asked(self) -> tuple[str, ...]:
        asks = [step for step in self._steps if isinstance(step, Ask)]
        return tuple(dict.fromkeys(name for ask in asks for name in (ask.id, ask.survey.value)))

    def _reasons(self) -> Iterator[str]:
        for journey in self.journeys.values():
            yield from (rule.event for rule in journey.exit_if if isinstance(rule, ExitOnEvent))
        yield from (step.reason for step in self._steps if isinstance(step, Exit))
