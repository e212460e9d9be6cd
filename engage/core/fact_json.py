"""Facts as JSON, for what our own pages, API and files report: there the normalised fact is what was received."""

from __future__ import annotations

import json
from typing import Any

from pydantic import TypeAdapter

from engage.core.fact import (
    Answered,
    Clicked,
    Fact,
    Followed,
    Happened,
    MemberGiven,
    OptedOut,
    Receipt,
    Typed,
    Unfollowed,
)

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (Receipt, Typed, Followed, Unfollowed, Clicked, Answered, OptedOut, Happened, MemberGiven)
}


def fact_to_json(fact: Fact) -> str:
    kind = type(fact).__name__
    data = _ADAPTERS[kind].dump_python(fact, mode="python")
    if isinstance(fact, MemberGiven):
        data["consents"] = [[topic, channel, granted] for (topic, channel), granted in fact.consents.items()]
    return json.dumps({"fact": kind, **data}, ensure_ascii=False, default=_plain)


def fact_from_json(text: str) -> Fact:
    """Raises ValueError for anything `fact_to_json` did not write."""
    try:
        data = json.loads(text)
        adapter = _ADAPTERS[data.pop("fact")]
        if adapter is _ADAPTERS["MemberGiven"]:
            data["consents"] = {(topic, channel): granted for topic, channel, granted in data["consents"]}
        fact: Fact = adapter.validate_python(data)
    except (AttributeError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a fact: {error}") from error
    return fact


def _plain(value: Any) -> Any:
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat else str(value)
