"""Mistakes of form: what can be wrong with a file before its names are looked up (codes E1xx and E2xx).

One function for each mistake, so that every place that can make it says the same words, in both languages.
`misfits` holds the mistakes of meaning.
"""

from __future__ import annotations

from collections.abc import Iterable

from engage.core.journey.vocabulary import nearest
from engage.core.problem import Mark, Problem, Said, Span

DURATIONS_LOOK_LIKE = Said("durations look like 30m, 2h, 3d, 2w, 1d12h", "时长的写法：30m、2h、3d、2w、1d12h")
_WAITS = (
    "3d │ 3d at 10:00 │ 2 workdays at 10:00 │ until 10:00 │ until workday 10:00 │ until friday 18:00 │ "
    "until day 30 at 10:00 │ until 2027-02-06 09:00 │ until contract_end -30d at 10:00"
)
WAITS_LOOK_LIKE = Said(f"waits look like  {_WAITS}", f"等待的写法：{_WAITS}")


def word(text: str) -> Said:
    """A word of the language as the subject of a sentence; Chinese takes a space after it."""
    return Said(f"`{text}`", f"`{text}` ")


def did_you_mean(word: str | None) -> Said | None:
    return Said(f"did you mean `{word}`?", f"您想写的是 `{word}` 吗？") if word else None


def write(text: str) -> tuple[Said, ...]:
    return (Said(f"write {text}", f"请写 {text}"),)


def listed(words: Iterable[str]) -> str:
    return " · ".join(words)


# --- E1xx: the file as YAML -------------------------------------------------------------------------------------


def not_yaml(span: Span, why: Said | None, help: Said | None = None) -> Problem:
    why = why or Said("a character or number in it cannot be read", "里面有无法读取的字符或数字")
    said = Said(f"this is not valid YAML: {why.en}", f"这不是有效的 YAML：{why.zh}")
    return Problem("E100", span, said, help=(help,) if help else ())


def full_width_punctuation(span: Span, mark: str, ascii_mark: str) -> Problem:
    return Problem(
        "E101",
        span,
        Said("full-width punctuation from the Chinese keyboard", "用了中文输入法的全角标点"),
        label=Said(f"this is “{mark}”, YAML needs “{ascii_mark}”", f"这是“{mark}”，YAML 需要“{ascii_mark}”"),
        help=(Said("switch the IME to half-width and type it again", "请把输入法切换到半角后重新输入"),),
    )


def full_width_text(span: Span, half_width: str) -> Problem:
    return Problem(
        "E101",
        span,
        Said("full-width characters from the Chinese keyboard", "用了中文输入法的全角字符"),
        help=write(half_width),
    )


def tab(span: Span) -> Problem:
    return Problem(
        "E102",
        span,
        Said("a tab in the indentation", "缩进里有制表符（Tab）"),
        label=Said("YAML allows only spaces here", "YAML 在这里只允许空格"),
        help=(Said("replace it with two spaces", "请换成两个空格"),),
    )


def unquoted_template(span: Span, text: str) -> Problem:
    quoted = f"'{text}'" if '"' in text else f'"{text}"'
    return Problem(
        "E103",
        span,
        Said("a template expression must be quoted", "模板表达式要加引号"),
        label=Said("YAML reads {{ as the start of a mapping", "YAML 会把 {{ 当作一个映射的开头"),
        help=(Said(f"write {quoted}  (or use the | block form)", f"请写 {quoted}（或者用 | 的多行写法）"),),
    )


def comparison(span: Span, text: str, help: Said) -> Problem:
    block = Said("YAML reads > as a text block", "YAML 会把 > 当作多行文字")
    return Problem(
        "E104",
        span,
        Said("comparisons are written as ranges", "比较要写成范围"),
        label=block if text.startswith(">") else None,
        help=(help,),
    )


def too_large(span: Span, limit: int) -> Problem:
    return Problem(
        "E105",
        span,
        Said(f"this file has more than {limit:,} characters", f"这个文件超过了 {limit:,} 个字符"),
        help=(Said("split it into several journeys", "请拆成几个旅程"),),
    )


def too_deep(span: Span, limit: int) -> Problem:
    return Problem(
        "E105", span, Said(f"nested more than {limit} levels deep", f"嵌套超过了 {limit} 层"), help=(_SIMPLER,)
    )


_SIMPLER = Said(
    "move the inner part to a journey of its own and `enroll` it", "请把里层移到单独的旅程，用 `enroll` 带入"
)


def no_yaml_reuse(span: Span) -> Problem:
    return Problem(
        "E106",
        span,
        Said("YAML anchors and aliases (`&`, `*`) are not used here", "这里不使用 YAML 的锚点和别名（`&`、`*`）"),
        help=(
            Said("write the value out, or quote it if it is text", "请把内容写完整；如果只是文字，请加引号"),
            Said(
                "a condition used twice can be a segment in catalog.yaml",
                "重复使用的条件可以在 catalog.yaml 里定义成人群",
            ),
        ),
    )


def no_yaml_tags(span: Span) -> Problem:
    return Problem(
        "E106",
        span,
        Said("YAML tags (`!`) are not used here", "这里不使用 YAML 的标签（`!`）"),
        help=(Said("quote the value if it is text", "如果只是文字，请加引号"),),
    )


def key_twice(span: Span, key: str, first: Span) -> Problem:
    return Problem(
        "E107",
        span,
        Said(f"`{key}` is given twice", f"`{key}` 写了两次"),
        label=Said("second time", "第二次"),
        marks=(Mark(first, Said("first time", "第一次")),),
        help=(Said("keep one of them", "请只留一个"),),
    )


def key_must_be_text(span: Span) -> Problem:
    return Problem("E108", span, Said("a key must be a plain word", "键必须是一个简单的词"))


def empty_file(span: Span) -> Problem:
    return Problem("E109", span, Said("this file is empty", "这个文件是空的"))


def second_document(span: Span) -> Problem:
    return Problem(
        "E109",
        span,
        Said("a second document starts here", "这里开始了第二个文档"),
        help=(Said("one file holds one journey: remove the `---`", "一个文件只写一个旅程：请去掉 `---`"),),
    )


def unprintable(span: Span, character: str) -> Problem:
    code = f"U+{ord(character):04X}"
    return Problem(
        "E110",
        span,
        Said(f"an invisible control character ({code})", f"有一个看不见的控制字符（{code}）"),
        help=(Said("delete it and type the text again", "请删掉它，重新输入这段文字"),),
    )


def missing_space(span: Span, key: str) -> Problem:
    return Problem(
        "E111",
        span,
        Said("a space is missing after the colon", "冒号后面少了一个空格"),
        help=write(f"`{key}: …`"),
    )


# --- E2xx: the shape of what was written ------------------------------------------------------------------------


def step_needs_a_verb(span: Span, text: str | None) -> Problem:
    shown = None if text is None else text.strip().splitlines()[0][:40] if text.strip() else ""
    label = Said("just text here", "这里只有文字") if shown else Said("nothing is done here", "这里什么都没有做")
    help = Said(f"did you mean  - send: {shown}  ?", f"您想写的是  - send: {shown}  吗？") if shown else None
    if shown == "exit":
        help = Said("an exit says why:  - exit: 已经下单", "exit 要写明原因：  - exit: 已经下单")
    return Problem(
        "E202",
        span,
        Said("a step needs a verb", "步骤需要一个动词"),
        label=label,
        help=(help,) if help else (),
    )


def unknown_verb(span: Span, word: str, verbs: tuple[str, ...]) -> Problem:
    meant = did_you_mean(nearest(word, verbs))
    return Problem(
        "E203",
        span,
        Said(f"unknown step verb `{word}`", f"没有 `{word}` 这个步骤动词"),
        help=(meant,) if meant else (),
        notes=(Said(f"verbs: {listed(verbs)}", f"可用的动词：{listed(verbs)}"),),
    )


def two_verbs(first: Span, first_verb: str, second: Span, second_verb: str) -> Problem:
    return Problem(
        "E204",
        second,
        Said(
            f"one step cannot both `{first_verb}` and `{second_verb}`",
            f"一个步骤不能既 `{first_verb}` 又 `{second_verb}`",
        ),
        label=Said("second verb in the same step", "同一步骤里的第二个动词"),
        marks=(Mark(first, Said("this step already has a verb", "这个步骤已经有动词了")),),
        help=(
            Said(
                f"add “- ” in front to make it the next step:\n- {second_verb}: …",
                f"在前面加上“- ”，让它成为下一个步骤：\n- {second_verb}: …",
            ),
        ),
    )


def wrong_shape(span: Span, what: Said, wanted: Said, help: Said | None = None) -> Problem:
    """`wanted` completes “takes …”: “a list of steps”."""
    return Problem(
        "E205",
        span,
        Said(f"{what.en} takes {wanted.en}", f"{what.zh}需要{wanted.zh}"),
        help=(help,) if help else (),
    )


def no_value(span: Span, key: str) -> Problem:
    return Problem(
        "E206",
        span,
        Said(f"`{key}` has no value", f"`{key}` 没有写值"),
        help=(Said("write one after the colon, or remove the line", "请在冒号后面写上，或者删掉这一行"),),
    )


def unknown_option(span: Span, word: str, place: Said, allowed: tuple[str, ...]) -> Problem:
    label = did_you_mean(nearest(word, allowed)) or Said("not an option here", "这里没有这个选项")
    return Problem(
        "E210",
        span,
        Said(f"unknown option `{word}` in {place.en}", f"{place.zh}没有 `{word}` 这个选项"),
        label=label,
        notes=(Said(f"options here: {listed(allowed)}", f"这里可用的选项：{listed(allowed)}"),),
    )


def required(span: Span, key: str, help: Said | None = None) -> Problem:
    return Problem(
        "E211",
        span,
        Said(f"`{key}` is required here", f"这里必须写 `{key}`"),
        label=Said(f"needs `{key}:`", f"需要 `{key}:`"),
        help=(help,) if help else (),
    )


def not_a_duration(span: Span, text: str, guess: str | None) -> Problem:
    return Problem(
        "E213",
        span,
        Said(f"“{text}” is not a duration", f"“{text}”不是时长"),
        notes=(DURATIONS_LOOK_LIKE,),
        help=write(guess) if guess else (),
    )


def not_a_wait(span: Span, text: str, guess: str | None) -> Problem:
    meant = did_you_mean(guess)
    return Problem(
        "E213",
        span,
        Said(f"“{text}” is not a wait I understand", f"看不懂“{text}”这种等待"),
        notes=(WAITS_LOOK_LIKE,),
        help=(meant,) if meant and " " in (guess or "") else write(guess) if guess else (),
    )


def not_a_time(span: Span, text: str, guess: str | None) -> Problem:
    return Problem(
        "E214",
        span,
        Said(f"“{text}” is not a time of day", f"“{text}”不是一天中的时间"),
        notes=(Said("times look like 09:30, 20:00", "时间的写法：09:30、20:00"),),
        help=write(guess) if guess else (),
    )


def not_a_number(span: Span, text: str, kind: Said, example: str) -> Problem:
    """`kind` completes “is not …”: “a percentage”."""
    return Problem("E215", span, Said(f"“{text}” is not {kind.en}", f"“{text}”不是{kind.zh}"), help=write(example))


def not_yes_or_no(span: Span, text: str, guess: str | None) -> Problem:
    return Problem(
        "E216",
        span,
        Said(f"“{text}” is neither yes nor no", f"“{text}”不是 yes 也不是 no"),
        help=write(guess or "yes or no"),
    )


def not_one_of(span: Span, text: str, what: Said, words: tuple[str, ...]) -> Problem:
    return Problem(
        "E218",
        span,
        Said(f"“{text}” is not {what.en}", f"“{text}”不是{what.zh}"),
        label=did_you_mean(nearest(text, words)),
        notes=(Said(f"write one of: {listed(words)}", f"可以写：{listed(words)}"),),
    )


def contradiction(span: Span, message: Said, help: Said, mark: Mark | None = None) -> Problem:
    return Problem("E219", span, message, help=(help,), marks=(mark,) if mark else ())


def not_a_name(span: Span, text: str, what: Said) -> Problem:
    return Problem(
        "E220",
        span,
        Said(f"“{text[:80]}” cannot be {what.en}", f"“{text[:80]}”不能作为{what.zh}"),
        notes=(
            Said(
                "letters, Chinese characters, digits, `_` and `-`; at most 60",
                "可用字母、汉字、数字、`_` 和 `-`，最多 60 个",
            ),
        ),
    )


def id_twice(span: Span, step_id: str, first: Span) -> Problem:
    return Problem(
        "E221",
        span,
        Said(f"the id `{step_id}` is used twice", f"`{step_id}` 这个 id 用了两次"),
        marks=(Mark(first, Said("first used here", "第一次用在这里")),),
        help=(Said("every step of a journey has an id of its own", "旅程里每个步骤的 id 都不能相同"),),
    )


def out_of_range(span: Span, text: str, low: str, high: str) -> Problem:
    return Problem(
        "E222",
        span,
        Said(f"{text} is out of range", f"{text} 超出了范围"),
        help=(Said(f"between {low} and {high}", f"请写 {low} 到 {high} 之间的值"),),
    )


def too_long(span: Span, what: Said, limit: int) -> Problem:
    return Problem("E223", span, Said(f"{what.en} is longer than {limit} characters", f"{what.zh}超过了 {limit} 个字"))


def later(span: Span, word: str) -> Problem:
    return Problem(
        "E290",
        span,
        Said(f"`{word}` is not run by this version yet", f"这个版本还不能运行 `{word}`"),
        help=(Said("leave it out for now", "目前请先不写"),),
    )
