"""The words of steps: what every step may have, the verbs, and the options beside each verb."""

from __future__ import annotations

from engage.editor.manual.told import Manual, told

STEP: Manual = {
    "id": told(
        "The step's name, for answers and `explain`; else it is made from what the step does.",
        "步骤的名字，供回答和 `explain` 使用；不写就按它做的事命名。",
        "id: csat_7",
    ),
    "was": told(
        "Its earlier id, or a list of them: keeps the place of members who stand there.",
        "以前的 id，可以是一列：停在那里的会员位置不变。",
        "was: welcome_old",
    ),
    "label": told("What people see instead of the id.", "给人看的名字，代替 id。", "label: 泡茶说明"),
    "only_if": told(
        "The step is passed over if this does not hold.",
        "不满足就跳过这一步。",
        "only_if: { orders: 2.. }",
    ),
}

VERBS: Manual = {
    "send": told(
        "Queue one message and go on at once.",
        "发一条消息，然后马上往下走。",
        "- send: welcome",
    ),
    "ask": told(
        "Put a question: `nps` (0–10), `csat` (1–5), `choice` or `text`. Waits for the answer.",
        "问一个问题：`nps`（0–10）、`csat`（1–5）、`choice`（选择）或 `text`（开放）。会等回答。",
        "- ask: nps\n  question: 您有多大可能把我们推荐给朋友？",
    ),
    "wait": told(
        "Wait: `3d` · `3d at 10:00` · `2 workdays at 10:00` · `until friday 18:00` · `until day 30 at 10:00`.",
        "等待：`3d` · `3d at 10:00` · `2 workdays at 10:00` · `until friday 18:00` · `until day 30 at 10:00`。",
        "- wait: 2d at 10:00",
    ),
    "wait_for": told(
        "Wait for the first of some events, at most `up_to`.",
        "等某个事件发生，最多等 `up_to`。",
        "- wait_for: clicked\n  up_to: 7d",
    ),
    "if": told(
        "Two ways, by a condition.",
        "按条件分两路。",
        "- if: { orders: 2.. }\n  then:\n    - send: thanks_repeat",
    ),
    "branch": told(
        "The first way whose condition holds; at most one `else`, at the end.",
        "走第一个满足条件的分支；最后可以有一个 `else`。",
        "- branch:\n    - if: { orders: 2.. }\n      then: [ { send: howto } ]\n    - else: [ { send: tips30 } ]",
    ),
    "switch": told(
        "By the answer of an earlier `ask`. Every answer has exactly one way.",
        "按前面 `ask` 的回答分路。每种回答有且只有一条路。",
        "- switch: nps\n  cases:\n    0..6: []\n    7..10: []\n    no_answer: []",
    ),
    "split": told(
        "Members part by a stable hash, each way with its share.",
        "按比例固定分流（A/B 测试）。",
        "- split: 首触\n  ways:\n    A: { share: 50%, steps: [ { send: welcome } ] }\n    B: { share: 50%, steps: [] }",
    ),
    "update": told(
        "Change the member: `set` fields, `add` to numbers, add and remove tags.",
        "修改会员资料：`set` 设字段，`add` 加数值和标签，`remove` 去标签。",
        "- update: { set: { lifecycle: 活跃 }, add: { tag: 推荐官, points: 200 } }",
    ),
    "notify": told(
        "Open a task for a team and tell them. Closing it is the event `task_done`.",
        "给团队建一个任务并通知他们。完成后是 `task_done` 事件。",
        '- notify: 客服一组\n  task: "{{ member.name }} 打了低分，请 24 小时内电话。"',
    ),
    "webhook": told(
        "Call a webhook of the catalog; its URL and secret are in config.yaml.",
        "调用目录里的 webhook；地址和密钥在 config.yaml 里。",
        "- webhook: coupon_issue",
    ),
    "enroll": told(
        "Offer the member to another journey. This run goes on.",
        "把会员带入另一个旅程。这边照常往下走。",
        "- enroll: service_recovery\n  with: { why: NPS 贬损者 }",
    ),
    "goto": told(
        "Go on at another step. Backwards it needs `at_most`.",
        "跳到另一步。往回跳必须写 `at_most`。",
        "- goto: welcome\n  at_most: 1",
    ),
    "exit": told("End the run, with a reason people will read.", "结束旅程，写明原因。", "- exit: 到店未购"),
}

# An option means the same beside every verb, unless it is told again as `verb.option`.
OPTIONS: Manual = {
    "text": told(
        "The words themselves, instead of a template file. WeChat and email only.",
        "直接写内容，不用模板文件。只用于微信和邮件。",
        'text: "{{ member.name }}，您的茶今天出发。"',
    ),
    "with": told(
        "Values to hand over, read there as `var.<name>`.",
        "带过去的值，那边用 `var.<名字>` 读取。",
        'with: { why: 首单, score: "{{ nps.score }}" }',
    ),
    "channels": told("Replaces the journey's.", "代替旅程的设置。", "channels: [wechat, sms]"),
    "topic": told("Replaces the journey's.", "代替旅程的主题。", "topic: service"),
    "ask.topic": told("Not the journey's: `survey` if absent.", "不随旅程：不写就是 `survey`。"),
    "late": told("Do not send if it could not go out within this.", "超过这么久还没发出，就不发了。", "late: 6h"),
    "at": told(
        "`usual_hour`: at the member's own hour, within a day.",
        "`usual_hour`：在会员习惯的时间发，一天之内。",
        "at: usual_hour",
    ),
    "on_ambiguous": told(
        "If nobody knows whether it went out: `hold` (default) or `repeat`.",
        "不确定是否已发出时：`hold` 不再发（默认）或 `repeat` 再发。",
        "on_ambiguous: repeat",
    ),
    "question": told("The question.", "问题。"),
    "comment": told("The open question that follows a score.", "打分之后追问的开放问题。"),
    "options": told("2 to 5 answers, for `choice`.", "2 到 5 个答案，用于 `choice`。", "options: [岩茶, 红茶, 白茶]"),
    "answer_within": told(
        "Then the run goes on without an answer. Default: 7d.", "过了这么久没有回答就继续走。默认 7d。"
    ),
    "remind": told(
        "Ask once more after this, by the next channel if there is one.", "过这么久再问一次，有别的渠道就换一个。"
    ),
    "up_to": told("Required: nobody waits for ever.", "必须写：没有人会一直等下去。", "up_to: 7d"),
    "where": told("A condition on the event, as `event.<key>`.", "对事件的条件，写作 `event.<键>`。"),
    "since": told(
        "From when an event counts: `last_message` (this run's latest message, or its start if there was none) · "
        "`here` (this step) · `start`.",
        "从什么时候起的事件才算：`last_message`（本次旅程最近一条消息；还没有消息，就从进入旅程算）· `here`（这一步）· "
        "`start`（进入旅程）。",
    ),
    "then": told("Steps, if it happened.", "发生了，走这些步骤。"),
    "else": told("Steps, if it did not.", "没有发生，走这些步骤。"),
    "if.then": told("Steps, if it holds.", "满足条件，走这些步骤。"),
    "if.else": told("Steps, if it does not.", "不满足，走这些步骤。"),
    "cases": told(
        "Scores (`3`, `0..6`) or options, `no_answer`, and `else`.",
        "分数（`3`、`0..6`）或选项，以及 `no_answer` 和 `else`。",
    ),
    "ways": told("Name: { share, steps }. The shares add up to 100%.", "名字: { share, steps }。比例相加等于 100%。"),
    "winner": told(
        "Decided once, at a fixed date; then newcomers go to the better way.",
        "到期决定一次；之后的人走效果好的那路。",
        "winner: { by: goal, after: 14d, at_least: 400, confidence: 95%, keep_exploring: 10% }",
    ),
    "task": told("What they are asked to do.", "请他们做什么。"),
    "due": told("The deadline.", "期限。", "due: 1d"),
    "urgent": told("Said first.", "加急。", "urgent: yes"),
    "copy_to": told("Teams that are told as well.", "同时告知的团队。", "copy_to: [店长群]"),
    "on_fail": told(
        "If the call fails: `retry` for a day (default), `continue`, or `exit`.",
        "调用失败时：`retry` 重试一天（默认）、`continue` 继续或 `exit` 结束。",
    ),
    "at_most": told("How often this jump is taken.", "最多跳几次。", "at_most: 1"),
}

WAY: Manual = {
    "share": told("How many take it.", "多少人走这一路。", "share: 50%"),
    "steps": told("What they get.", "走这一路要做的事。"),
}

WINNER: Manual = {
    "by": told("`goal`, `clicked` or `replied`.", "按 `goal`、`clicked` 或 `replied` 选优。"),
    "after": told("Decided so long after the first member came by.", "第一个会员经过后多久决定。"),
    "at_least": told("Members each way must have had.", "每一路至少要有多少会员。"),
    "confidence": told("How sure it must be.", "要有多大把握。"),
    "keep_exploring": told("How many newcomers still part by the shares.", "之后仍有多少人按比例分流。"),
}

UPDATE: Manual = {
    "set": told("Fields and their new values.", "字段和新的值。", "set: { lifecycle: 活跃 }"),
    "add": told(
        "Amounts for number fields, and tags.", "给数值字段加多少，以及标签。", "add: { tag: 推荐官, points: 200 }"
    ),
    "remove": told("Tags.", "去掉标签。", "remove: { tag: 补救中 }"),
}
