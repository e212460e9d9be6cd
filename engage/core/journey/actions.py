"""The steps that do something for a member: send, ask, update, notify, webhook, enroll."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal

from engage.core.catalog import Catalog, Field
from engage.core.condition import ValueType
from engage.core.journey import guesses, misfits, mistakes, scalars, slips
from engage.core.journey.channel_policy import read_channels
from engage.core.journey.conditions import read_tags
from engage.core.journey.model import (
    Ask,
    Enroll,
    Notify,
    OnAmbiguous,
    OnFail,
    Send,
    Step,
    Survey,
    Update,
    Webhook,
    Words,
)
from engage.core.journey.nodes import Entry, Listing, Node, Scalar
from engage.core.journey.options import Options, is_empty, read_table, values_by_name
from engage.core.journey.steps import Here
from engage.core.problem import Problem, Said

DEFAULT_ASK_TOPIC = "survey"
MAX_TEXT_VALUE = 500  # what the database keeps of a text field
MAX_OPTIONS = 5  # a WeChat menu and a typed digit both stay readable


def read_topic(node: Node, catalog: Catalog, problems: list[Problem]) -> str | None:
    found = scalars.scalar(node, mistakes.word("topic"), problems)
    if found is None or found.text in catalog.topics:
        return found.text if found else None
    labels = {topic.label: topic.name for topic in catalog.topics.values()}
    problems.append(misfits.unknown("topic", found.span, found.text, catalog.topics, labels))
    return None


def _topic(here: Here) -> str | None:
    return here.options.read("topic", lambda node, problems: read_topic(node, here.catalog, problems))


def _with(here: Here) -> Mapping[str, Words]:
    table = here.options.read(
        "with", lambda node, problems: read_table(node, mistakes.word("with"), problems, "with: { why: … }")
    )
    if table is None:
        return {}
    for entry in table.entries:
        if not entry.key.text.isidentifier():
            what = Said("the name of a value", "值的名字")
            here.problems.append(mistakes.not_a_name(entry.key.span, entry.key.text, what))
    return values_by_name(table, scalars.words, here.problems)


# --- send, ask --------------------------------------------------------------------------------------------------


def read_send(here: Here) -> Step | None:
    found = here.value(Said("the name of a template", "一个模板的名字"))
    name = scalars.name(found, Said("a template's name", "模板的名字"), here.problems) if found else None
    options = here.options
    text = options.read("text", scalars.words)
    values = _with(here)
    channels = options.read("channels", read_channels)
    topic = _topic(here)
    late = options.read("late", scalars.duration)
    usual = options.read("at", _usual_hour)
    on_ambiguous = options.read("on_ambiguous", _on_ambiguous)
    if name is None:
        return None
    return Send(
        **here.common,
        template=None if "text" in options else name.text,
        text=text,
        values=values,
        channels=channels,
        topic=topic,
        late=late,
        at_usual_hour=bool(usual),
        on_ambiguous=on_ambiguous or OnAmbiguous.HOLD,
    )


def _usual_hour(node: Node, problems: list[Problem]) -> bool | None:
    """The one word that `at` takes here. A time of day is a matter for a `wait`."""
    found = scalars.scalar(node, mistakes.word("at"), problems)
    if found is None or found.text == "usual_hour":
        return None if found is None else True
    at = scalars.parse_clock(slips.half_width(found.text[:20]))
    if at is None:
        when = Said("a time to send", "发送的时间")
        problems.append(mistakes.not_one_of(found.span, found.text, when, ("usual_hour",)))
        return None
    said = Said("`send` takes no time of day", "`send` 不写具体时间")
    help = Said(f"wait before it:\n- wait: until {at:%H:%M}", f"请在前面加一步等待：\n- wait: until {at:%H:%M}")
    problems.append(mistakes.contradiction(found.span, said, help))
    return None


def _on_ambiguous(node: Node, problems: list[Problem]) -> OnAmbiguous | None:
    return scalars.choice(node, OnAmbiguous, Said("a value of `on_ambiguous`", "`on_ambiguous` 的值"), problems)


def read_ask(here: Here) -> Step | None:
    found = here.value(Said("nps, csat, choice or text", " nps、csat、choice 或 text"))
    survey = scalars.choice(found, Survey, Said("a kind of question", "问题的类型"), here.problems) if found else None
    options = here.options
    options.require("question", here.verb_span, Said("the words that ask", "写上要问的话"))
    question = options.read("question", scalars.words)
    comment = options.read("comment", scalars.words)
    choices = options.read("options", _choices) or ()
    within = options.read("answer_within", scalars.duration) or timedelta(days=7)
    remind = options.read("remind", scalars.duration)
    channels = options.read("channels", read_channels)
    topic = _topic(here) or _default_topic(here)
    if survey is None:
        return None
    _ask_fits_together(survey, within, remind, here)
    return Ask(
        **here.common,
        survey=survey,
        question=question or Words("", here.verb_span),  # reported above; its answers are still spoken of below
        comment=comment,
        options=choices,
        answer_within=within,
        remind=remind,
        channels=channels,
        topic=topic,
    )


def _default_topic(here: Here) -> str:
    if "topic" not in here.options and DEFAULT_ASK_TOPIC not in here.catalog.topics:
        problem = misfits.unknown("topic", here.verb_span, DEFAULT_ASK_TOPIC, here.catalog.topics)
        here.problems.append(problem)
    return DEFAULT_ASK_TOPIC


def _choices(node: Node, problems: list[Problem]) -> tuple[str, ...] | None:
    wanted = Said(f"a list of 2 to {MAX_OPTIONS} answers", f"一列 2 到 {MAX_OPTIONS} 个答案")
    if not isinstance(node, Listing) or not 2 <= len(node.items) <= MAX_OPTIONS:
        problems.append(_in_one_word(node) or mistakes.wrong_shape(node.span, mistakes.word("options"), wanted))
        return None
    found = scalars.scalars(node, mistakes.word("options"), wanted, problems) or ()
    choices: list[str] = []
    for item in found:
        text = scalars.text(item, problems, limit=100)
        if text and text in choices:
            said = Said(f"“{text}” is listed twice", f"“{text}”列了两次")
            problems.append(mistakes.contradiction(item.span, said, Said("each answer once", "每个答案只写一次")))
        elif text:
            choices.append(text)
    return tuple(choices) or None


def _in_one_word(node: Node) -> Problem | None:
    """`[岩茶、红茶]`: several answers that the keyboard has made one."""
    item = node.items[0] if isinstance(node, Listing) and len(node.items) == 1 else None
    return slips.in_word(item.text, item.span, several=True) if isinstance(item, Scalar) else None


def _ask_fits_together(survey: Survey, within: timedelta, remind: timedelta | None, here: Here) -> None:
    options = here.options
    if survey is Survey.CHOICE:
        options.require("options", here.verb_span, Said("the answers to choose from", "写上可以选的答案"))
    elif "options" in options:
        said = Said(f"`{survey}` has no options", f"`{survey}` 没有选项")
        help = Said("remove them, or ask: choice", "请删掉，或者改成 ask: choice")
        here.problems.append(mistakes.contradiction(options.key_span("options"), said, help))
    if survey is Survey.TEXT and "comment" in options:
        said = Said("an open question has no second open question", "开放问题后面不再追问")
        help = Said("put it into `question`", "请写进 `question`")
        here.problems.append(mistakes.contradiction(options.key_span("comment"), said, help))
    if remind is not None and remind >= within:
        said = Said("the reminder comes after the deadline", "提醒晚于截止时间")
        help = Said("make `remind` shorter than `answer_within`", "`remind` 要短于 `answer_within`")
        here.problems.append(mistakes.contradiction(options.key_span("remind"), said, help))


# --- update -----------------------------------------------------------------------------------------------------

_CHANGES = ("set", "add", "remove")


def read_update(here: Here) -> Step | None:
    example = "update: { set: { lifecycle: 活跃 } }"
    table = read_table(here.verb.value, mistakes.word("update"), here.problems, example)
    if table is None:
        return None
    place = Said("this `update` step", "这个 `update` 步骤里")
    options = Options(table, _CHANGES, place, here.problems, lambda word: _as_change(word, here))
    if not table.entries:
        here.problems.append(mistakes.required(here.verb_span, " / ".join(_CHANGES)))
    parts = {word: _part(options, word, here) for word in _CHANGES}
    added, removed = _tags(parts["add"], here), _removed_tags(parts["remove"], here)
    for tag in set(added) & set(removed):
        said = Said(f"the tag `{tag}` is added and removed by the same step", f"同一步里既加上又去掉标签 `{tag}`")
        help = Said("keep one of the two, or make it two steps", "请只留一个，或分成两步")
        here.problems.append(mistakes.contradiction(options.key_span("remove"), said, help))
    return Update(
        **here.common,
        set={entry.key.text: value for entry in parts["set"] if (value := _set_value(entry, here)) is not None},
        add={
            entry.key.text: float(number)
            for entry in parts["add"]
            if entry.key.text != "tag" and (number := _added_number(entry, here)) is not None
        },
        add_tags=added,
        remove_tags=removed,
    )


def _as_change(word: str, here: Here) -> Said | None:
    """A field where `set`, `add` or `remove` should be."""
    if word not in here.scope.fields:
        return None
    return Said(f"write set: {{ {word}: … }}", f"请写 set: {{ {word}: … }}")


def _part(options: Options, word: str, here: Here) -> tuple[Entry, ...]:
    table = options.read(
        word, lambda node, problems: read_table(node, mistakes.word(word), problems, f"{word}: {{ …: … }}")
    )
    filled = []
    for entry in table.entries if table else ():
        if is_empty(entry.value):
            here.problems.append(mistakes.no_value(entry.key.span, entry.key.text))
        else:
            filled.append(entry)
    return tuple(filled)


def _tags(entries: tuple[Entry, ...], here: Here) -> tuple[str, ...]:
    return tuple(tag for entry in entries if entry.key.text == "tag" for tag in read_tags(entry.value, here.problems))


def _removed_tags(entries: tuple[Entry, ...], here: Here) -> tuple[str, ...]:
    for entry in entries:
        if entry.key.text != "tag":
            place = Said("`remove`", "`remove` 里")
            here.problems.append(mistakes.unknown_option(entry.key.span, entry.key.text, place, ("tag",)))
    return _tags(entries, here)


def _own_field(entry: Entry, here: Here) -> Field | None:
    """The field, if a journey may change it."""
    key = entry.key
    field = here.scope.fields.get(key.text)
    if field is None:
        here.problems.append(misfits.unknown("field", key.span, key.text, here.scope.fields))
    elif field.computed:
        why = Said("Engage keeps it from events", "它由系统根据事件计算")
        here.problems.append(misfits.cannot_be_set(key.span, key.text, why))
    elif field.type in (ValueType.ANNIVERSARY, ValueType.INSTANT):
        why = Said("it is the member's own", "它属于会员本人的资料")
        here.problems.append(misfits.cannot_be_set(key.span, key.text, why))
    else:
        return field
    return None


def _set_value(entry: Entry, here: Here) -> str | None:
    field = _own_field(entry, here)
    found = scalars.scalar(entry.value, mistakes.word(entry.key.text), here.problems) if field else None
    return field_value(found, field, here.problems) if field and found else None


_EXAMPLES = {ValueType.NUMBER: "500", ValueType.BOOLEAN: "yes · no", ValueType.DATE: "2027-02-06"}


def field_value(found: Scalar, field: Field, problems: list[Problem]) -> str | None:
    """A value that the field can hold, in its one spelling: numbers in ASCII, `yes` or `no`, `2027-02-06`."""
    spelt = slips.half_width(found.text[:40])
    match field.type:
        case ValueType.TEXT:
            if not field.values or found.text in field.values:
                return scalars.text(found, problems, limit=MAX_TEXT_VALUE)
            problems.append(misfits.never_this_value(found.span, field.name, found.text, field.values))
            return None
        case ValueType.NUMBER if (number := scalars.number(found, problems)) is not None:
            return str(number)
        case ValueType.BOOLEAN if (truth := scalars.parse_yes_no(spelt)) is not None:
            return "yes" if truth else "no"
        case ValueType.DATE if _is_date(spelt):
            return spelt
        case _:
            example = _EXAMPLES.get(field.type, "…")
            guess = guesses.date(found.text) if field.type is ValueType.DATE else None
            problems.append(misfits.wrong_type(found.span, field.name, field.type, example, guess))
            return None


def _is_date(spelt: str) -> bool:
    try:
        return date.fromisoformat(spelt).isoformat() == spelt
    except ValueError:
        return False


def _added_number(entry: Entry, here: Here) -> Decimal | None:
    field = _own_field(entry, here)
    if field is None:
        return None
    if field.type is not ValueType.NUMBER:
        here.problems.append(
            misfits.cannot_be_set(entry.key.span, field.name, Said("only numbers add up", "只有数字可以累加"))
        )
        return None
    number = scalars.number(entry.value, here.problems) if isinstance(entry.value, Scalar) else None
    if number is None:
        here.problems.append(misfits.wrong_type(entry.value.span, field.name, field.type, "200 · -50"))
    return number


# --- notify, webhook, enroll ------------------------------------------------------------------------------------------


def read_notify(here: Here) -> Step | None:
    found = here.value(Said("the name of a team", "一个团队的名字"))
    options = here.options
    options.require("task", here.verb_span, Said("what they are asked to do", "写上要做的事"))
    team = _team(found, here) if found else None
    task = options.read("task", scalars.words)
    due = options.read("due", scalars.duration)
    urgent = options.read("urgent", scalars.yes_no)
    copies = options.read("copy_to", lambda node, problems: _teams(node, here))
    if team is None or task is None:
        return None
    return Notify(**here.common, team=team, task=task, due=due, urgent=bool(urgent), copy_to=copies or ())


def _team(found: Scalar, here: Here) -> str | None:
    if found.text in here.catalog.teams:
        return found.text
    here.problems.append(misfits.unknown("team", found.span, found.text, here.catalog.teams))
    return None


def _teams(node: Node, here: Here) -> tuple[str, ...]:
    wanted = Said("a team, or a list of teams", "一个团队或一列团队")
    found = scalars.scalars(node, mistakes.word("copy_to"), wanted, here.problems) or ()
    return tuple(team for item in found if (team := _team(item, here)) is not None)


def read_webhook(here: Here) -> Step | None:
    found = here.value(Said("the name of a webhook", "一个 webhook 的名字"))
    values = _with(here)
    what = Said("a value of `on_fail`", "`on_fail` 的值")
    on_fail = here.options.read("on_fail", lambda node, problems: scalars.choice(node, OnFail, what, problems))
    if found is None:
        return None
    if found.text not in here.catalog.webhooks:
        here.problems.append(misfits.unknown("webhook", found.span, found.text, here.catalog.webhooks))
    return Webhook(**here.common, name=found.text, values=values, on_fail=on_fail or OnFail.RETRY)


def read_enroll(here: Here) -> Step | None:
    found = here.value(Said("the id of a journey", "一个旅程的 id"))
    name = scalars.name(found, Said("a journey's id", "旅程的 id"), here.problems) if found else None
    values = _with(here)
    return Enroll(**here.common, journey=name.text, values=values) if name else None
