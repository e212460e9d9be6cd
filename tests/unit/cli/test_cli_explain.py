"""The words of `engage explain`: all that the engine can decide has words in both languages, and fits a terminal."""

import ast
import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from engage.cli.channels_shown import channel_lines
from engage.cli.door_words import WHYS, check_words, reading_lines
from engage.cli.explain_words import EDITS, STEP_WORDS, began_words, step_words
from engage.cli.message_words import message_words, verdict_words, words_of
from engage.cli.moments import read_moment
from engage.cli.reasons import FAILURES, reason_in
from engage.cli.screen import Screen
from engage.cli.trace_words import LINKS
from engage.core.delivery import Status
from engage.core.moving import What
from engage.core.outcome import Failure
from engage.core.problem import Lang
from engage.core.turn import EndKind
from engage.runtime.dispatching.judge import Later
from engage.runtime.insight.door import Check, Part
from engage.runtime.insight.explaining import Line, Story
from engage.store.insight.history import Happening, PastMessage, PastRun
from engage.store.statements.readings import Reading

ROOT = Path(__file__).parents[3] / "engage"
SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)  # 20:30 in Shanghai
STORY = Story(1, "M1", "王芳", SHANGHAI, START, (), 0, (), (), 0, (), ())
_CHINESE = re.compile(r"[一-鿿]")
_OPEN = {"channel": "wechat", "open": True, "why": "客服消息 (wrote to us 1d7h ago, 1/5 left)"}
_OPEN |= {"engagement": "30%", "price": "0", "score": "30.0"}
_SHUT = {"channel": "email", "open": False, "why": "hard bounce"}


def when(moment):
    return f"{moment.astimezone(SHANGHAI):%m-%d %H:%M}"


def a_message(**given):
    names = PastMessage.__dataclass_fields__
    head = {"id": 4, "message_key": "1:gift:0", "topic": "marketing", "purpose": "send", "hop": 0, "attempts": 1}
    head |= {"template": "winback_gift", "step_id": "winback_gift", "status": "sent", "channel": "wechat"}
    return PastMessage(**(dict.fromkeys(names) | head | {"queued_at": START} | given))


def a_run(occurrence, event=None):
    names = PastRun.__dataclass_fields__
    return PastRun(**(dict.fromkeys(names) | {"id": 1, "occurrence": occurrence, "began_with": event}))


# --- everything the engine can say has words ----------------------------------------------------------------------


def calls(*names):
    """Every call of these names in the engine, with the place of its words."""
    for folder in ("core", "runtime", "store", "channels", "content"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", None)) in names:
                    yield node


def texts(node):
    """The text an expression gives; a 7 for each part that is filled in."""
    match node:
        case ast.Constant(value=str() as text):
            return {text}
        case ast.JoinedStr(values=parts):
            return {"".join(part.value if isinstance(part, ast.Constant) else "7" for part in parts)}
        case ast.IfExp(body=one, orelse=other):
            return texts(one) | texts(other)
        case _:
            return set()


def trail_lines():
    """Lines written past `Note`: tuples (bucket, run, step, what, detail)."""
    for folder in ("runtime", "store"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if (
                    isinstance(node, ast.Tuple)
                    and len(node.elts) == 5
                    and isinstance(node.elts[4], ast.Dict | ast.Name | ast.IfExp)
                ):
                    yield from texts(node.elts[3])


def test_every_kind_of_note_has_words():
    noted = {text for call in calls("Note") for text in texts(call.args[0])} | set(trail_lines())
    assert noted >= {"enter", "exit", "branch", "wait", "enroll", "split", "usual_hour"}
    assert noted - set(STEP_WORDS) == set()


_WORDS_AT = {"Skip": 0, "Overtaken": 0, "Later": 1, "Resting": 1, "cancel_messages": 1, "drop_fallbacks": 2}


def reasons():
    for call in calls(*_WORDS_AT):
        place = _WORDS_AT[getattr(call.func, "id", getattr(call.func, "attr", ""))]
        yield from texts(call.args[place]) if len(call.args) > place else ()
    for path, functions in (("core/eligibility.py", {"refusal", "over_cap"}), ("store/enrolling.py", {"_too_soon"})):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name in functions:
                yield from (t for r in ast.walk(node) if isinstance(r, ast.Return) and r.value for t in texts(r.value))


def test_every_reason_for_not_sending_is_told_in_chinese():
    found = set(reasons())
    assert len(found) > 25
    assert {text for text in found if not _CHINESE.search(reason_in(text, Lang.ZH))} == set()


@pytest.mark.parametrize("failure", list(Failure))
def test_every_refusal_of_a_provider_is_told_in_chinese(failure):
    assert reason_in(f"{failure} (45015) out of window", Lang.ZH) == f"{FAILURES[failure]} (45015) out of window"


def test_every_check_of_the_door_has_words_for_its_facts():
    asked = {text for call in calls("Check") for text in texts(call.args[2])}
    asked -= {"7_7"}
    asked |= {"audience_yes", "audience_no", "exclude_yes", "exclude_no", "segment_not_in", "segment_about_to"}
    assert asked - set(WHYS) == set()
    for why, said in WHYS.items():
        names = re.findall(r"{(\w+)}", said.en)
        assert sorted(names) == sorted(re.findall(r"{(\w+)}", said.zh)), why
        check = Check(Part.START, False, why, dict.fromkeys(names, START))
        for lang in Lang:
            assert "{" not in check_words(Screen(lang), check, when)


def test_every_link_of_a_chain_has_words():
    path = ROOT / "runtime" / "insight" / "tracing.py"
    made = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    whats = {text for n in made if getattr(n.func, "id", "") == "Link" for text in texts(n.args[1])}
    assert whats == set(LINKS)


@pytest.mark.parametrize(("lang", "said"), [(Lang.EN, "waits as long as it is paused"), (Lang.ZH, "暂停期间不发出")])
def test_when_what_is_paused_is_looked_at_again_is_not_when_it_goes_out(lang, said):
    assert verdict_words(Screen(lang), Later(START, "paused"), when) == said
    assert verdict_words(Screen(lang), Later(START, "outside sending hours"), when) != said


@pytest.mark.parametrize("kind", EndKind)
def test_every_end_has_words_of_its_own(kind):
    line = Line(START, "exit", None, {"kind": kind, "reason": "the start was not approved"})
    told = {
        EndKind.GOAL: ("goal reached", "达成目标"),
        EndKind.EXIT: ("exit the start was not approved", "退出：没有获得批准"),
        EndKind.COMPLETED: ("end", "走完全程"),
        EndKind.NEVER_BEGAN: ("did not begin: the start was not approved", "没有开始：没有获得批准"),
    }
    assert tuple(step_words(Screen(lang), STORY, line) for lang in (Lang.EN, Lang.ZH)) == told[kind]


def test_every_edit_has_words():
    assert set(EDITS) == set(What)


# --- steps and messages -------------------------------------------------------------------------------------------

_DETAILS = {
    "wait": ({"until": START.isoformat()}, "wait  until 11-23 20:30", "等到 11-23 20:30"),
    "wait_for": (
        {"events": ["clicked", "replied"], "until": START.isoformat()},
        "wait for clicked, replied  until 11-23 20:30",
        "等待 clicked, replied，到 11-23 20:30",
    ),
    "passed_over": (
        {"why": "only_if does not hold"},
        "pass over x: only_if does not hold",
        "略过 x：only_if 条件不成立",
    ),
    "branch": ({"arm": None}, "branch x: none holds, goes on", "分支 x：都不成立，继续"),
    "exit": ({"kind": "goal", "reason": "goal"}, "goal reached", "达成目标"),
    "update": (
        {"set": {"lifecycle": "流失"}, "add": {"points": 200}},
        "update lifecycle=流失, points+200",
        "更新 lifecycle=流失，points+200",
    ),
    "split": ({"way": "关怀", "because": "winner"}, "split x: 关怀 (the winner)", "分流 x：关怀（胜出的一路）"),
    "goto": ({"to": "ask"}, "go to ask", "转到 ask"),
    "rest": (
        {"steps": 200, "until": START.isoformat()},
        "200 steps today are enough: it rests until 11-23 20:30",
        "今天已走 200 步，到上限了：休息到 11-23 20:30",
    ),
    "moved": (
        {"plan": "plan-3f9c", "edit": "retimed", "from": "x", "times": ["3d", "5d"], "until": START.isoformat()},
        "edit plan-3f9c: x is timed anew (3d → 5d)  until 11-23 20:30",
        "修改 plan-3f9c：x 重新计时 (3d → 5d)，到 11-23 20:30",
    ),
    "unheard_of": ({"a": 1}, "unheard_of x {'a': 1}", "unheard_of x {'a': 1}"),
}


@pytest.mark.parametrize("what", sorted(_DETAILS))
def test_a_step_reads_in_both_languages(what):
    detail, en, zh = _DETAILS[what]
    line = Line(START, what, "x", detail)
    assert step_words(Screen(Lang.EN), STORY, line) == en
    assert step_words(Screen(Lang.ZH), STORY, line) == zh


@pytest.mark.parametrize("status", list(Status))
def test_every_state_of_a_message_reads_in_both_languages(status):
    message = a_message(status=status, reason="no channel can be used", due_at=START)
    shown = {lang: message_words(Screen(lang), STORY, message).plain for lang in Lang}
    assert shown[Lang.EN].startswith("send winback_gift")
    assert shown[Lang.EN].endswith(" · delivery 4")
    assert shown[Lang.ZH].startswith("发送 winback_gift")


def test_a_message_that_waited_says_when_it_went_out_and_what_had_held_it_back():
    later = START + timedelta(hours=13)
    message = a_message(first_sent_at=later, held_back="outside sending hours", arrival="delivered", attempts=2)
    said, _, _ = message_words(Screen(Lang.EN), STORY, message).plain.partition(" · ")
    assert said == "send winback_gift via wechat (went out 11-24 09:30 (outside sending hours), delivered, 2 attempts)"
    chinese = message_words(Screen(Lang.ZH), STORY, message).plain
    assert "（11-24 09:30 发出（不在可发送时段），已送达，尝试 2 次）" in chinese


def test_of_the_words_only_their_beginning_is_quoted():
    assert words_of(a_message(text="\n  您好，王芳\n第二行")).plain == "“您好，王芳”"
    assert len(words_of(a_message(text="茶" * 500)).plain) < 60
    assert words_of(a_message(text=None)) is None


@pytest.mark.parametrize(
    ("run", "en", "zh"),
    [
        (a_run("existing"), "was there when the journey was applied", "旅程生效时已符合"),
        (a_run("slot:2026-11-24"), "the time had come: 2026-11-24", "到了约定的时间：2026-11-24"),
        (a_run("lunar:2026"), "the yearly date of 2026 (lunar)", "2026 年的周年日（农历）"),
        (a_run("enroll:7:care:0"), "brought by run 7, step care", "由第 7 次入程的 care 带入"),
        (
            a_run("event:9", Happening(9, "segment_entered", START, {"segment": "VIP"}, START, None, None, False)),
            "entered the segment VIP",
            "进入人群 VIP",
        ),
        (
            a_run("event:9", Happening(9, "order_paid", START, {}, START, None, None, False)),
            "order_paid 11-23 20:30 (event 9)",
            "11-23 20:30 发生 order_paid（事件 9）",
        ),
    ],
    ids=["existing", "slot", "date", "enroll", "segment", "event"],
)
def test_what_began_a_run_reads_in_both_languages(run, en, zh):
    assert began_words(Screen(Lang.EN), STORY, run) == en
    assert began_words(Screen(Lang.ZH), STORY, run) == zh


def test_every_channel_says_why():
    shown = {lang: [line.plain for line in channel_lines(Screen(lang), [_OPEN, _SHUT])] for lang in Lang}
    assert shown[Lang.EN] == [
        "✓ wechat  客服消息 (wrote to us 1d7h ago, 1/5 left); engagement 30%, cost ¥0.000, score 30.0",
        "✗ email   hard bounce",
    ]
    assert shown[Lang.ZH] == [
        "✓ wechat  客服消息 (1d7h 前来过消息，还可发 1/5 条)；预计回应率 30%，成本 ¥0.000，得分 30.0",
        "✗ email   地址永久退信",
    ]


# --- columns and widths -------------------------------------------------------------------------------------------


def test_lines_of_a_condition_are_aligned_whatever_the_script():
    readings = [
        Reading(0, "any:", True),
        Reading(1, "segment: 沉睡90天", False),
        Reading(2, "orders: 1..", False, True, 0),
        Reading(1, "城市: 上海", True, True, "上海"),
        Reading(0, "tag: [VIP, 推荐官]", False, True, []),
        Reading(0, "last_order_at: over 90d ago", False, True, START.isoformat()),
    ]
    told = [line.plain for line in reading_lines(Screen(Lang.EN), readings, when)]
    assert told[0] == "✓ any:"
    assert told[1] == "  ✗ segment: 沉睡90天"
    ends = [cell_len(line.rsplit("   ", 1)[0]) for line in told[2:]]
    assert len(set(ends)) == 1
    assert [line.rsplit("   ", 1)[1] for line in told[2:]] == ["0", "上海", "nothing on file", "11-23 20:30"]


def test_a_long_line_is_folded_and_set_in_on_a_narrow_terminal():
    screen, out = Screen(Lang.ZH), io.StringIO()
    screen._out = Console(file=out, width=50, force_terminal=True, color_system=None, highlight=False)
    text = "  11-24 20:00  " + "48h 回复窗口已于 6h30m 前关闭；营销内容不能用模板消息，" * 3
    screen.hang(Text(text), 15)
    folded = out.getvalue().splitlines()
    assert len(folded) > 3
    assert all(cell_len(line) <= 50 for line in folded)
    assert all(line.startswith(" " * 15) for line in folded[1:])
    assert "".join(line.strip() for line in folded).replace(" ", "") == text.replace(" ", "")


def test_in_a_pipe_nothing_is_folded(capsys):
    Screen(Lang.EN).hang(Text("x " * 400), 15)
    assert capsys.readouterr().out.count("\n") == 1


# --- moments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-24 20:00", "2026-11-24T12:00:00+00:00"),
        ("2026-11-24", "2026-11-24T15:59:59+00:00"),
        ("11-24 20:00", "2026-11-24T12:00:00+00:00"),
        ("11-24", "2026-11-24T15:59:59+00:00"),
        ("2026-11-24T20:00:00Z", "2026-11-24T20:00:00+00:00"),
        ("tomorrow", None),
        ("2026-02-30", None),
        ("", None),
    ],
)
def test_a_moment_is_the_members_own_time_and_a_day_its_end(text, expected):
    moment = read_moment(text, START, SHANGHAI)
    assert (moment.isoformat() if moment else None) == expected
