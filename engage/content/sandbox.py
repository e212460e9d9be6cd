"""The room templates run in: Jinja with almost everything taken out of it.

A template may read keys of plain mappings, compare, loop over short lists, and call the three functions we hand it. It
reaches no attribute of any object and calls no method, so there is nothing to climb. `grammar` refuses the same things
when a file is loaded; what is here holds even for words that were never checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from typing import Any, NoReturn

from jinja2 import ChainableUndefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import pass_context
from markupsafe import Markup

from engage.content import values
from engage.content.values import Tame

PRINTER = (
    "_printer"  # the context key of this message's Printer; names with a leading underscore are refused in templates
)
RANGE_BUDGET = 1000  # steps that all `range(…)` of one rendering may take together
LOOP_PARTS = frozenset({"index", "index0", "revindex", "revindex0", "first", "last", "length"})


class Absent(ChainableUndefined):
    """A value that is not there. It may be tested and compared: nothing is above or below it. Printing it is caught."""

    def _is_not(self, other: object) -> bool:
        return False

    __lt__ = __le__ = __gt__ = __ge__ = _is_not  # type: ignore[assignment]  # Jinja's own raise


class Chosen(str):
    """What a template's author chose to print instead of a missing value; even if it is nothing."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Function:
    """The only kind of thing a template can call."""

    call: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)


@dataclass(slots=True)
class Printer:
    """Every `{{ … }}` of one rendering passes through `say`. It remembers what had nothing to say."""

    zone: tzinfo
    tame: Tame
    blank: str = ""
    missing: list[str] = field(default_factory=list)

    def say(self, value: object, name: str) -> str:
        if isinstance(value, Markup | Chosen):
            return value
        shown = None if isinstance(value, Absent) else values.show(value, self.zone)
        said = self.tame(shown) if shown else None
        if said:
            return said
        self.missing.append(name)
        return self.blank


@dataclass(slots=True)
class _Range:
    left: int = RANGE_BUDGET

    def __call__(self, *args: int) -> range:
        steps = range(*args)
        self.left -= len(steps)
        if self.left < 0:
            raise SecurityError(f"loops over range() take more than {RANGE_BUDGET} steps")
        return steps


class WordsEnvironment(SandboxedEnvironment):
    """Plain text, or HTML with every value escaped."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, html: bool) -> None:
        super().__init__(autoescape=html, undefined=Absent, trim_blocks=True, lstrip_blocks=True)
        self.filters = dict(FILTERS)
        self.globals = {}

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._part(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._part(obj, argument)

    def _part(self, obj: Any, key: Any) -> Any:
        match obj:
            case Absent():
                return obj
            case Mapping() if isinstance(key, str):
                value = obj.get(key)
                return Absent(name=key) if values.is_blank(value) else value
            case list() | tuple() if isinstance(key, int) and -len(obj) <= key < len(obj):
                return obj[key]
            case LoopContext() if key in LOOP_PARTS:
                return getattr(obj, key)
            case _:
                return Absent(name=str(key))

    def is_safe_callable(self, obj: Any) -> bool:
        return isinstance(obj, Function)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic is for numbers: a repeated or formatted text could fill the memory."""
        for value in (left, right):
            if isinstance(value, Absent):
                return value
            if not isinstance(value, int | float | Decimal):
                self._refuse_arithmetic(operator, value)
        if operator == "**":
            self._refuse_arithmetic(operator, right)
        return super().call_binop(context, operator, _same(left, right), _same(right, left))

    def _refuse_arithmetic(self, operator: str, value: object) -> NoReturn:
        raise SecurityError(f"`{operator}` is for numbers, not for {type(value).__name__}")


def _same(value: Any, other: Any) -> Any:
    """Decimals and floats do not add up in Python; to a template both are numbers."""
    return Decimal(str(value)) if isinstance(value, float) and isinstance(other, Decimal) else value


def room_functions(link: Callable[[str], str], survey_link: Callable[..., str]) -> dict[str, Function]:
    """The functions of one rendering."""
    return {"link": Function(link), "survey_link": Function(survey_link), "range": Function(_Range())}


# --- filters ----------------------------------------------------------------------------------------------------


def zone_of(context: Context) -> tzinfo:
    printer: Printer = context[PRINTER]
    return printer.zone


@pass_context
def _printed(context: Context, value: object, name: str) -> str:
    printer: Printer = context[PRINTER]
    return printer.say(value, name)


def _default(value: object, otherwise: object = "", _also_if_false: object = None) -> object:
    """Blank values count as missing here, so Jinja's own second argument changes nothing."""
    if not isinstance(value, Absent) and not values.is_blank(value):
        return value
    return Chosen(otherwise) if isinstance(otherwise, str) else otherwise


def _dated(show: Callable[[object, tzinfo], str | None]) -> Callable[..., object]:
    @pass_context
    def dated(context: Context, value: object) -> object:
        return value if isinstance(value, Absent) else show(value, zone_of(context))

    return dated


def _of_present(show: Callable[..., object]) -> Callable[..., object]:
    """A missing value stays missing, so that printing it is caught and `default` after it still works."""

    def shown(value: object, *args: object) -> object:
        if isinstance(value, Absent) or values.is_blank(value):
            return Absent()
        made = show(value, *args)
        return Absent() if made is None else made

    return shown


def _round(value: object, digits: int = 0) -> Decimal:
    return round(Decimal(str(value)), digits)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str | list | tuple) else 0


def _join(value: object, between: str = "、") -> str | None:
    return between.join(str(item) for item in value) if isinstance(value, list | tuple) else None


FILTERS: Mapping[str, Callable[..., Any]] = {
    "default": _default,
    "date": _dated(values.show_date),  # 2026年11月23日
    "day": _dated(values.show_day),  # 11月23日
    "time": _dated(values.show_time),  # 14:05
    "money": _of_present(values.show_money),  # ¥1,268
    "mask": _of_present(values.show_masked),  # 138****1234
    "cut": _of_present(values.cut),
    "round": _of_present(_round),
    "numbered": _of_present(values.numbered),
    "join": _of_present(_join),
    "length": _length,
    "_printed": _printed,
}
# How many arguments each takes; those not named take none.
FILTER_ARGUMENTS: Mapping[str, tuple[int, int]] = {"default": (1, 2), "cut": (1, 1), "round": (0, 1), "join": (0, 1)}


PLAIN = WordsEnvironment(html=False)
HTML = WordsEnvironment(html=True)
