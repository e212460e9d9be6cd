"""Mistakes after which nobody enters, stays, or gets anything, though every line may be right by itself."""

from __future__ import annotations

from engage.core.problem import Problem, Said, Severity, Span


def nobody_meets(span: Span) -> Problem:
    return Problem(
        "E340",
        span,
        Said("no member can meet all of this", "没有会员能同时满足这些条件"),
        help=(
            Said(
                "two of the lines exclude each other; `any: [ … ]` asks for one of them",
                "其中有两行互相排斥；如果满足一个就行，请写 `any: [ … ]`",
            ),
        ),
    )


def everyone_excluded(span: Span) -> Problem:
    return Problem(
        "E340",
        span,
        Said("this excludes everyone the audience lets in", "这里排除了受众里的所有人"),
        help=(Said("exclude only some of them, or change the audience", "请只排除其中一部分，或者修改受众"),),
    )


def everyone_leaves_at_once(span: Span) -> Problem:
    return Problem(
        "E340",
        span,
        Said("everyone the audience lets in leaves at once", "受众里的所有人一进来就会退出"),
        help=(Said("say what changes while they are in the journey", "请写进入旅程之后才会发生的变化"),),
    )


def nobody_is_written_to(span: Span) -> Problem:
    return Problem(
        "E219",
        span,
        Said("with everyone held out, nobody gets anything", "所有人都在对照组里，就没有人会收到消息"),
        help=(Said("usual is 5% to 20%, e.g. 10%", "一般是 5% 到 20%，例如 10%"),),
    )


def enrols_itself(span: Span) -> Problem:
    return Problem(
        "E332",
        span,
        Said("a journey cannot enrol its own members: they are still in it", "旅程不能带入自己的会员：他们还在旅程里"),
        help=(
            Said(
                "remove the step; to go back to an earlier one, use `goto`",
                "请删掉这一步；要回到前面的步骤，请用 `goto`",
            ),
        ),
    )


def enrols_in_a_draft(span: Span, journey: str) -> Problem:
    return Problem(
        "E333",
        span,
        Said(f"`{journey}` is a draft: it takes nobody", f"`{journey}` 还是草稿，不会接收任何人"),
        help=(
            Said(
                "finish the draft first, or mark this journey `draft: yes` too",
                "请先完成草稿，或者把这个旅程也标为 `draft: yes`",
            ),
        ),
        severity=Severity.WARNING,
    )
