"""The words of a chain: one sentence for each moment `engage trace` tells of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from engage.cli.reasons import reason_in
from engage.cli.screen import Screen
from engage.cli.who import masked
from engage.content.values import show_masked
from engage.core.problem import Said
from engage.runtime.insight.tracing import Link

# By `Link.what`; {…} are its facts. What is not on file leaves its part of the sentence out: see `link_words`.
LINKS: Mapping[str, Said] = {
    "received": Said("inbound:{id} came from {source}| as {key}", "收到 inbound:{id}，来自 {source}|，标识 {key}"),
    "read": Said("it was read: {status}|, {error}", "读取：{status}|，{error}"),
    "fact": Said("it says {fact}| {rest}", "内容：{fact}| {rest}"),
    "unreadable": Said("it cannot be read: {error}", "无法读取：{error}"),
    "event": Said(
        "event:{id} {name}| of {at}| {payload}| on delivery:{delivery_id}| from inbound:{inbound_id}",
        "事件 event:{id} {name}|，发生于 {at}| {payload}|，针对 delivery:{delivery_id}|，来自 inbound:{inbound_id}",
    ),
    "run": Said(
        "run:{id} through {journey_id} v{version} began| with {occurrence}| ({status})",
        "run:{id} 进入 {journey_id} v{version}|，起因 {occurrence}|（{status}）",
    ),
    "decided": Said(
        "run:{enrolment_id} {what}| at {step_id}| {detail}", "run:{enrolment_id} {what}|，在 {step_id}| {detail}"
    ),
    "queued": Said(
        "delivery:{id} queued: {purpose} {template}|, hop {hop}| for {journey_id}| › {step_id}| (now {status})",
        "delivery:{id} 排队：{purpose} {template}|，第 {hop} 次换渠道|，{journey_id}| › {step_id}|（现为 {status}）",
    ),
    "claimed": Said(
        "claimed, fence {fence}|; put back before: {held_back}", "领取，fence {fence}|；此前推迟：{held_back}"
    ),
    "intended": Said(
        "the intent is committed: attempt {attempts}| via {channel}| ({mode})| to {address}|, bytes {payload_hash}",
        "提交发送意图：第 {attempts} 次|，经 {channel}|（{mode}）|，发往 {address}|，字节 {payload_hash}",
    ),
    "called": Said("the provider of {channel} is called", "调用 {channel} 的服务商"),
    "recorded": Said(
        "the outcome is recorded: {status}| as {provider_id}| ({code})|: {reason}|; again at {due_at}",
        "记录结果：{status}|，服务商编号 {provider_id}|（{code}）|：{reason}|；再看 {due_at}",
    ),
    "stands": Said(
        "it stands at {status}|: {reason}|; next looked at {due_at}", "现状：{status}|：{reason}|；下次 {due_at}"
    ),
    "arrival": Said("by the provider's receipt: {arrival}| ({code})", "服务商回执：{arrival}|（{code}）"),
    "other_hop": Said(
        "delivery:{delivery} is the same message|, hop {hop}| via {channel}|: {status}",
        "delivery:{delivery} 是同一条消息|，第 {hop} 次换渠道|，经 {channel}|：{status}",
    ),
    "answer": Said(
        "answer to {step_id}:| {score}| {choice}| “{comment}”", "作答 {step_id}：| {score}| {choice}| “{comment}”"
    ),
    "task": Said(
        "task:{id} for {team}|: {words}|, due {due_at}", "任务 task:{id}，交给 {team}|：{words}|，期限 {due_at}"
    ),
    "notice": Said(
        "{team} is told: {status}|, {attempts} attempts|, {reason}",
        "通知 {team}：{status}|，尝试 {attempts} 次|，{reason}",
    ),
    "task_closed": Said(
        "task:{id} is closed| by {closed_by}|: {outcome}", "任务 task:{id} 完成|，{closed_by}|：{outcome}"
    ),
}
_ADDRESSES = frozenset({"address"})
_HASH_SHOWN = 12
_MOST = 100  # characters of one fact
_NO_TEAM = Said("a person", "人工处理")


def link_words(screen: Screen, link: Link, zone: ZoneInfo) -> str:
    """A part of the sentence (between bars) whose fact is not on file is left out."""
    facts = {name: _fact(screen, name, value, zone) for name, value in _facts(link).items()}
    if link.what == "task" and facts.get("team") is None:
        facts["team"] = _NO_TEAM.in_(screen.lang)
    said = ""
    for part in LINKS[link.what].in_(screen.lang).split("|"):
        try:
            said += part.format(**{name: value for name, value in facts.items() if value is not None})
        except KeyError:
            continue
    return said


def _facts(link: Link) -> Mapping[str, Any]:
    """Of a fact that was read, all that it says in one piece."""
    if link.what != "fact":
        return link.facts
    told = {name: value for name, value in link.facts.items() if name != "fact" and value not in (None, "", (), {})}
    return {"fact": link.facts["fact"], "rest": told}


def _fact(screen: Screen, name: str, value: Any, zone: ZoneInfo) -> str | None:
    match value:
        case None:
            return None
        case str() | dict() | list() | tuple() if not value:
            return None
        case 0 if name == "hop":
            return None
        case datetime():
            return stamp(value, zone)
        case dict() | list() | tuple():
            return _cut(json.dumps(_masked(value), ensure_ascii=False, default=_plain))
        case str() if name == "payload_hash":
            return value[:_HASH_SHOWN]
        case str() if name in _ADDRESSES:
            return masked(value)
        case str() if name in ("reason", "held_back"):
            return reason_in(value, screen.lang)
        case _:
            return _cut(str(value))


def _masked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    hidden = {"address", "addresses"}
    return {name: show_masked(str(inner)) if name in hidden else inner for name, inner in value.items()}


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"


def stamp(moment: datetime, zone: ZoneInfo) -> str:
    """To the millisecond: what follows what is the question."""
    local = moment.astimezone(zone)
    return f"{local:%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"
