"""Mistakes of the way: shares that do not add up, loops that never rest, steps nobody comes to (codes E322 to E330).

`mistakes` holds the mistakes of form, `misfits` those of meaning.
"""

from __future__ import annotations

from engage.core.problem import Mark, Problem, Said, Span


def shares_do_not_add(span: Span, total: int) -> Problem:
    off = abs(100 - total)
    missing = Said(f"{off}% are missing", f"还差 {off}%")
    too_many = Said(f"{off}% are too many", f"多了 {off}%")
    return Problem(
        "E322",
        span,
        Said(f"these shares add to {total}%", f"这些比例加起来是 {total}%"),
        label=missing if total < 100 else too_many,
        help=(Said("the shares of all ways make 100% together", "各路的比例加起来要正好是 100%"),),
    )


def winner_without_goal(span: Span) -> Problem:
    return Problem(
        "E323",
        span,
        Said("the winner is chosen by the goal, and this journey has none", "按目标选优，但这个旅程没有写目标"),
        help=(
            Said(
                "add `goal: { event: … }`, or choose by `clicked` or `replied`",
                "请加上 `goal: { event: … }`，或者改成按 `clicked` 或 `replied` 选优",
            ),
        ),
    )


def backward_without_bound(span: Span, target: str, to: Span) -> Problem:
    return Problem(
        "E324",
        span,
        Said(f"going back to `{target}` has no bound", f"回到 `{target}` 没有次数限制"),
        label=Said("needs `at_most:`", "需要 `at_most:`"),
        marks=(Mark(to, Said("this step would come again and again", "这一步会一再重复")),),
        help=(
            Said(
                "say how often a member goes back at most, e.g. `at_most: 1`",
                "请写明每位客户最多回去几次，例如 `at_most: 1`",
            ),
        ),
    )


def loop_without_wait(span: Span, target: str, to: Span) -> Problem:
    return Problem(
        "E325",
        span,
        Said(
            f"from `{target}` a customer can come back here without waiting for anything",
            f"从 `{target}` 回到这里，中间可能不作任何等待",
        ),
        marks=(Mark(to, Said("the loop begins here", "循环从这里开始")),),
        help=(
            Said(
                "what lies in between would happen again at once: put a `wait`, `wait_for` or `ask` on every way",
                "中间的步骤会立刻重复发生：请在每一条回路上加 `wait`、`wait_for` 或 `ask`",
            ),
        ),
    )


def unreachable(span: Span, after: Span) -> Problem:
    return Problem(
        "E330",
        span,
        Said("no customer ever gets here", "没有客户会走到这里"),
        marks=(Mark(after, Said("everyone has left by here", "所有人到这里都已离开")),),
        help=(
            Said(
                "remove the steps below it, or the `exit` or `goto` above",
                "请删掉后面的步骤，或者删掉前面的 `exit` 或 `goto`",
            ),
        ),
    )
