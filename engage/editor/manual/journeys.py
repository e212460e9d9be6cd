"""The words at the top of a journey file: its keys, `start`, `exit_if`, `goal`, `channels`, and conditions."""

from __future__ import annotations

from engage.editor.manual.told import Manual, told

JOURNEY: Manual = {
    "journey": told("The title people read.", "给人看的标题。", "journey: 沉睡客户召回"),
    "owner": told("Whom to ask about it.", "有问题找谁。", "owner: 周敏"),
    "note": told("Why it exists.", "为什么有这个旅程。", "note: 下单就停。"),
    "draft": told(
        "`yes`: checked, but left out by `engage apply`.", "`yes`：会检查，但 `engage apply` 不会启用。", "draft: yes"
    ),
    "start": told("What brings a member in.", "什么会让会员进入。", "start: { event: member_created }"),
    "audience": told(
        "Who may enter: a condition, or `everyone`. Read once, at entry. Required with `every`.",
        "谁可以进入：一个条件，或 `everyone`。只在进入时看一次。`every` 必须写。",
        "audience: { lifecycle: [新客, 活跃], orders: 1.. }",
    ),
    "exclude": told(
        "Who stays out. Read at entry, also for those whom another journey enrols.",
        "谁不能进入。进入时看，从别的旅程带入时也看。",
        "exclude: { any: [ { complaints_30d: 1.. }, { tag: 补救中 } ] }",
    ),
    "per": told(
        "One run for each value of this key of the starting event: each order, each booking.",
        "开始事件的这个键每有一个值，就各走一遍：每张订单、每次预约。",
        "per: event.order_id",
    ),
    "reentry": told(
        "Whether members may come again: `never` (default), `always`, `after 90d`. Counted from entry.",
        "走完能否再进入：`never`（默认）、`always`、`after 90d`（从进入算起）。",
        "reentry: after 90d",
    ),
    "exit_if": told(
        "What ends the run early. Read before every step and again just before every send.",
        "什么会让旅程提前结束。每一步之前、每次发送之前都看。",
        "exit_if: { event: refund_completed }",
    ),
    "goal": told(
        "What counts as success; by default it also ends the run.",
        "什么算成功；默认达成后旅程就结束。",
        "goal: { event: order_paid, within: 14d }",
    ),
    "holdout": told(
        "A stable control group: measured, sent nothing.",
        "固定的对照组：只统计，不打扰。",
        "holdout: 10%",
    ),
    "canary": told(
        "`no`: a start that brings very many lets all of them go at once, not by stages.",
        "`no`：一次进来很多人时直接全部放行，不分批灰度。",
        "canary: no",
    ),
    "priority": told(
        "0–100, default 50: whose message wins where a frequency cap allows one.",
        "0–100，默认 50：频次上限只容一条时，谁的消息先发。",
        "priority: 60",
    ),
    "topic": told(
        "What its messages are about: decides consent, hours and caps. Default: marketing.",
        "消息的主题：决定授权、时段和频次。默认 marketing。",
        "topic: service",
    ),
    "channels": told(
        "Which channels, in which order. Default: `auto`.",
        "用哪些渠道、按什么顺序。默认 `auto`。",
        "channels: { try: auto, fallback: 2d }",
    ),
    "on_edit": told(
        "After an edit, members on their way follow the new version (`move`, default) or finish the old one (`pin`).",
        "修改后，走到一半的会员跟着新版本走（`move`，默认），还是走完旧版本（`pin`）。",
        "on_edit: pin",
    ),
    "moved_to": told(
        "Where the members of removed steps go on. Can be taken out once it is applied.",
        "被删掉的步骤里的会员接着走哪一步。生效之后可以删掉这一行。",
        "moved_to: { old_step: welcome_guide }",
    ),
    "steps": told("What happens, from top to bottom.", "要做的事，从上到下。", "steps:\n  - send: welcome"),
}

START: Manual = {
    "event": told("When this happens.", "发生这个事件时。", "start: { event: order_paid }"),
    "where": told(
        "A condition on the event's own values, as `event.<key>`.",
        "对事件自带的值的条件，写作 `event.<键>`。",
        "start: { event: order_paid, where: { event.amount: 500.. } }",
    ),
    "segment": told("When a member enters this segment.", "会员进入这个人群时。", "start: { segment: 沉睡90天 }"),
    "date": told(
        "A yearly date of the member, solar or lunar.",
        "会员每年的日子，公历或农历。",
        "start: { date: birthday, offset: -3d, at: 10:00 }",
    ),
    "calendar": told(
        "`auto`: as the member's own field says (default); `solar`; `lunar`.",
        "`auto`：按会员自己的设置（默认）；`solar` 公历；`lunar` 农历。",
    ),
    "offset": told("Whole days before (`-3d`) or after.", "提前（`-3d`）或推后的天数。"),
    "feb29": told(
        "In other years: `feb28` (default), `mar1`, or `skip`.", "平年里：`feb28`（默认）、`mar1` 或 `skip`（不过）。"
    ),
    "leap_month": told(
        "Born in a leap lunar month: `leap_then_plain` (default), `plain`, or `skip` years without it.",
        "生在闰月：`leap_then_plain`（有闰过闰，默认）、`plain`（总过平月）或 `skip`（没有闰月就不过）。",
    ),
    "every": told(
        "On a schedule, at the member's own time. Needs an `audience`.",
        "按时间，以会员当地时间为准。需要写 `audience`。",
        "start: { every: workday, at: 10:00 }\naudience: { orders: 1.. }",
    ),
    "at": told("The time of day, the member's own.", "一天中的时间，以会员当地为准。"),
    "catch_up": told(
        "After a downtime: still run if not later than this. Default: 12h.",
        "系统停机之后，不晚于这么久就补上。默认 12h。",
    ),
    "manual": told(
        "Only by `enroll` in another journey, or by hand.",
        "只由别的旅程 `enroll` 带入，或手工加入。",
        "start: manual",
    ),
}

EXIT: Manual = {
    "event": told("Ends when this happens.", "发生这个事件就结束。"),
    "where": told("A condition on the event, as `event.<key>`.", "对事件的条件，写作 `event.<键>`。"),
}

GOAL: Manual = {
    "event": told("The event that counts as success.", "算作成功的事件。"),
    "where": told("A condition on it, as `event.<key>`.", "对它的条件，写作 `event.<键>`。"),
    "within": told(
        "How long after the message it counts. Limits what is counted, never what happens.",
        "消息之后多久内才算。只影响统计，不影响流程。",
    ),
    "count_from": told(
        "From the latest `message` (default), or from `entry`.",
        "从最近一条消息 `message`（默认）或从进入 `entry` 算起。",
    ),
    "then": told("`exit` (default) or `continue`.", "`exit` 结束（默认）或 `continue` 继续。"),
}

CHANNELS: Manual = {
    "try": told("`auto`, or the channels in your order.", "`auto`，或按您的顺序列出渠道。"),
    "fallback": told(
        "No click or reply after this long: the next channel, once each.",
        "这么久没有点击或回复，就换下一个渠道，每个只试一次。",
        "channels: { try: auto, fallback: 2d }",
    ),
}

FALLBACK: Manual = {
    "after": told("How long to wait for something to come of it.", "等多久。"),
    "unless": told(
        "`responded` (default: clicked, replied or answered) or `delivered`.",
        "`responded`（默认：点击、回复或回答过）或 `delivered`（已送达）就不换。",
    ),
}

CONDITION: Manual = {
    "any": told("At least one of these holds.", "满足其中一个即可。", "any: [ { city: 上海 }, { tag: VIP } ]"),
    "all": told("All of these hold.", "全部满足。", "all: [ { city: 上海 }, { tag: VIP } ]"),
    "not": told(
        "The plain opposite: also holds for those of whom nothing is known.",
        "正好相反：没有资料的人也算。",
        "not: { employee: yes }",
    ),
    "tag": told("Has the tag, or one of them.", "有这个标签，或其中之一。", "tag: [VIP, 推荐官]"),
    "segment": told("Is in the segment.", "在这个人群里。", "segment: 沉睡90天"),
    "did": told(
        "The event has happened.",
        "发生过这个事件。",
        "did: { order_paid: { times: 2.., within: 90d } }",
    ),
}

DID: Manual = {
    "times": told("How often: `2`, `2..`, `..5`, `2..5`.", "几次：`2`、`2..`、`..5`、`2..5`。"),
    "within": told("In the last so long.", "最近多久之内。"),
    "since": told("`start`: since this run began.", "`start`：从进入旅程以来。"),
}
