"""How a choice among channels reads: ✓ or ✗, the channel, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen

_NAME_WIDTH = 8


def channel_lines(screen: Screen, trace: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    """✓ wechat  客服消息 (…); engagement 30%, cost ¥0.000, score 30.0"""
    for line in trace:
        is_open = bool(line.get("open"))
        mark = "✓" if is_open else "✗"
        why = reason_in(str(line.get("why", "")), screen.lang)
        numbers = _numbers(screen, line) if is_open else ""
        text = Text(f"{mark} {line.get('channel', ''):<{_NAME_WIDTH}}", "green" if is_open else "red")
        between = screen.word("; ", "；") if why and numbers else ""
        yield text.append(f"{why}{between}{numbers}", "default" if is_open else "dim")


def _numbers(screen: Screen, line: Mapping[str, Any]) -> str:
    parts = []
    if "engagement" in line:
        parts.append(screen.word(f"engagement {line['engagement']}", f"预计回应率 {line['engagement']}"))
    if "price" in line:
        price = f"¥{float(line['price']):.3f}"
        parts.append(screen.word(f"cost {price}", f"成本 {price}"))
    if "score" in line:
        parts.append(screen.word(f"score {line['score']}", f"得分 {line['score']}"))
    if "preference" in line:
        parts.append(screen.word(f"preference #{line['preference']}", f"顺位 {line['preference']}"))
    return screen.word(", ", "，").join(parts)
