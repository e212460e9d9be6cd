"""The words of test files, `journeys/<id>.test.yaml`."""

from __future__ import annotations

from engage.editor.manual.told import Manual, told

FILE: Manual = {
    "journey": told("The id of the journey: the file's name.", "旅程的 id，也就是文件名。", "journey: winback"),
    "clock": told(
        "When the tests begin; its date is day 0.", "测试开始的时间，这一天是 day 0。", "clock: 2026-11-23 10:00"
    ),
    "members": told(
        "Who takes part: how they can be reached, and what is known of them.",
        "有哪些会员：怎么联系得到，已知哪些资料。",
        "members:\n  王芳: { wechat: { last_message_at: 30h ago }, sms: yes, spent: 800 }",
    ),
    "tests": told("One for each story.", "每个故事一个测试。", "tests:\n  - name: …\n    member: 王芳\n    expect: []"),
}

MEMBER: Manual = {
    "wechat": told(
        "`yes`, `no`, an openid, or more about the chat.",
        "`yes`、`no`、openid，或聊天的详情。",
        "wechat: { last_message_at: 30h ago }",
    ),
    "sms": told("`yes`, `no`, or a number.", "`yes`、`no` 或手机号。", "sms: yes"),
    "email": told("`yes`, `no`, or an address.", "`yes`、`no` 或邮箱地址。", "email: yes"),
    "tags": told("Tags they have.", "有哪些标签。", "tags: [VIP]"),
    "segments": told(
        "Segments they must be in, by what is known of them.", "按资料应该属于哪些人群。", "segments: [沉睡90天]"
    ),
    "consent": told(
        "What is not named is granted.",
        "没有写的都算已授权。",
        "consent: { marketing: no, survey: { sms: no } }",
    ),
    "history": told(
        "What happened before.", "之前发生过的事。", "history: [ { event: order_paid, at: 95d ago, amount: 268 } ]"
    ),
    "timezone": told("Their own zone.", "会员所在时区。", "timezone: Asia/Urumqi"),
}

CHAT: Manual = {
    "address": told("Their address there.", "在那里的地址。"),
    "followed": told("Whether they follow the account.", "是否关注了公众号。"),
    "last_message_at": told(
        "When they wrote last: opens the 48 hours.",
        "最后一次发消息的时间：48 小时内可以回复。",
        "last_message_at: 30h ago",
    ),
    "last_touch_at": told(
        "When they followed, scanned or tapped last.", "最后一次关注、扫码或点菜单的时间。", "last_touch_at: now"
    ),
}

CASE: Manual = {
    "name": told("What is told, in a sentence.", "用一句话说清楚测什么。"),
    "member": told("One of `members`.", "`members` 里的一位。"),
    "start_event": told(
        "What the starting event carries.", "开始事件带有的值。", "start_event: { order_id: A1, grams: 250 }"
    ),
    "var": told("Values given to a manual start.", "manual 开始时带入的值。", "var: { why: NPS 贬损者 }"),
    "arms": told("Which way of a split they take.", "走 split 的哪一路。", "arms: { 首触文案: 关怀 }"),
    "holdout": told("`yes`: they are in the control group.", "`yes`：属于对照组。"),
    "until": told("Where the test ends.", "测到哪一天。", "until: day 30"),
    "when": told("What happens meanwhile.", "其间发生的事。", "when:\n  - { at: day 0 12:00, event: clicked }"),
    "expect": told(
        "What must come of it, in this order; other things may come between.",
        "应该有的结果，按顺序；中间可以有别的。",
        "expect:\n  - { at: day 0 10:00, send: welcome, via: wechat }",
    ),
}

WHEN: Manual = {
    "at": told("Day and time, the member's own.", "哪一天几点，以会员当地为准。", "at: day 0 12:00"),
    "event": told(
        "An event of the shop, or what follows a message: `clicked`, `delivered`, `bounced` …",
        "店里的事件，或对消息的反应：`clicked`、`delivered`、`bounced` 等。",
    ),
    "answer": told("They answer the question.", "回答问题。"),
    "comment": told("And say more.", "并补充说明。"),
    "text": told("They write something.", "会员打字。"),
    "task_done": told("The team closes its task.", "团队完成任务。"),
    "outcome": told("How it ended.", "任务的结果。"),
    "follow": told("They follow the account.", "关注。"),
    "unfollow": told("They unfollow.", "取消关注。"),
    "set": told("The shop changes these fields.", "店里修改这些字段。"),
    "tag": told("The shop adds a tag.", "店里加上标签。"),
    "channel": told("On this channel.", "在这个渠道。"),
    "link": told("Which link is clicked.", "点了哪个链接。"),
}

EXPECT: Manual = {
    "at": told("Day and time, the member's own.", "哪一天几点，以会员当地为准。", "at: day 2 10:00"),
    "enter": told("Enters this journey.", "进入这个旅程。"),
    "send": told("This message goes out.", "发出这条消息。"),
    "ask": told("This question goes out.", "发出这个问题。"),
    "skipped": told("This message is not sent.", "没有发这条消息。"),
    "deferred": told("This message is put off.", "推迟发这条消息。"),
    "cancelled": told("This message is overtaken.", "取消了这条消息。"),
    "answered": told("The question is answered.", "问题得到了回答。"),
    "no_answer": told("The question stays without an answer.", "问题没有得到回答。"),
    "update": told("The member is changed.", "修改了会员资料。", 'update: "add tag=推荐官; add points=200"'),
    "notify": told("The team gets a task.", "团队收到任务。"),
    "enroll": told("Is offered to this journey.", "带入这个旅程。"),
    "webhook": told("The webhook is called.", "调用 webhook。"),
    "split": told("Takes a way of this split.", "经过这个分流。"),
    "passed_over": told("This step is passed over.", "跳过了这一步。"),
    "exit": told("The run ends for this reason.", "因为这个原因结束。"),
    "never": told("This must not happen at any time.", "任何时候都不能发生。", "never: { send: winback_last }"),
    "via": told("On this channel.", "通过这个渠道。"),
    "why": told("For this reason.", "因为这个原因。"),
    "until": told("Until then.", "推迟到什么时候。"),
    "task": told("Words of the task.", "任务里的文字。"),
    "way": told("The way they take.", "走了哪一路。"),
    "due": told("The deadline of the task.", "任务的期限。", "due: day 3 10:00"),
    "urgent": told("Whether the task is urgent.", "任务是否加急。"),
    "counts": told("Whether the goal is counted as this journey's.", "达成是否算作这个旅程的成绩。"),
}
