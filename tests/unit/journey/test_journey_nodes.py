"""YAML text → located nodes, and what is said about text that is not YAML."""

from __future__ import annotations

import pytest
from journey_desk import found, underlined

from engage.core.journey.nodes import MAX_CHARACTERS, Listing, Scalar, Table, read_nodes


def problems_of(source: str) -> list[tuple[str, str]]:
    _, problems = read_nodes(source, "x.yaml")
    return [(problem.code, underlined(source, problem)) for problem in problems]


@pytest.mark.parametrize(
    "text", ["yes", "NO", "10:30", "0123", "2026-02-29", "1e3", "null", "~", "0x1F", "500..", "60%"]
)
def test_no_implicit_type_is_applied(text: str) -> None:
    node, problems = read_nodes(f"key: {text}\n", "x.yaml")
    assert problems == []
    assert isinstance(node, Table)
    value = node.get("key")
    assert isinstance(value, Scalar)
    assert value.text == text


def test_every_node_knows_its_place() -> None:
    node, _ = read_nodes("标题: 茶\nsteps:\n  - send: 'welcome'\n", "x.yaml")
    assert isinstance(node, Table)
    steps = node.get("steps")
    assert isinstance(steps, Listing)
    step = steps.items[0]
    assert isinstance(step, Table)
    value = step.get("send")
    assert isinstance(value, Scalar)
    assert (value.span.file, value.span.line, value.span.column, value.span.end_column) == ("x.yaml", 3, 11, 20)
    assert value.part(0, 3).column == 12  # behind the quotation mark


def test_a_byte_order_mark_is_not_part_of_the_first_key() -> None:
    node, problems = read_nodes("\ufeffjourney: 茶\n", "x.yaml")
    assert problems == []
    assert isinstance(node, Table)
    assert node.entries[0].key.text == "journey"
    assert node.entries[0].key.span.column == 1


def test_a_key_given_twice_points_at_both_and_keeps_the_first() -> None:
    source = "a: 1\nb: 2\na: 3\n"
    node, problems = read_nodes(source, "x.yaml")
    assert isinstance(node, Table)
    assert [(entry.key.text, entry.value.text) for entry in node.entries if isinstance(entry.value, Scalar)] == [
        ("a", "1"),
        ("b", "2"),
    ]
    assert [(problem.code, problem.span.line) for problem in problems] == [("E107", 3)]
    assert problems[0].marks[0].span.line == 1


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: &x b\n", [("E106", "&")]),
        ("a: !secret b\n", [("E106", "!")]),
        ("a: 1\n--- \nb: 2\n", [("E109", "---")]),
        ("", [("E109", "")]),
        ("# nothing here\n", [("E109", "#")]),
        ("a: \x07b\n", [("E110", "\x07")]),
        ("? [a, b]\n: c\n", [("E108", "[a, b]")]),
        ("a: {{ member.name }}\n", [("E103", "{{ member.name }}")]),
        ('a: "\\UFFFFFFFF"\n', [("E100", "a")]),
    ],
)
def test_what_yaml_allows_and_we_do_not(source: str, expected: list[tuple[str, str]]) -> None:
    if source:
        assert problems_of(source) == expected
    else:
        assert [problem.code for problem in read_nodes(source, "x.yaml")[1]] == ["E109"]


def test_a_billion_laughs_is_refused_before_anything_is_expanded() -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, earlier in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{earlier}'] * 9)}]")
    node, problems = read_nodes("\n".join(lines), "x.yaml")
    assert node is None
    assert {problem.code for problem in problems} == {"E106"}


def test_size_and_depth_are_bounded() -> None:
    assert [p.code for p in read_nodes("a" * (MAX_CHARACTERS + 1), "x.yaml")[1]] == ["E105"]
    assert [p.code for p in read_nodes("[" * 5000, "x.yaml")[1]] == ["E105"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("journey：茶\nstart: manual\n", [("E101", "：")]),
        ("start: ｛ event: a }\nb: c: d\n", [("E101", "｛")]),
        ("start: { event： a }\nb: [\n", [("E101", "：")]),
        ("channels: [wechat，sms\n", [("E101", "，")]),
        ("start: { date: birthday， at: 10:00\n", [("E101", "，")]),
        ("steps:\n\t- send: a\n", [("E102", "\t")]),
        ("text: {{ member.name }}，您好\na: b\n", [("E103", "{{ member.name }}")]),
        ("points: >= 500\na: b\n", [("E104", ">= 500")]),
        ("points: > 500\na: b\n", [("E104", "> 500")]),
        ("start:manual\nsteps: []\n", [("E111", "start:")]),
        ("steps:\n  - send: a\n   channels: [b]\n", [("E100", "channels: [b]")]),
        ("a: [b, c\n", [("E100", "a: [b, c")]),
        ('a: "b\n\n', [("E100", '"b')]),
        ("a: @b\n", [("E100", "@b")]),
        ("a: b: c\n", [("E100", "b: c")]),
        ("a: >x\n", [("E100", "a: >x")]),
        ("a: b\nc\n", [("E100", "c")]),
    ],
)
def test_a_broken_file_is_explained_by_its_text(source: str, expected: list[tuple[str, str]]) -> None:
    assert problems_of(source) == expected


def test_all_slips_of_a_broken_file_are_found_at_once() -> None:
    source = "journey：茶\naudience: { points: >= 5 }\nsteps:\n\t- send: a\n"
    assert problems_of(source) == [("E101", "："), ("E104", ">= 5"), ("E102", "\t")]


def test_full_width_punctuation_in_words_is_nobodys_mistake() -> None:
    source = (
        "note: |\n  shop：请看，［这里］\n  points: >= 500\nlabel: 说“您好：{{ x }}”  # start：a\ntask: '｛a｝'\nb: [\n"
    )
    assert problems_of(source) == [("E100", "b: [")]


@pytest.mark.parametrize(
    ("comparison", "help"),
    [
        (">= 500", "write 500.."),
        ("≤ 6", "write ..6"),
        ("> 500", "write 501..  (both ends are included)"),
        ("< 6.5", "write ..6.5  (both ends are included)"),
        ("== 3", "write 3"),
        ("!= 3", "write  not: { …: 3 }"),
    ],
)
def test_comparisons_are_translated_to_ranges(comparison: str, help: str) -> None:
    _, problems = read_nodes(f"a: b: c\npoints: {comparison}\n", "x.yaml")
    assert [said.en for problem in problems for said in problem.help] == [help]


def test_the_quoting_advice_survives_quotation_marks() -> None:
    _, problems = read_nodes('a: {{ x | default("您") }}\n', "x.yaml")
    assert "write '{{ x | default(\"您\") }}'" in problems[0].help[0].en


def test_a_file_that_is_not_a_mapping() -> None:
    assert found("- a\n- b\n") == [("E205", "- a")]
