"""How a problem is shown: the place, the lines, underlines under wide characters, what to do."""

from __future__ import annotations

import json

from journey_desk import catalog, text_of

from engage.core.journey.explain_problem import format_problem, problem_to_json
from engage.core.journey.reading import read_journey
from engage.core.problem import Lang, Mark, Mend, Problem, Said, Severity, Span

SOURCE = """journey: NPS 回访
start: manual
steps:
  - ask: nps
    question: 您有多大可能？
    answer_within: 5天
"""


def test_a_whole_problem_in_english() -> None:
    _, (problem,) = read_journey(SOURCE, "journeys/nps.yaml", catalog())
    assert format_problem(problem, SOURCE, Lang.EN) == (
        "error[E213]: “5天” is not a duration\n"
        " ╭─ journeys/nps.yaml:6:20\n"
        "5 │     question: 您有多大可能？\n"
        "6 │     answer_within: 5天\n"
        "  │                    ━━━\n"
        "  = durations look like 30m, 2h, 3d, 2w, 1d12h\n"
        "  = help: write 5d"
    )


def test_a_whole_problem_in_chinese() -> None:
    _, (problem,) = read_journey(SOURCE, "journeys/nps.yaml", catalog())
    lines = format_problem(problem, SOURCE, Lang.ZH).splitlines()
    assert lines[0] == "错误[E213]：“5天”不是时长"
    assert lines[-1] == "  = 建议：请写 5d"


def test_underlines_start_and_end_under_wide_characters() -> None:
    source = "audience: { 城市: 上海, lifecyle: 活跃 }\n"
    problem = Problem("E301", Span("a", 1, 21, 1, 29), Said("x", "x"), label=Said("did you mean?", ""))
    line, under = format_problem(problem, source, Lang.EN).splitlines()[2:]
    assert line[4:].index("lifecyle") == 20
    assert under == "  │ " + " " * 24 + "━" * 8 + " did you mean?"  # 4 Chinese characters before it: 4 columns more


def test_a_second_place_is_marked_in_the_same_excerpt() -> None:
    source = text_of(steps="  - send: welcome\n    wait: 2d")
    _, (problem,) = read_journey(source, "a.yaml", catalog())
    assert format_problem(problem, source, Lang.EN).splitlines()[2:] == [
        "4 │ steps:",
        "5 │   - send: welcome",
        "  │     ──── this step already has a verb",
        "6 │     wait: 2d",
        "  │     ━━━━ second verb in the same step",
        "  = help: add “- ” in front to make it the next step:",
        "      - wait: …",
    ]


def test_places_far_apart_leave_out_what_lies_between() -> None:
    source = "\n".join(f"k{number}: v" for number in range(1, 13)) + "\nk1: w\n"
    _, problems = read_journey(source, "a.yaml", catalog())
    twice = next(problem for problem in problems if problem.code == "E107")
    shown = format_problem(twice, source, Lang.EN).splitlines()
    assert shown[1:8] == [
        "  ╭─ a.yaml:13:1",
        " 1 │ k1: v",
        "   │ ── first time",
        "   ⋮",
        "12 │ k12: v",
        "13 │ k1: w",
        "   │ ━━ second time",
    ]


def test_a_place_without_source_is_only_named() -> None:
    problem = Problem("E100", Span("gone.yaml", 7, 1, 7, 2), Said("no", "不"), severity=Severity.WARNING)
    assert format_problem(problem, "", Lang.EN) == "warning[E100]: no\n ╭─ gone.yaml:7:1"
    assert format_problem(problem, "", Lang.ZH).startswith("警告[E100]：不")


def test_a_file_cannot_steer_the_terminal() -> None:
    problem = Problem("E110", Span("a", 1, 4, 1, 5), Said("x", "x"))
    shown = format_problem(problem, "a:\t\x1b[31mred\n", Lang.EN)
    assert "\x1b" not in shown
    assert "a:→·[31mred" in shown


def test_a_very_long_line_is_cut_around_the_place() -> None:
    source = "茶" * 5000 + "X" + "茶" * 5000
    shown = format_problem(Problem("E1", Span("a", 1, 5001, 1, 5002), Said("x", "x")), source, Lang.EN).splitlines()
    assert len(shown[2]) < 200
    assert "X" in shown[2]


def test_a_place_that_spans_lines_is_underlined_to_the_end_of_the_first() -> None:
    shown = format_problem(Problem("E1", Span("a", 1, 4, 2, 3), Said("x", "x")), "a: bcd\n  e\n", Lang.EN)
    assert shown.splitlines()[-1] == "  │    ━━━"


def test_json_is_in_one_language_and_has_every_place() -> None:
    mark = Mark(Span("a", 1, 1, 1, 2), Said("here", "这里"))
    problem = Problem("E204", Span("a", 2, 3, 2, 5), Said("m", "信"), label=Said("l", "标"), marks=(mark,))
    data = json.loads(json.dumps(problem_to_json(problem, Lang.ZH)))
    assert data == {
        "code": "E204",
        "severity": "error",
        "file": "a",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 5,
        "message": "信",
        "label": "标",
        "notes": [],
        "help": [],
        "marks": [
            {
                "file": "a",
                "line": 1,
                "column": 1,
                "end_line": 1,
                "end_column": 2,
                "label": "这里",
            }
        ],
        "mend": None,
    }


def test_json_offers_the_mend_to_editors() -> None:
    problem = Problem("E1", Span("a", 1, 1, 1, 3), Said("m", "信"), mend=Mend(Span("a", 1, 1, 1, 2), "3d", sure=False))
    place = {"file": "a", "line": 1, "column": 1, "end_line": 1, "end_column": 2}
    assert problem_to_json(problem, Lang.EN)["mend"] == {**place, "text": "3d", "sure": False}
