"""Which names words may use, by the catalog; and the Problem for each that they may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from engage.content.front import Place, did_you_mean
from engage.content.grammar import Used, Wording
from engage.core.catalog import Catalog
from engage.core.journey import misfits
from engage.core.problem import Problem, Said

# What a run that began with a yearly date knows of it, beside the payloads of the catalog's events.
DATE_EVENT_KEYS = frozenset({"calendar", "lunar_text", "age"})
ANSWER_PARTS = frozenset({"score", "comment", "choice"})
_JOURNEY_PARTS = frozenset({"id", "title"})
_BRAND_PARTS = frozenset({"name", "sms_sign"})
_ALONE = frozenset({"now", "question", "options", "unsubscribe_url"})
LAYOUT_NAMES = frozenset({"content", "subject", "preheader"})


@dataclass(frozen=True, slots=True)
class KnownNames:
    """`answers` None: any step's; a template does not know yet which journey will send it."""

    fields: frozenset[str]
    event_keys: frozenset[str]
    links: frozenset[str]
    answers: frozenset[str] | None = None
    more: frozenset[str] = frozenset()
    asked_later: frozenset[str] = frozenset()  # asks of the same journey that come after these words

    @classmethod
    def of(cls, catalog: Catalog) -> KnownNames:
        payload_keys = {key for event in catalog.events.values() for key in event.payload}
        return cls(frozenset(catalog.fields), frozenset(payload_keys) | DATE_EVENT_KEYS, frozenset(catalog.brand.links))

    def problems(self, wording: Wording, place_of: Callable[[int], Place]) -> Iterator[Problem]:
        """`place_of`: the place in the file of a line of the wording."""
        for used in wording.names:
            yield from self._name_problems(used, place_of(used.line))
        for link in wording.links:
            if link.target not in self.links:
                message = Said(f"unknown link target `{link.target}`", f"没有名为 `{link.target}` 的链接")
                yield unknown("E405", place_of(link.line), link.target, message, self.links)

    def _name_problems(self, used: Used, place: Place) -> Iterator[Problem]:
        match used.path:
            case (("member" | "event" | "journey" | "brand" | "var") as root,):
                message = Said(f"say which part of `{root}` is meant", f"请写明要用 `{root}` 的哪一项")
                help_ = Said(
                    f"for instance {{{{ {root}.{self._example(root)} }}}}",
                    f"例如 {{{{ {root}.{self._example(root)} }}}}",
                )
                yield Problem("E404", place.span(root), message, help=(help_,))
            case ("member", name):
                if name not in self.fields:
                    message = Said(f"unknown member field `{name}`", f"会员没有 `{name}` 这个字段")
                    yield unknown("E404", place, name, message, self.fields)
            case ("event", key):
                if not self.event_keys:
                    yield _nothing_carried(place, key)
                elif key not in self.event_keys:
                    message = Said(f"no event here has `{key}`", f"这里的事件没有 `{key}` 这一项")
                    yield unknown("E404", place, key, message, self.event_keys)
            case ("journey", part):
                yield from _part(place, used, part, _JOURNEY_PARTS)
            case ("brand", part):
                yield from _part(place, used, part, _BRAND_PARTS)
            case ("var", _):
                return
            case (name,) if name in _ALONE | self.more:
                return
            case (step, part) if self._is_answer(step, part):
                return
            case (step, part) if step in self.asked_later and part in ANSWER_PARTS:
                yield misfits.not_an_earlier_ask(place.span(step), step, sorted(self.answers or ()), True)
            case _:
                yield _unknown_name(used, place, self._roots(), self._with_root(used.path[0]))

    def _is_answer(self, step: str, part: str) -> bool:
        return part in ANSWER_PARTS and step not in _ALONE and (self.answers is None or step in self.answers)

    def _with_root(self, name: str) -> str | None:
        """`name` alone is probably the member's."""
        if name in self.fields:
            return f"member.{name}"
        return f"event.{name}" if name in self.event_keys else None

    def _roots(self) -> frozenset[str]:
        return (
            frozenset({"member", "event", "var", "journey", "brand"})
            | _ALONE
            | self.more
            | (self.answers or frozenset())
        )

    def _example(self, root: str) -> str:
        match root:
            case "journey":
                return "title"
            case "member" | "event":
                known = self.fields if root == "member" else self.event_keys
                return "name" if "name" in known else min(known, default="name")
            case _:
                return "name"


def _nothing_carried(place: Place, key: str) -> Problem:
    return Problem(
        "E404",
        place.span(f"event.{key}"),
        Said("what starts this journey carries nothing", "这个旅程的开始没有带任何内容"),
        help=(
            Said(
                "`event.…` is what the starting event carries, by the catalog",
                "`event.…` 是开始这个旅程的事件所带的内容，见 catalog.yaml",
            ),
        ),
    )


def _part(place: Place, used: Used, part: str, known: frozenset[str]) -> Iterator[Problem]:
    if part not in known:
        yield unknown("E404", place, part, Said(f"unknown name `{used}`", f"没有 `{used}` 这一项"), known)


def _unknown_name(used: Used, place: Place, roots: Iterable[str], meant: str | None) -> Problem:
    known = " · ".join(sorted(roots))
    return Problem(
        "E404",
        place.span(used.path[0]),
        Said(f"unknown name `{used}`", f"没有 `{used}` 这个名称"),
        label=did_you_mean(meant, [meant]) if meant else did_you_mean(used.path[0], roots),
        notes=(
            Said(
                f"names here: {known}, and the answers of earlier asks, such as nps.score",
                f"可用的名称：{known}，以及前面提问的答案，如 nps.score",
            ),
        ),
    )


def unknown(code: str, place: Place, word: str, message: Said, known: Iterable[str]) -> Problem:
    names = sorted(known)
    listed = " · ".join(names) or "–"
    return Problem(
        code,
        place.span(word),
        message,
        label=did_you_mean(word, names),
        notes=(Said(f"known here: {listed}", f"可用：{listed}"),),
    )
