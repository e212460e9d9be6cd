"""The words of `catalog.yaml`."""

from __future__ import annotations

from engage.editor.manual.told import Manual, told

CATALOG: Manual = {
    "brand": told(
        "Who is speaking.",
        "以谁的名义说话。",
        "brand: { name: 山野茶事, sms_sign: 山野茶事, links: { shop: https://shop.example/ } }",
    ),
    "timezone": told("Of members who have none of their own.", "没有自己时区的会员用这个。", "timezone: Asia/Shanghai"),
    "fields": told(
        "What is known of members. A list is an enumeration: the only values allowed.",
        "会员的字段。写成列表就是枚举：只能是这些值。",
        "fields:\n  city: text\n  lifecycle: [新客, 活跃]\n  orders: { count: order_paid }",
    ),
    "events": told(
        "What happens, and what each event carries.",
        "会发生的事，以及每个事件带有的值。",
        "events:\n  order_paid: { order_id: text, amount: number }",
    ),
    "segments": told("Conditions with a name.", "有名字的条件。", "segments:\n  VIP: { spent: 3000.. }"),
    "topics": told(
        "What messages can be about, each with its legal class.",
        "消息的主题，各有法律类别。",
        "topics:\n  service: { class: service, label: 服务通知 }",
    ),
    "teams": told("Who gets tasks.", "接任务的团队。", "teams:\n  客服一组: { webhook: wecom_cs }"),
    "webhooks": told(
        "Webhooks that journeys may call; URLs and secrets are in config.yaml.",
        "旅程可以调用的 webhook；地址和密钥在 config.yaml 里。",
        "webhooks: [crm_sync]",
    ),
}

BRAND: Manual = {
    "name": told("The name people read.", "给人看的名称。"),
    "sms_sign": told(
        "The approved SMS signature, without 【】. Default: the name.", "已报备的短信签名，不写【】。默认用名称。"
    ),
    "links": told("Targets of `{{ link('…') }}`.", "`{{ link('…') }}` 的目标。"),
}

FIELD: Manual = {
    "type": told(
        "`text`, `number`, `boolean`, `date`, `anniversary`, or a list of values.",
        "`text`、`number`、`boolean`、`date`、`anniversary`，或一列值。",
    ),
    "default": told("What templates print for members who have none.", "没有值的会员，模板里显示这个。"),
    "count": told("How often these events happened.", "这些事件发生了几次。", "orders: { count: order_paid }"),
    "sum": told("The sum of one of their numbers.", "事件里某个数值的合计。", "spent: { sum: order_paid.amount }"),
    "first": told("When it first happened.", "第一次发生的时间。", "first_order_at: { first: order_paid }"),
    "last": told("When it last happened.", "最近一次发生的时间。", "last_order_at: { last: order_paid }"),
    "within": told(
        "In the last so long only.", "只看最近多久。", "complaints_30d: { count: complaint_opened, within: 30d }"
    ),
}

TOPIC: Manual = {
    "class": told("`service` needs no grant; `marketing` does.", "`service` 不需要授权；`marketing` 需要。"),
    "label": told("What members read when they unsubscribe.", "会员退订时看到的名字。"),
}

TEAM: Manual = {
    "webhook": told("The group robot, by its name in config.yaml.", "群机器人，写它在 config.yaml 里的名字。"),
    "email": told("Their address.", "团队的邮箱。"),
}
