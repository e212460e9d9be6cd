"""`per: event.order_id`: a run for each order, and which orders' events it hears of."""

from __future__ import annotations

import pytest
from small_journeys import SERVICE, journey
from stage import Stage


def two_orders(stage: Stage, more: str, *steps: str) -> None:
    """A1 and A2 are on their way; then A1 is refunded."""
    stage.member("王芳", sms=True)
    source = journey("order_delivered", *steps, topic="service", more=f"per: event.order_id\n{more}\n")
    stage.apply({"each": source})
    for order in ("A1", "A2"):
        stage.happens("王芳", "order_delivered", order_id=order)
    stage.happens("王芳", "refund_completed", order_id="A1", amount=10)
    stage.run_until(day=3)


def ends(stage: Stage) -> dict[str, str | None]:
    return {run.per_value: run.end_reason for run in stage.runs("王芳", "each")}


def test_an_event_that_ends_runs_ends_the_one_of_its_value(stage: Stage) -> None:
    two_orders(stage, "exit_if: { event: refund_completed }", SERVICE, "wait: 1d", "exit: 平安")
    assert ends(stage) == {"A1": "refund_completed", "A2": "平安"}


@pytest.mark.parametrize(
    ("more", "wait", "reason"),
    [
        ("goal: { event: refund_completed, within: 7d }", "wait: 1d", "goal"),
        ("", "wait_for: refund_completed\nup_to: 1d\nthen: [ { exit: 退了 } ]", "退了"),
    ],
)
def test_the_goal_and_a_wait_for_take_any_value(stage: Stage, more: str, wait: str, reason: str) -> None:
    """A customer who comes back has another order number."""
    two_orders(stage, more, SERVICE, wait, "exit: 平安")
    assert ends(stage) == {"A1": reason, "A2": reason}
