"""What has to be approved before it is applied or let go, and what exactly an approval is about: change it, and the
approval is void."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from engage.config import Policy
from engage.core.catalog import Catalog
from engage.runtime.edits.plan import Change, Plan
from engage.runtime.edits.planning import Planned, in_force
from engage.runtime.enrolling import holding
from engage.store import holding as store
from engage.store.edits import plans
from engage.store.edits.plans import SavedPlan
from engage.store.holding import Hold, HoldStatus

PLAN = "plan"  # what an approval of a plan is about; which one, its digest says


def needed_for(connection: Connection, planned: Planned) -> int:
    """How many people have to approve a plan: for what its journeys will be, and for what they were, lest an edit call
    them something else. To take a journey away needs nobody."""
    policy = planned.plan.rules.policy
    if policy is None or not policy.approvals.topics or planned.plan.is_empty:
        return 0
    made, running = planned.plan, planned.running
    touched = [name for name in running if made.other_files or name in made.those(*Change)]
    catalog, were = in_force(connection, touched)
    asked = (
        any(holding.asks_approval(policy, planned.project.catalog, running[name]) for name in touched)
        or any(not catalog or not journey or holding.asks_approval(policy, catalog, journey) for journey in were)
        or _asks_about_less(policy, catalog, planned.project.catalog)
    )
    return policy.approvals.by if asked else 0


def _asks_about_less(policy: Policy, catalog: Catalog | None, next_one: Catalog) -> bool:
    """A topic is to be of another class, or is gone, of which something could have been asked."""
    return bool(catalog and holding.topics_that_ask(policy, catalog) - holding.topics_that_ask(policy, next_one))


def digest_of(plan: Plan | SavedPlan) -> str:
    """Of the files, of what they take the place of, and of the terms; not of where members happen to stand."""
    terms: Mapping[str, Any] = plan.terms.as_data() if isinstance(plan, Plan) else plan.options
    told = [plan.mark, sorted(plan.files.items()), sorted(terms.items())]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Approved:
    """By whom so far. `goes_on`: that was enough, and a hold goes on."""

    by: Sequence[str]
    needed: int
    goes_on: bool


@dataclass(frozen=True, slots=True)
class NotWaiting:
    """There is no such hold, or it does not wait for anybody."""

    status: HoldStatus | None


def approve_plan(connection: Connection, plan_id: str, by: str, policy: Policy, now: datetime) -> Approved | None:
    """None: there is no such plan, or it was applied already."""
    known = plans.get(connection, plan_id)
    if known is None or known.applied_at is not None:
        return None
    store.approve(connection, PLAN, digest_of(known), by, now)
    approved = store.approved_by(connection, PLAN, digest_of(known))
    return Approved(approved, policy.approvals.by, len(approved) >= policy.approvals.by)


def approve_hold(
    connection: Connection, hold_id: int, digest: str, by: str, policy: Policy, now: datetime
) -> Approved | NotWaiting:
    """`digest`: of what was shown to whoever approves it; if it has changed since, they have to look again."""
    held = store.get(connection, hold_id, to_change=True)
    if held is None or held.status is not HoldStatus.WAITING:
        return NotWaiting(held.status if held is not None else None)
    stands = holding.digest_of(connection, held)
    if stands == digest:
        store.approve(connection, _stage_of(held), stands, by, now)
    approved = store.approved_by(connection, _stage_of(held), stands)
    enough = len(approved) >= policy.approvals.by
    if enough:
        holding.go_on(connection, held, now)
    return Approved(approved, policy.approvals.by, enough)


def refuse_hold(connection: Connection, hold_id: int, by: str, now: datetime) -> NotWaiting | Hold:
    held = store.get(connection, hold_id, to_change=True)
    if held is None or held.settled_at is not None or held.status is HoldStatus.REFUSED:
        return NotWaiting(held.status if held is not None else None)
    holding.refuse(connection, held, f"refused by {by}", now)
    return held


def _stage_of(held: Hold) -> str:
    """A stage that stopped needs an approval of its own."""
    return f"{held.name}@{held.stage}"
