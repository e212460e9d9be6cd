"""Reasons as they are stored, in English, for people who read Chinese. What is not listed is shown as it is."""

from __future__ import annotations

import re

from engage.core.outcome import Failure
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
    "the channel is at its limit for this minute": "渠道已到这一分钟的上限",
    "much is due at once: one after the other": "一下子到期的太多，逐条放出",
    "was due before the database was restored, and may have been sent then": "数据库恢复前就该发，可能已经发过",
    "has entered this journey too often today: journeys may be bringing members to each other in circles": (
        "今天进入这个旅程的次数太多：可能有旅程在互相循环拉人"
    ),
    "starts of this topic need approval": "这个主题的群发需要批准",
    "it was changed while it was being let go": "放行期间又被改动",
    "the start was not approved": "没有获得批准",
    "letting them in has failed; the log says why": "放行时出错；原因见日志",
    "the journey takes nobody new any more": "旅程不再接收新人",
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
    "the moment to wait for is past": "要等的时间已过",
    "only service messages are sent again": "只有服务类消息会重发",
    "no outcome was recorded in time: the process ended, or the clock jumped": "结果没及时记录：进程结束或时钟跳变",
    "the way it was worded for is no longer the best": "原先选定的发送方式不再合适",
    "an earlier attempt is ambiguous: it may have arrived": "之前一次结果不明，可能已送达",
    "another hop of the same message goes out now": "同一条消息正从另一个渠道发出",
    "the applied journey has no such step any more": "生效的旅程已没有这个步骤",
    "the member has refused": "会员已拒收",
    "the member can no longer be reached as before": "已不能按原来的方式联系会员",
    "the time for words has passed": "留言时间已过",
    "the provider would no longer know it for the same message": "服务商已认不出是同一条消息",
    "once more, under the same key": "以同一个键重发",
    "not a phone number": "不是手机号",
    "not an address that mail can be sent to": "不是可以收信的地址",
    "this template has no sms_template, and the provider takes approved templates only": (
        "模板没有 sms_template，而服务商只接受已审核的模板"
    ),
    "not sent": "没有发出",
    "the base URL redirects elsewhere": "接口地址被转到别处",
    "the provider refuses these credentials": "服务商不接受这组凭证",
    "the mail server refuses the login": "邮件服务器拒绝登录",
    "the mail server's certificate is not trusted": "邮件服务器的证书不可信",
    "the webhook's url is not a web address": "webhook 的网址写得不对",
    "already in this journey": "已在这个旅程中",
    "has been in this journey, and it takes nobody twice": "参加过，且每人只能参加一次",
    "was in this journey too recently": "距上次参加时间太短",
    "audience or exclude does not let them in": "不符合受众或在排除范围内",
    "config.yaml has no webhook of this name": "config.yaml 里没有这个 webhook",
    "its run no longer waits for it": "旅程已不再等它",
    "the url must begin with https://": "网址必须以 https:// 开头",
    "the url is not a web address": "网址写得不对",
    "the host has no address": "找不到这个主机",
    "the host is a private address; for the intranet write allow_private: yes in config.yaml": (
        "主机是内网地址；如果确实在内网，请在 config.yaml 里写 allow_private: yes"
    ),
}
_PARTS = (
    (re.compile(r"^template has no (\S+) version$"), r"模板没有 \1 版本"),
    (re.compile(r"^no consent on file for (\S+) on (\S+)$"), r"没有 \1 在 \2 上的授权"),
    (re.compile(r"^refused (\S+) on (\S+)$"), r"已拒收 \2 上的 \1"),
    (re.compile(r"^suppressed: (.*)$"), r"在禁发名单中：\1"),
    (re.compile(r"^frequency cap: (\d+) in (\S+), (\d+) allowed$"), r"频次上限：\2 内已发 \1 条，最多 \3 条"),
    (re.compile(r"^stopped by a last limit: "), "被最后一道限制拦下："),
    (re.compile(r"(\d+) to this address in (\S+)$"), r"\2 内已发给这个地址 \1 条"),
    (re.compile(r"(\d+) with the same words to this address in (\S+)$"), r"\2 内同样的内容已发给这个地址 \1 次"),
    (
        re.compile(r"this is no production, and the address is not one of test_recipients$"),
        "这不是生产环境，且地址不在 test_recipients 里",
    ),
    (re.compile(r"^(\d+) of (\d+) members at once, (\S+) % allowed$"), r"一次 \1 人，共 \2 人，上限 \3%"),
    (re.compile(r"^(\d+) members at once, (\d+) allowed$"), r"一次 \1 人，上限 \2 人"),
    (re.compile(r"^by stages: (.*)$"), r"分批放行：\1"),
    (re.compile(r"^(\d+) members by now, (\d+) were approved$"), r"现在有 \1 人，批准时是 \2 人"),
    (re.compile(r"^failed: (\d+) of (\d+), (\S+) % allowed$"), r"失败 \1/\2，上限 \3%"),
    (re.compile(r"^unsubscribed: (\d+) of (\d+), (\S+) % allowed$"), r"退订 \1/\2，上限 \3%"),
    (re.compile(r"^complained: (\d+) of (\d+), (\S+) % allowed$"), r"投诉 \1/\2，上限 \3%"),
    (re.compile(r"^refused by (.*)$"), r"被 \1 拒绝"),
    (re.compile(r"^it is a copy made at (.*)$"), r"这是 \1 做的备份"),
    (
        re.compile(r"^it stands at (.*?); this machine has seen it at (.*)$"),
        r"数据停在 \1，而这台机器见过它 \2 时的样子",
    ),
    (
        re.compile(r"^it stands at (.*?), and nothing beside it says that this is the latest$"),
        r"数据停在 \1，旁边没有文件能证明这是最新的",
    ),
    (re.compile(r"^it stands at (.*?), and was on another server then$"), r"数据停在 \1，当时在另一台服务器上"),
    (
        re.compile(r"^it stands at (.*?), and its server has begun another history since$"),
        r"数据停在 \1，之后服务器的历史已另起一支",
    ),
    (re.compile(r"^no (\w+) on file$"), r"没有 \1 的记录"),
    (re.compile(r"^nothing to print for (.*)$"), r"缺少内容：\1"),
    (re.compile(r"^a fault of Engage's own: (.*)$"), r"Engage 自身出错：\1"),
    (re.compile(r"^could not be worded for (\S+): "), r"无法写成 \1 消息："),
    (re.compile(r"^refused on repeat: "), "重发被拒："),
    (re.compile(r"^window closed \((.*)\)$"), r"回复窗口已关闭（\1）"),
    (re.compile(r"\bwebhook (\S+) failed$"), r"调用 \1 失败"),
    (re.compile(r"^no answer \((\w+)\)$"), r"没有应答（\1）"),
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


# How a provider's refusal begins: “unreachable (45015) …”.
FAILURES = {
    Failure.INVALID_ADDRESS: "地址无效",
    Failure.UNREACHABLE: "暂时无法送达",
    Failure.WINDOW_CLOSED: "回复窗口已关闭",
    Failure.THROTTLED: "发送过快，稍后再试",
    Failure.NOT_NOW: "对方暂时不收，稍后再试",
    Failure.QUOTA: "配额已用完",
    Failure.OPTED_OUT: "对方已退订",
    Failure.QUIET_HOURS: "服务商的免打扰时段",
    Failure.CONTENT: "内容被拒",
    Failure.CONFIGURATION: "配置有误",
    Failure.PROVIDER_ERROR: "服务商出错",
}
_REFUSED = re.compile(rf"^({'|'.join(FAILURES)})(?= \()")


def reason_in(reason: str, lang: Lang) -> str:
    if lang is Lang.EN:
        return reason
    if reason in _WHOLE:
        return _WHOLE[reason]
    for pattern, chinese in _PARTS:
        reason = pattern.sub(chinese, reason)
    return _REFUSED.sub(lambda found: FAILURES[Failure(found[1])], reason)
