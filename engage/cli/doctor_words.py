"""What an examination found, in words, and what to do about it. One line for each kind of finding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from engage.cli.misfits_shown import missing_webhook
from engage.cli.reasons import reason_in
from engage.cli.screen import counted
from engage.core.outcome import Failure
from engage.core.problem import Lang, Said
from engage.ops.examination import Finding

Facts = Mapping[str, Any]


def in_words(finding: Finding) -> Said:
    return _WORDS[finding.kind](finding.facts)


def known_kinds() -> frozenset[str]:
    return frozenset(_WORDS)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names)


def _size(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"


_QUEUES: dict[str, Said] = {
    "runs": Said("members' runs", "会员的旅程"),
    "messages": Said("messages", "待发消息"),
    "inbound": Said("callbacks that came in", "收到的回调"),
    "events": Said("events", "事件"),
    "calls": Said("webhook calls", "webhook 调用"),
    "notices": Said("notices to staff", "给员工的通知"),
}

# What to do about a provider's refusal: by its own code where that says more, else by its kind.
_BY_CODE: dict[str, Said] = {
    "40164": Said(
        "put this machine's address on the account's IP whitelist (公众平台 → 设置与开发 → IP 白名单)",
        "请把本机 IP 加入公众平台的 IP 白名单（设置与开发 → 基本配置）",
    ),
    "40013": Said("channels.wechat.app_id is wrong", "channels.wechat.app_id 不对"),
    "40125": Said("channels.wechat.app_secret is wrong", "channels.wechat.app_secret 不对"),
    "40243": Said("the AppSecret is frozen; thaw it in the platform", "AppSecret 已冻结，请在公众平台解冻"),
    "isv.DENY_IP_RANGE": Said("put this machine's address on Aliyun's list", "请在阿里云放行本机 IP"),
}
_BY_FAILURE: dict[str, Said] = {
    Failure.CONFIGURATION: Said(
        "look at the keys in config.yaml and at the account's balance", "请检查 config.yaml 里的密钥和账户余额"
    ),
    Failure.QUOTA: Said("the day's quota is used up; it goes on by itself tomorrow", "当天额度已用完，明天会自动继续"),
    Failure.NOT_NOW: Said("it puts off some messages; they go out later by themselves", "有些消息暂缓，稍后会自动发出"),
    Failure.THROTTLED: Said("it is slowed down; it goes on by itself", "被限流，会自动继续"),
    Failure.PROVIDER_ERROR: Said(
        "look at the address in config.yaml, the network, and the provider's own status page",
        "请检查 config.yaml 里的地址、网络，以及服务商的状态公告",
    ),
}


def _refusal(facts: Facts) -> Said:
    channel, code, detail = facts["channel"], facts["code"], facts["detail"]
    said = f"{code}: {detail}" if detail else str(code)
    todo = _BY_CODE.get(code) or _BY_FAILURE.get(facts["failure"]) or _BY_FAILURE[Failure.CONFIGURATION]
    return Said(f"{channel} cannot be used ({said}): {todo.en}", f"{channel} 用不了（{said}）：{todo.zh}")


def _stalled(facts: Facts) -> Said:
    what, since = _QUEUES[facts["queue"]], _at(facts["since"])
    return Said(
        f"Stalled: {what.en} have been due since {since}. Is a daemon running, and what does its log say?",
        f"停滞：{what.zh}自 {since} 起到期未处理。引擎在运行吗？日志里有什么错误？",
    )


def _webhook(facts: Facts, lang: Lang) -> str:
    return reason_in(facts["reason"] or "", lang)


def _clock(facts: Facts) -> Said:
    seconds, whose = facts["seconds"], facts["whose"]
    ahead, zh = ("ahead of", "快") if seconds > 0 else ("behind", "慢")
    return Said(
        f"This machine's clock is {abs(seconds)} s {ahead} that of {whose}. Keep it by NTP: `timedatectl`.",
        f"本机时钟比 {whose} {zh} {abs(seconds)} 秒。请用 NTP 校时：`timedatectl`。",
    )


_WORDS: dict[str, Callable[[Facts], Said]] = {
    "database_missing": lambda f: Said(
        f"There is no database at {f['file']} yet; `engage apply` makes it.",
        f"数据库 {f['file']} 还不存在；先运行 `engage apply`。",
    ),
    "database_answers": lambda f: Said("The database answers.", "数据库正常。"),
    "database_away": lambda f: Said(
        "The database does not answer. Daemons wait, and go on by themselves when it is back; callbacks are refused "
        "meanwhile, and sent again by their providers. Look at the server, the network, and database.url.",
        "数据库没有响应。引擎会等待，恢复后自动继续；期间的回调会被拒绝，由服务商重发。请检查数据库服务、网络和 "
        "database.url。",
    ),
    "database_unfit": lambda f: Said(f"The database cannot be used: {f['why']}.", f"数据库不能使用：{f['why']}。"),
    "nothing_applied": lambda f: Said(f"Nothing runs: {f['why']}.", f"没有可运行的旅程：{f['why']}。"),
    "applied": lambda f: Said(f"Applied: {counted(f['journeys'], 'journey')}.", f"已生效 {f['journeys']} 个旅程。"),
    "webhook_missing": lambda f: missing_webhook(f["webhook"], f["journeys"]),
    "forgotten": lambda f: Said(f"{f['en']}.", f"{f['zh']}。"),
    "daemon_lost": lambda f: Said(
        f"A daemon has gone without a word: {f['daemon']}, last heard of {_at(f['heard_of_at'])}.",
        f"有引擎没有正常结束：{f['daemon']}，最后一次报到 {_at(f['heard_of_at'])}。",
    ),
    "loops_stuck": lambda f: Said(
        f"The daemon {f['daemon']} is stuck in: {_listed(f['loops'])}. Keep its log, and start it anew.",
        f"引擎 {f['daemon']} 卡在：{_listed(f['loops'])}。请保留日志并重启它。",
    ),
    "daemons_alive": lambda f: Said(
        f"Daemons at work: {_listed(f['daemons'])}.", f"正在运行的引擎：{_listed(f['daemons'])}。"
    ),
    "daemon_silent": lambda f: Said(
        f"The daemon {f['daemon']} runs, but has not been heard of for a while: it is starting, stuck, or "
        "cannot write to the database. See its log.",
        f"引擎 {f['daemon']} 在运行，但已有一会儿没有报到：刚启动、卡住了，或写不了数据库。请看它的日志。",
    ),
    "daemon_none": lambda f: Said("No daemon runs; `engage run` starts one.", "引擎没有运行；用 `engage run` 启动。"),
    "stalled": _stalled,
    "leases_stuck": lambda f: Said(
        f"Held by a process that is gone: {counted(f['messages'], 'message')}. Nobody takes over; is a daemon running?",
        f"有 {f['messages']} 条消息被已结束的进程占着，没有人接手。引擎在运行吗？",
    ),
    "nothing_stalled": lambda f: Said("Nothing that is due waits.", "到期的都已处理。"),
    "ambiguous": lambda f: Said(
        f"Ambiguous: {counted(f['messages'], 'message')}, of the last hour {f['in_the_last_hour']}. Whether anything "
        "arrived is not known, and nothing is sent again. Receipts may still tell; `engage export deliveries` lists "
        "them.",
        f"有 {f['messages']} 条消息结果不明（最近一小时 {f['in_the_last_hour']} 条）：是否送达不清楚，也不会重发。"
        "可能稍后有回执；`engage export deliveries` 可以列出。",
    ),
    "unreadable": lambda f: Said(
        f"Came in and could not be read: {counted(f['records'], 'record')}; `engage trace inbound:ID` shows one. "
        "Once the cause is mended, `engage reread` has them read again.",
        f"有 {f['records']} 条来信无法读取；`engage trace inbound:编号` 可以查看。"
        "原因排除后，用 `engage reread` 重新读取。",
    ),
    "paused": lambda f: Said(
        f"Paused since {_at(f['since'])}: {f['scope']} {f['reason']}".rstrip() + ". `engage resume` goes on.",
        f"自 {_at(f['since'])} 暂停：{f['scope']} {f['reason']}".rstrip() + "。用 `engage resume` 恢复。",
    ),
    "stopped": lambda f: Said(
        f"Stopped on {f['channel']} by a last limit ({f['limit']}) in 24 h: {counted(f['messages'], 'message')}. "
        "Something may be wrong with a journey; the log has which.",
        f"24 小时内 {f['channel']} 有 {f['messages']} 条消息被最后一道限制（{f['limit']}）拦下：可能有旅程写错了，"
        "日志里有明细。",
    ),
    "tired": lambda f: Said(
        f"{f['runs']} times in 24 h a run of {f['journey']} had walked all the steps of a day, and rests until the "
        "next: it goes round and round. Look at its `goto`; `policy.limits.steps_per_day` is the limit.",
        f"24 小时内 {f['journey']} 有 {f['runs']} 次走满了一天的步数，休息到第二天：它在原地打转。请检查它的 `goto`；"
        "上限是 `policy.limits.steps_per_day`。",
    ),
    "set_aside": lambda f: Said(
        f"Left out in 24 h by the loop {f['loop']}, since it failed over each of them alone: {f['count']:,} times. The "
        "others went on. `set_aside` and `left_alone` in the log have the ids and the reasons.",
        f"24 小时内循环 {f['loop']} 搁置了 {f['count']:,} 次：单独处理也出错；其余照常进行。"
        "日志里的 `set_aside` 和 `left_alone` 有编号和原因。",
    ),
    "held": lambda f: Said(
        f"A start of {f['journey']} waits for an approval ({counted(f['members'], 'member')}): "
        f"`engage approve {f['hold']}`.",
        f"{f['journey']} 的一次启动在等待批准（{f['members']} 位会员）：`engage approve {f['hold']}`。",
    ),
    "staged": lambda f: Said(
        f"A start of {f['journey']} goes by stages: {f['percent']} % of {counted(f['members'], 'member')} so far "
        f"({f['hold']}).",
        f"{f['journey']} 的一次启动在分批放行：{f['members']} 位会员中已放行 {f['percent']} %（{f['hold']}）。",
    ),
    "restored": lambda f: Said(
        f"This database was brought back from a copy ({f['reason']}), and nothing is sent. `engage resume --restored` "
        "shows what is at stake.",
        f"这个数据库是从备份恢复的（{f['reason']}），目前不发送任何消息。`engage resume --restored` 会说明影响。",
    ),
    "channel_rests": lambda f: Said(
        f"{f['channel']} rests until {_at(f['until'])}: its quota is used up, or its provider refuses everything.",
        f"{f['channel']} 停到 {_at(f['until'])}：额度用完，或服务商拒绝了所有请求。",
    ),
    "webhook_in_trouble": lambda f: Said(
        f"webhook {f['webhook']}: {counted(f['waiting'], 'call')} tried again, {f['failed']} given up in 7 days: "
        f"{_webhook(f, Lang.EN)}",
        f"webhook {f['webhook']}：{f['waiting']} 次调用在重试，7 天内放弃 {f['failed']} 次：{_webhook(f, Lang.ZH)}",
    ),
    "callbacks_seen": lambda f: Said(
        f"Callbacks from {f['source']}: the last one {_at(f['at'])}.",
        f"{f['source']} 的回调：最近一次 {_at(f['at'])}。",
    ),
    "callbacks_never": lambda f: Said(
        f"No callback from {f['source']} lately. If messages go out there, check the address entered at the provider.",
        f"近来没有收到 {f['source']} 的回调。如果那里有消息发出，请检查在服务商处填写的回调地址。",
    ),
    "months_missing": lambda f: Said(
        f"Not made, though it is time: {_listed(f['parts'])}. Something keeps housekeeping from it night after night, "
        "say a pg_dump at two o'clock (`housekeeping_waits` in the log). When that is over, `engage db housekeep` "
        "makes them.",
        f"早该建好的月份还没有建：{_listed(f['parts'])}。夜间整理一直被什么挡着，比如两点钟的 pg_dump（日志里的 "
        "`housekeeping_waits`）。等它结束后运行 `engage db housekeep` 就会建好。",
    ),
    "rows_strayed": lambda f: Said(
        f"Rows whose month was not made in time lie in {_listed(f['parts'])}. Nothing is lost. When `retention` is "
        "over, they go row by row, which takes longer than a month at once.",
        f"有些行所属的月份没有及时建好，它们在 {_listed(f['parts'])} 里。什么都没有丢；`retention` 到期后"
        "会逐行删除，比整月删除慢。",
    ),
    "clock_differs": _clock,
    "disk_low": lambda f: Said(
        f"Only {_size(f['free'])} are free on the disk of the database ({_size(f['database'])}). When it is full, "
        "nothing is taken in and nothing is sent.",
        f"数据库（{_size(f['database'])}）所在磁盘只剩 {_size(f['free'])}。写满之后既不能接收也不能发送。",
    ),
    "disk": lambda f: Said(
        f"The database takes {_size(f['database'])}; {_size(f['free'])} are free.",
        f"数据库占用 {_size(f['database'])}，磁盘剩余 {_size(f['free'])}。",
    ),
    "channel_answers": lambda f: Said(f"{f['channel']} answers.", f"{f['channel']} 可用。"),
    "channel_refuses": _refusal,
}
