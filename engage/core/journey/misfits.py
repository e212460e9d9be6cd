"""Mistakes of meaning: names that do not exist, tests that do not fit, answers without a path (codes E3xx).

`mistakes` holds the mistakes of form, `wrong_turns` those of where steps lead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from engage.core.condition import ValueType
from engage.core.journey import guesses, slips
from engage.core.journey.mistakes import did_you_mean, listed, offer
from engage.core.journey.slips import write
from engage.core.journey.vocabulary import is_slip_of, nearest
from engage.core.problem import Mark, Mend, Problem, Said, Severity, Span

_KINDS = {
    "field": ("E301", "member field", "会员字段"),
    "event": ("E302", "event", "事件"),
    "segment": ("E303", "segment", "人群"),
    "channel": ("E304", "channel", "渠道"),
    "topic": ("E306", "topic", "主题"),
    "team": ("E307", "team", "团队"),
    "journey": ("E308", "journey", "旅程"),
    "template": ("E310", "template", "模板"),
    "step": ("E317", "step", "步骤"),
    "webhook": ("E318", "webhook", " webhook"),
}


_WHERE = {
    "event": Said("events are listed in journeys/catalog.yaml", "事件列在 journeys/catalog.yaml 里"),
    "field": Said("fields are listed in journeys/catalog.yaml", "字段列在 journeys/catalog.yaml 里"),
    "segment": Said("segments are written in journeys/catalog.yaml", "人群写在 journeys/catalog.yaml 里"),
    "topic": Said("topics are listed in journeys/catalog.yaml", "主题列在 journeys/catalog.yaml 里"),
    "team": Said("teams are listed in journeys/catalog.yaml", "团队列在 journeys/catalog.yaml 里"),
    "webhook": Said("webhooks are listed in journeys/catalog.yaml", "webhook 列在 journeys/catalog.yaml 里"),
}


def unknown(
    kind: str, span: Span, name: str, known: Iterable[str], called: Mapping[str, str] = MappingProxyType({})
) -> Problem:
    """A name that neither the catalog nor the project has. `called`: what people may call it instead, and its name."""
    code, en, zh = _KINDS[kind]
    names = list(known)
    if slip := slips.in_word(name, span, names.__contains__, several=True):
        return slip
    meant = called.get(name) or nearest(name, names)
    said = Said(f"unknown {en} `{name}`", f"没有 `{name}` 这个{zh}")
    few = Said(f"there are: {listed(names)}", f"现有：{listed(names)}") if 0 < len(names) <= 12 and not meant else None
    notes = (few,) if few else ()
    help = _where_to_add(kind, name) if not meant or (kind == "template" and not is_slip_of(meant, name)) else ()
    mend = offer(span, name, meant)
    return Problem(code, span, said, label=did_you_mean(meant), notes=notes, help=help, mend=mend)


def _where_to_add(kind: str, name: str) -> tuple[Said, ...]:
    if kind == "template":
        path = f"templates/{name}.wechat.j2"
        return (Said(f"if it is a new one, write {path}", f"如果是新模板，请先写 {path}"),)
    return (_WHERE[kind],) if kind in _WHERE else ()


def as_in_templates(span: Span, name: str, bare: str) -> Problem:
    return Problem(
        "E301",
        span,
        Said(f"a condition names a field without `member.`: `{name}`", f"条件里的字段不写 `member.`：`{name}`"),
        help=(Said(f"write `{bare}`", f"请写 `{bare}`"),),
    )


_TYPES = {
    ValueType.TEXT: Said("text", "文字"),
    ValueType.NUMBER: Said("a number", "数字"),
    ValueType.BOOLEAN: Said("yes or no", " yes 或 no"),
    ValueType.DATE: Said("a date", "日期"),
    ValueType.INSTANT: Said("a moment", "时刻"),
    ValueType.ANNIVERSARY: Said("a yearly date", "每年的日子"),
}
_DATE_TESTS = "last 30d · over 90d ago · next 7d · never · known"
_TESTS = {
    ValueType.TEXT: "上海 · [上海, 北京] · contains 茶 · known · unknown",
    ValueType.NUMBER: "500 · 500.. · ..6 · 7..8 · known · unknown",
    ValueType.BOOLEAN: "yes · no · known · unknown",
    ValueType.DATE: _DATE_TESTS,
    ValueType.INSTANT: _DATE_TESTS,
    ValueType.ANNIVERSARY: "known · unknown",
}


def wrong_type(span: Span, name: str, type: ValueType, tests: str | None = None, guess: str | None = None) -> Problem:
    """A test or value that its subject cannot have. `tests` overrides what may be written."""
    said = _TYPES[type]
    shown = tests or _TESTS[type]
    return Problem(
        "E305",
        span,
        Said(f"`{name}` is {said.en}", f"`{name}` 是{said.zh}"),
        notes=(Said(f"write {shown}", f"可以写 {shown}"),),
        help=write(guess) if guess else (),
        mend=Mend(span, guess, sure=False) if guess else None,
    )


def words_around_values(span: Span, name: str, text: str) -> Problem | None:
    """`not 上海`, `上海 or 北京`: logic where only values stand."""
    if (other := guesses.other_than(text)) is not None:
        said = Said("`not` stands before the condition, not before a value", "`not` 要写在条件前面，不写在值前面")
        return _taken_as_text(span, said, f"not: {{ {name}: {other} }}", None)
    if (several := guesses.either(text)) is not None:
        said = Said("several values are written as a list", "几个值要写成一列")
        return _taken_as_text(span, said, f"{name}: {several}", several)
    return None


def _taken_as_text(span: Span, said: Said, line: str, value: str | None) -> Problem:
    quoted = Said("if these are the very words, put them in quotation marks", "如果这就是原文，请加引号")
    mend = Mend(span, value, sure=False) if value else None
    return Problem("E305", span, said, notes=(quoted,), help=write(line), mend=mend)


def not_a_share(span: Span, name: str) -> Problem:
    return Problem(
        "E305",
        span,
        Said(f"`{name}` is a place among all members, in percent", f"`{name}` 是在全体会员中的名次，用百分比写"),
        notes=(
            Said(
                "write ..20% (the top fifth) · 20%..50% · 50%.. (the lower half) · known · unknown",
                "可以写 ..20%（前 20%）· 20%..50% · 50%..（后一半）· known · unknown",
            ),
        ),
    )


def percent_of_a_number(span: Span, name: str, *, ranked: bool) -> Problem:
    help = Said(f"for the top fifth write {name}_rank: ..20%", f"要选前 20%，请写 {name}_rank: ..20%")
    return Problem(
        "E305",
        span,
        Said(f"`{name}` is a number, not a percentage", f"`{name}` 是数字，不是百分比"),
        help=(help,) if ranked else (Said("write a number: 500 · 500..", "请写数字：500 · 500.."),),
    )


def no_rank(span: Span, name: str, field: str) -> Problem:
    return Problem(
        "E301",
        span,
        Said(f"`{field}` is not a number, so there is no `{name}`", f"`{field}` 不是数字，所以没有 `{name}`"),
        help=(Said("only number fields have a rank", "只有数字字段才有名次"),),
    )


def comes_every_year(span: Span, field: str) -> Problem:
    start = f"start: {{ date: {field}, at: 10:00 }}"
    return Problem(
        "E305",
        span,
        Said(f"`{field}` comes every year, and a wait is for one date", f"`{field}` 每年都有，等待只能等一个日期"),
        help=(Said(f"give it a journey of its own, with `{start}`", f"请单独写一个旅程，用 `{start}` 开始"),),
    )


def cannot_be_set(span: Span, name: str, why: Said) -> Problem:
    return Problem(
        "E305",
        span,
        Said(f"a journey cannot change `{name}`: {why.en}", f"旅程不能修改 `{name}`：{why.zh}"),
        help=(Said("remove it, or name another field", "请删掉，或者换一个字段"),),
    )


def never_this_value(span: Span, name: str, value: str, values: tuple[str, ...]) -> Problem:
    meant = nearest(value, values)
    if (told := words_around_values(span, name, value)) is not None:
        return told
    return slips.in_word(value, span, values.__contains__, several=True) or Problem(
        "E312",
        span,
        Said(f"`{name}` is never “{value}”", f"`{name}` 不会是“{value}”"),
        label=Said(f"did you mean {meant}?", f"您想写的是 {meant} 吗？") if meant else None,
        notes=(Said(f"values: {listed(values)}", f"可用的值：{listed(values)}"),),
        mend=offer(span, value, meant),
    )


def score_out_of_range(span: Span, name: str, low: int, high: int) -> Problem:
    return Problem(
        "E312",
        span,
        Said(f"`{name}` runs {low}..{high}", f"`{name}` 的范围是 {low}..{high}"),
        help=(Said("no answer is ever outside it", "不会有范围之外的回答"),),
    )


def empty_range(span: Span, text: str) -> Problem:
    meant = guesses.number_range(text)
    order = Said("the lower number comes first", "小的数写在前面")
    return Problem(
        "E312",
        span,
        Said(f"nothing lies in {text}", f"{text} 之间什么都没有"),
        help=(Said(f"{order.en}: {meant}", f"{order.zh}：{meant}"),) if meant else (order,),
        mend=Mend(span, meant, sure=False) if meant else None,
    )


def never_recorded(span: Span, event: str) -> Problem:
    return Problem(
        "E319",
        span,
        Said(f"`{event}` never comes: nothing tracks it in this version", f"`{event}` 不会发生：这个版本不追踪它"),
        help=(Said("`clicked` and `replied` are recorded", "可以用 `clicked` 或 `replied`"),),
        severity=Severity.WARNING,
    )


def unknown_key(span: Span, key: str, event: Said, keys: Iterable[str], origin: str = "event") -> Problem:
    """`origin`: what stands in front of a key where it is written; nothing, if it is empty."""
    names = {key: f"{origin}.{key}" if origin else key for key in keys}
    carries = Said(f"it carries: {listed(names.values())}", f"它带有：{listed(names.values())}") if names else None
    meant = nearest(key, list(names))
    return Problem(
        "E313",
        span,
        Said(f"{event.en} does not carry `{key}`", f"{event.zh}没有带 `{key}`"),
        label=did_you_mean(names[meant] if meant else None),
        notes=(carries,) if carries else (),
    )


def segment_circle(span: Span, names: list[str]) -> Problem:
    way = " → ".join(names)
    return Problem(
        "E314",
        span,
        Said(f"segments refer to each other in a circle: {way}", f"人群互相引用成了一个圈：{way}"),
        help=(Said("write out one of the conditions", "请把其中一个条件直接写出来"),),
    )


def not_in_reach(span: Span, name: str, why: Said, help: Said | None = None) -> Problem:
    return Problem(
        "E316",
        span,
        Said(f"`{name}` cannot be used here: {why.en}", f"这里不能用 `{name}`：{why.zh}"),
        help=(help,) if help else (),
    )


def no_event_starts(span: Span, name: str) -> Problem:
    why = Said("this journey does not start with an event", "这个旅程不是由事件开始的")
    help = Said("it needs  start: { event: … }", "需要写成  start: { event: … }")
    return not_in_reach(span, name, why, help)


def not_an_earlier_ask(span: Span, name: str, earlier: Iterable[str], comes_later: bool) -> Problem:
    names = list(earlier)
    if comes_later:
        said = Said(f"`{name}` is asked only later", f"`{name}` 在后面才会问到")
        help = Said("an answer can be used after its `ask` step", "回答只能在它的 `ask` 步骤之后使用")
    else:
        said = Said(f"there is no earlier `ask` step `{name}`", f"前面没有 `{name}` 这个 `ask` 步骤")
        help = (
            Said(f"asked before this step: {listed(names)}", f"这一步之前问过：{listed(names)}")
            if names
            else Said("nothing is asked before this step", "这一步之前没有提问")
        )
    return Problem("E309", span, said, label=did_you_mean(nearest(name, names)), help=(help,))


def no_usable_channel(span: Span, template: str, may: Iterable[str], has: Iterable[str]) -> Problem:
    return Problem(
        "E311",
        span,
        Said(
            f"`{template}` has no words for any channel this step may use",
            f"`{template}` 没有这个步骤可用渠道的内容",
        ),
        notes=(
            Said(f"this step may use: {listed(may) or '–'}", f"这个步骤可用：{listed(may) or '–'}"),
            Said(f"`{template}` is written for: {listed(has) or '–'}", f"`{template}` 已有：{listed(has) or '–'}"),
        ),
    )


def channel_without_words(span: Span, template: str, channel: str) -> Problem:
    return Problem(
        "E311",
        span,
        Said(
            f"`{template}` has no {channel} version, so {channel} is never used here",
            f"`{template}` 没有 {channel} 版本，这里不会用到 {channel}",
        ),
        help=(Said(f"write templates/{template}.{channel}.j2", f"请写 templates/{template}.{channel}.j2"),),
        severity=Severity.WARNING,
    )


def nobody_is_told(span: Span, team: str) -> Problem:
    return Problem(
        "E307",
        span,
        Said(
            f"nobody is told: the team `{team}` has neither webhook nor email",
            f"没有人会收到通知：团队 `{team}` 既没有 webhook 也没有 email",
        ),
        help=(Said("give it one in catalog.yaml", "请在 catalog.yaml 里加上一个"),),
        severity=Severity.WARNING,
    )


def no_path_for_answers(span: Span, survey: str, missing: str, range_: str | None) -> Problem:
    label = Said(f"{survey} scores run {range_}", f"{survey} 的分数是 {range_}") if range_ else None
    return Problem(
        "E320",
        span,
        Said(f"customers who answer {missing} have no path", f"回答 {missing} 的客户没有去处"),
        label=label,
        help=(Said(f"add a `{missing}:` case, or an `else:`", f"请加上 `{missing}:`，或者 `else:`"),),
    )


def no_path_without_answer(span: Span) -> Problem:
    return Problem(
        "E320",
        span,
        Said("customers who never answer have no path", "没有回答的客户没有去处"),
        help=(
            Said(
                "add a `no_answer:` case (it may be empty: `no_answer: []`)",
                "请加上 `no_answer:`（可以为空：`no_answer: []`）",
            ),
        ),
    )


def cases_overlap(span: Span, case: str, earlier: Span, earlier_case: str) -> Problem:
    return Problem(
        "E321",
        span,
        Said(f"`{case}` overlaps `{earlier_case}`", f"`{case}` 和 `{earlier_case}` 重叠了"),
        marks=(Mark(earlier, Said("this case has some of its answers already", "这一项已经包含了其中的回答")),),
        help=(
            Said(
                "each answer goes one way: let one case end before the next begins",
                "每个回答只能走一路：请让一项结束后再开始下一项",
            ),
        ),
    )


def nothing_left(span: Span) -> Problem:
    return Problem(
        "E321",
        span,
        Said("no answer is left for `else`", "`else` 已经没有剩下的回答"),
        help=(Said("the cases above take every answer: remove it", "上面已包含所有回答，请删掉它"),),
    )


def only_service_repeats(span: Span, topic: str) -> Problem:
    return Problem(
        "E336",
        span,
        Said(
            f"`on_ambiguous: repeat` is for service messages, and `{topic}` is not a service topic",
            f"`on_ambiguous: repeat` 只用于服务类消息，`{topic}` 不是服务类主题",
        ),
        label=Said("the customer might read this twice", "客户可能会收到两次"),
        help=(
            Said(
                "remove it, or give the step a `topic` of class service if that is what it is",
                "请删掉它；如果确实是服务类消息，请写上服务类的 `topic`",
            ),
        ),
    )


def audience_required(span: Span) -> Problem:
    return Problem(
        "E331",
        span,
        Said("a journey that starts by the calendar must say for whom", "按时间开始的旅程必须写明给谁"),
        label=Said("needs `audience:`", "需要 `audience:`"),
        help=(
            Said(
                "write a condition, or `audience: everyone` if every member is meant",
                "请写一个条件；如果就是所有会员，写 `audience: everyone`",
            ),
        ),
    )
