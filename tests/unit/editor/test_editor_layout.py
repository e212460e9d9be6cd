"""`engage fmt`: one layout, the same meaning, every comment where it was."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import yaml
from editor_desk import FILES, JOURNEYS, catalog
from hypothesis import given, settings
from hypothesis import strategies as st

from engage.core.journey.nodes import Listing, Node, Scalar, read_nodes
from engage.core.journey.reading import read_journey
from engage.editor.layout import laid_out

UNTIDY = """\
journey:   测试   # title


start: {event:  order_paid,where: {event.amount: 5..}}      # start
audience: {city: [ 上海,北京 ],
           level: 1}
steps:
- send:   welcome
    


# 一段说明
- wait: 3d
  # inside
  only_if:
      any:
      -   {city: 上海}
      -   tag: VIP
          level:
             2..
  label: "two
     lines"
- notify: x
  task: |
        a
          b

        c


- notify: x
  task: >-  
     a
  # after the text
# at the end


"""

TIDY = """\
journey: 测试     # title

start: { event: order_paid, where: { event.amount: 5.. } }  # start
audience: { city: [上海, 北京],
           level: 1 }
steps:
  - send: welcome

  # 一段说明
  - wait: 3d
    # inside
    only_if:
      any:
        - { city: 上海 }
        - tag: VIP
          level:
            2..
    label: "two
       lines"
  - notify: x
    task: |
      a
        b

      c

  - notify: x
    task: >-
      a
    # after the text
# at the end
"""


def said(source: str) -> object:
    node, problems = read_nodes(source, "")
    assert problems == []
    assert node is not None
    return content(node)


def content(node: Node) -> object:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Listing):
        return [content(item) for item in node.items]
    return {entry.key.text: content(entry.value) for entry in node.entries}


def comments(source: str) -> list[str]:
    """By PyYAML's tokens: what stands between them and is no space."""
    ends, found = 0, []
    for token in yaml.scan(source):
        between = source[ends : token.start_mark.index]
        found += re.findall(r"#[^\n]*", between)
        ends = max(ends, token.end_mark.index)
    return found


def test_an_untidy_file_becomes_tidy() -> None:
    assert laid_out(UNTIDY) == TIDY
    assert laid_out(TIDY) == TIDY


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_is_shipped_is_laid_out(path: Path) -> None:
    source = path.read_text("utf-8")
    assert laid_out(source) == source


@pytest.mark.parametrize(
    ("written", "tidy"),
    [
        ("a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n"),
        ("\ufeffa: 1", "a: 1\n"),
        ("a:\t1\t# c\nb: [1,\t2]\t\n", "a: 1  # c\nb: [1, 2]\n"),
        ("a: 'x\ty'\nb: |\n  x\ty\n", "a: 'x\ty'\nb: |\n  x\ty\n"),
        ("---  # x\na: 1\n...\n", "---  # x\na: 1\n...\n"),
        ("\n\n# c\n\n\n\na: 1\n\n\n", "# c\n\na: 1\n"),
        ("a: []\nb: {}\nc: [ ]\n", "a: []\nb: {}\nc: []\n"),
        ("a: [{b: 1},{c: [d]}]\n", "a: [ { b: 1 }, { c: [d] } ]\n"),
        ("a: [[b],[c]]\n", "a: [ [b], [c] ]\n"),
        ('a : "x: y"\n', 'a: "x: y"\n'),
        ("  a: 1\n  b: 2\n", "a: 1\nb: 2\n"),
        ("a:\n    - - b\n      - c\n", "a:\n  - - b\n    - c\n"),
        ("a: |2\n    b\n   c\n", "a: |2\n    b\n   c\n"),
        ("a: |+\n  b\n\n\n\nc: d\n", "a: |+\n  b\n\n\n\nc: d\n"),
        ("a:\n- b\n# top\nc: d\n", "a:\n  - b\n# top\nc: d\n"),
        (
            "a: b         # one\ncd: {e: f}   # two\n",
            "a: b         # one\ncd: { e: f } # two\n".replace(" # two", "  # two"),
        ),
    ],
)
def test_each_kind_of_untidiness(written: str, tidy: str) -> None:
    assert laid_out(written) == tidy
    assert laid_out(tidy) == tidy


@pytest.mark.parametrize(
    "broken", ["a: [", "a: 1\na: 2\n", "a: &x 1\nb: *x\n", "", "? a\n: b\n", "%YAML 1.1\n---\na: 1\n", "a: b\n  c: d\n"]
)
def test_what_cannot_be_laid_out_is_left_alone(broken: str) -> None:
    assert laid_out(broken).rstrip("\n") == broken.rstrip("\n")


# --- the meaning stands -----------------------------------------------------------------------------------------


def widened(source: str, times: int) -> str:
    """Indented by 2, 4 or 6."""

    def wider(start: re.Match[str]) -> str:
        return start[0].replace(" ", " " * times).replace("-" + " " * times, "-" + " " * (2 * times - 1))

    return "\n".join(re.sub(r"^ *(?:- )*", wider, line) for line in source.split("\n"))


def ruffled(source: str, rng: random.Random) -> str:
    """The same file by somebody with other habits: deeper indentation, more spaces, more lines."""
    lines = []
    for line in widened(source, rng.randint(1, 3)).split("\n"):
        if ": {" in line and rng.random() < 0.5:
            line = re.sub(r"(?<!\{)\{ (?!\{)([^\"{}|]*) \}", r"{\1}", line)
        if rng.random() < 0.3:
            line = re.sub(r"^( *(?:- )?[\w.]+): (?=\S)", lambda m: m[1] + ":" + " " * rng.randint(1, 4), line)
        lines.append(line + " " * (rng.randint(0, 3) if rng.random() < 0.3 else 0))
        if rng.random() < 0.1:
            lines += [""] * rng.randint(1, 3)
        if rng.random() < 0.1:
            lines.append(" " * (len(line) - len(line.lstrip())) + "# 注释")
    return ("\r\n" if rng.random() < 0.3 else "\n").join(lines)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_other_habits_come_out_the_same_and_mean_the_same(path: Path) -> None:
    rng = random.Random(path.name)
    source = path.read_text("utf-8")
    for _ in range(15):
        other = ruffled(source, rng)
        result = laid_out(other)
        assert said(result) == said(other) == said(source)
        assert laid_out(result) == result
        assert comments(result) == [comment.rstrip() for comment in comments(other.replace("\r\n", "\n"))]
        assert not re.search(r"[ \t]$|\r|\n\n\n", result, re.MULTILINE)


def test_a_journey_reads_as_the_same_journey() -> None:
    for path in JOURNEYS:
        source = path.read_text("utf-8")
        wide = widened(source, 2)
        assert wide != source
        assert laid_out(wide).replace(" ", "") == source.replace(" ", "")
        assert read_journey(laid_out(wide), path.name, catalog()) == read_journey(source, path.name, catalog())


words = st.sampled_from(
    ["a", "茶", "x y", '"q: {"', "'it''s'", "{{ m }}", "9..", "-3", '"a\\\n   b"', "w: x", "", "# no"]
)
small = st.recursive(
    words.map(lambda word: [word]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(
            lambda each: [f"- {a}" if i == 0 else f"  {a}" for b in each for i, a in enumerate(b)]
        ),
        st.lists(inner, min_size=1, max_size=3).map(
            lambda each: [line for n, b in enumerate(each) for line in [f"k{n}:   # c{n}", *(f"   {a}" for a in b)]]
        ),
        st.lists(inner, max_size=3).map(lambda each: ["[ " + " ,".join("".join(b) for b in each) + "]"]),
        st.lists(inner, max_size=2).map(
            lambda each: ["{" + ",".join(f"k{n}:  {''.join(b)}" for n, b in enumerate(each)) + " }"]
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(small)
def test_no_yaml_changes_its_meaning(lines: list[str]) -> None:
    source = "\n".join(lines) + "\n"
    result = laid_out(source)
    node, problems = read_nodes(source, "")
    if node is not None and not problems:
        assert said(result) == content(node)
    assert laid_out(result) == result
