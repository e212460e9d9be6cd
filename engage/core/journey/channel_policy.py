"""`channels`: which channels a message may use, in which order, and when the next one is tried."""

from __future__ import annotations

import re
from dataclasses import replace

from engage.core.journey import misfits, mistakes, scalars
from engage.core.journey.model import ChannelPolicy, Fallback, Unless
from engage.core.journey.nodes import Node, Scalar, Table
from engage.core.journey.options import Options
from engage.core.journey.vocabulary import CHANNELS
from engage.core.problem import Mend, Problem, Said, Severity

_PLACE = Said("`channels`", "`channels` 里")
_WANTED = Said("`auto`, a list of channels, or { try, fallback }", " `auto`、一列渠道，或 { try, fallback }")


def read_channels(node: Node, problems: list[Problem]) -> ChannelPolicy | None:
    if not isinstance(node, Table):
        found = _order(node, problems)
        return None if found is None else ChannelPolicy(found or None)
    options = Options(node, ("try", "fallback"), _PLACE, problems)
    order, fallback = options.read("try", _order), options.read("fallback", _fallback)
    if fallback is not None and order is not None and len(order) == 1:
        said = Said(f"there is no channel after `{order[0]}` to fall back to", f"`{order[0]}` 之后没有别的渠道可换")
        help = Said(
            "list another channel, write `try: auto`, or leave `fallback` out",
            "请再写一个渠道，或写 `try: auto`，或去掉 `fallback`",
        )
        told = mistakes.contradiction(options.key_span("fallback"), said, help)
        problems.append(replace(told, severity=Severity.WARNING))
    return ChannelPolicy(order or None, fallback)


def _order(node: Node, problems: list[Problem]) -> tuple[str, ...] | None:
    """Empty: `auto`. None: unreadable."""
    if isinstance(node, Scalar):
        if node.text == "auto":
            return ()
        named = [word for word in re.split(r"[\s,，、]+", node.text) if word]
        listed = f"[{', '.join(named)}]"
        help = Said(f"write {listed}", f"请写 {listed}") if set(named) <= set(CHANNELS) else None
        mend = Mend(node.span, listed) if help else None
        problems.append(mistakes.wrong_shape(node.span, mistakes.word("channels"), _WANTED, help, mend))
        return None
    found = scalars.scalars(node, mistakes.word("channels"), _WANTED, problems)
    if found is None:
        return None
    order: list[str] = []
    for item in found:
        if item.text not in CHANNELS:
            problems.append(misfits.unknown("channel", item.span, item.text, CHANNELS))
        elif item.text in order:
            said = Said(f"`{item.text}` is listed twice", f"`{item.text}` 列了两次")
            help = Said("each channel is tried once", "每个渠道只会尝试一次")
            problems.append(mistakes.contradiction(item.span, said, help))
        else:
            order.append(item.text)
    return tuple(order) if order else None


def _fallback(node: Node, problems: list[Problem]) -> Fallback | None:
    if isinstance(node, Scalar):
        after = scalars.duration(node, problems)
        return Fallback(after) if after else None
    if not isinstance(node, Table):
        wanted = Said("a duration, or { after, unless }", "一个时长，或 { after, unless }")
        problems.append(mistakes.wrong_shape(node.span, mistakes.word("fallback"), wanted))
        return None
    options = Options(node, ("after", "unless"), Said("`fallback`", "`fallback` 里"), problems)
    options.require("after", node.span)
    after = options.read("after", scalars.duration)
    unless = options.read("unless", _unless) or Unless.RESPONDED
    return Fallback(after, unless) if after else None


def _unless(node: Node, problems: list[Problem]) -> Unless | None:
    if isinstance(node, Scalar) and node.text == "read":
        said = Said("`unless: read` cannot be known", "无法得知 `unless: read`")
        help = Said(
            "WeChat and SMS do not report reads: write responded (clicked, replied or answered) or delivered",
            "微信和短信不会告知是否已读：请写 responded（点击、回复或回答）或 delivered（已送达）",
        )
        problems.append(mistakes.contradiction(node.span, said, help))
        return None
    return scalars.choice(node, Unless, Said("a value of `unless`", "`unless` 的值"), problems)
