"""What templates and tasks may read, gathered for one member: the context of every rendering."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from engage.core.quiet import zone_of
from engage.runtime.applied import Active, Applied
from engage.store.members import Profile


def words_context(
    applied: Applied,
    profile: Profile,
    now: datetime,
    *,
    active: Active | None = None,
    run_context: Mapping[str, Any] | None = None,
    answers: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """`member` with the catalog's defaults, `event`, `var`, answers by step id, `journey`, `brand`, `now` in the
    member's own zone."""
    defaults = {name: field.default for name, field in applied.catalog.fields.items() if field.default is not None}
    known = {name: value for name, value in profile.values.items() if value not in (None, "")}
    run_context = run_context or {}
    journey = active.journey if active is not None else None
    brand = applied.catalog.brand
    return {
        **(answers or {}),
        "member": {**defaults, **known},
        "event": run_context.get("event", {}),
        "var": run_context.get("var", {}),
        "journey": {"id": journey.id, "title": journey.title} if journey is not None else {},
        "brand": {"name": brand.name, "sms_sign": brand.sms_sign, "links": brand.links},
        "now": now.astimezone(zone_of(profile.timezone, applied.catalog.timezone)),
    }
