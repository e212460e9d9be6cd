"""Reasons as they are stored, in English, for people who read Chinese. What is not listed is shown as it is."""

from __future__ import annotations

import re

from engage.core.problem import Lang

_WHOLE = {
    "no address on file": "没有联系方式",
    "hard bounce": "地址永久退信",
    "address is invalid": "地址无效",
    "unreachable": "暂时无法送达",
    "unfollowed": "已取消关注",
    "provider is out of order": "服务商暂时不可用",
    "already tried": "已经试过",
    "channel is paused": "渠道已暂停",
    "paused": "已暂停",
    "outside sending hours": "不在可发送时段",
    "the channel is busy": "渠道繁忙",
    "late: its time has passed": "已过时效",
    "no channel can be used": "没有可用的渠道",
    "no channel left to fall back to": "没有其他渠道可换",
    "only_if does not hold any more": "only_if 条件已不成立",
    "only_if does not hold": "only_if 条件不成立",
    "the member has responded": "会员已有回应",
    "it was delivered": "已送达",
    "the run has ended": "旅程已结束",
    "the run ended: end": "旅程已走完",
    "the run ended: goal": "旅程已达成目标",
    "the run ends: goal": "旅程已达成目标",
    "the question is closed": "提问已结束",
    "overtaken by the next message": "已有下一条消息",
    "not called in time": "未能及时发出",
    "no answer": "没有答复",
    "no reply window is open": "没有可回复的窗口",
    "the moment to wait for is past or not on file": "要等的时间已过，或没有记录",
    "the process ended before the outcome was recorded": "进程在记录结果前结束",
    "the channel it was worded for is no longer the best": "原先选定的渠道不再合适",
    "already in this journey": "已在这个旅程中",
    "has been in this journey, and it takes nobody twice": "参加过，且每人只能参加一次",
    "was in this journey too recently": "距上次参加时间太短",
    "audience or exclude does not let them in": "不符合受众或在排除范围内",
}
_PARTS = (
    (re.compile(r"^template has no (\S+) version$"), r"模板没有 \1 版本"),
    (re.compile(r"^no consent on file for (\S+) on (\S+)$"), r"没有 \1 在 \2 上的授权"),
    (re.compile(r"^refused (\S+) on (\S+)$"), r"已拒收 \2 上的 \1"),
    (re.compile(r"^suppressed: (.*)$"), r"在禁发名单中：\1"),
    (re.compile(r"^frequency cap: (\d+) in (\S+), (\d+) allowed$"), r"频次上限：\2 内已发 \1 条，最多 \3 条"),
    (re.compile(r"^nothing to print for (.*)$"), r"缺少内容：\1"),
    (re.compile(r"^the run (?:ended|ends): (.*)$"), r"旅程已结束：\1"),
    (re.compile(r"(48h|1m) reply window closed (\S+) ago"), r"\1 回复窗口已于 \2 前关闭"),
    (re.compile(r"the reply window's (\d+) messages are used up"), r"回复窗口的 \1 条已用完"),
    (re.compile(r"no reply window is open"), "没有可回复的窗口"),
    (re.compile(r"; marketing may not use template messages"), "；营销内容不能用模板消息"),
    (re.compile(r"; this template has no template_message"), "；模板没有 template_message"),
    (re.compile(r"(wrote to us|tapped the menu|followed us|scanned our code) (just now|\S+ ago)"), r"\2\1"),
    (re.compile(r"just now"), "刚刚"),
    (re.compile(r"(\d\S*) ago"), r"\1 前"),
    (re.compile(r"wrote to us"), "来过消息"),
    (re.compile(r"tapped the menu"), "点过菜单"),
    (re.compile(r"followed us"), "关注"),
    (re.compile(r"scanned our code"), "扫码"),
    (re.compile(r", (\d+)/(\d+) left"), r"，还可发 \1/\2 条"),
)


def reason_in(reason: str, lang: Lang) -> str:
    if lang is Lang.EN:
        return reason
    if reason in _WHOLE:
        return _WHOLE[reason]
    for pattern, chinese in _PARTS:
        reason = pattern.sub(chinese, reason)
    return reason
