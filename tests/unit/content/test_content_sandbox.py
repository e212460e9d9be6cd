"""Templates reach nothing: no attribute, no method, no memory to fill; checked or not."""

from __future__ import annotations

from datetime import UTC

import pytest
from content_builders import errors_of, said
from jinja2.exceptions import TemplateError

from engage.content.render import DASH, Missing, render_words
from engage.content.sandbox import HTML, PLAIN, PRINTER, Printer, WordsEnvironment, room_functions
from engage.content.values import as_is
from engage.core.words import Rendered

ATTACKS = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''['__class__'] }}",
    "{{ member['__class__'] }}",
    "{{ member.__init__.__globals__ }}",
    "{{ link.__globals__ }}",
    "{{ link.call.__globals__ }}",
    "{{ link['call'] }}",
    "{{ range.__self__ }}",
    "{{ self }}",
    "{{ self.__init__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__ }}",
    "{{ joiner }}",
    "{{ namespace }}",
    "{{ config }}",
    "{{ request.application }}",
    "{{ dict }}",
    "{{ (1).real }}",
    "{{ [].append }}",
    "{{ [].append(1) }}",
    "{{ member.items() }}",
    "{{ member.pop('name') }}",
    "{{ options.clear() }}",
    "{{ 'x'.join(['a']) }}",
    "{{ '%s' % member }}",
    "{{ '%999999999d' % 1 }}",
    "{{ '{0.__class__}'.format(1) }}",
    "{{ 'a' * 999999999 }}",
    "{{ [1] * 999999999 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ member | attr('__class__') }}",
    "{{ member | map(attribute='x') | list }}",
    "{{ member | pprint }}",
    "{{ '<script>' | safe }}",
    "{{ _printer }}",
    "{{ _printer.missing }}",
    "{% for a in range(999999999) %}x{% endfor %}",
    "{% for a in range(900) %}{% for b in range(900) %}x{% endfor %}{% endfor %}",
    "{% set x = 'a' * 99999 %}{{ x }}",
    "{% set x %}{{ member }}{% endset %}",
    "{% with x = member %}{{ x }}{% endwith %}",
    "{% filter upper %}x{% endfilter %}",
    "{% call link('shop') %}{% endcall %}",
    "{% do member.clear() %}",
    "{% raw %}{{ member.name }}{% endraw %}{{ ''.__class__ }}",
    "{{ loop.__class__ }}",
    "{% for a in options %}{{ loop.__class__ }}{{ loop.cycle('a') }}{% endfor %}",
    "{{ now.__class__ }}",
    "{{ now.year }}",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_when_the_file_is_loaded(attack: str) -> None:
    refused = errors_of(attack)
    if not refused:  # within the grammar, so it must fail when it runs
        assert isinstance(said(attack, {"options": ["a"]}), Missing)


@pytest.mark.parametrize("attack", [attack for attack in ATTACKS if PRINTER not in attack])
@pytest.mark.parametrize("room", [PLAIN, HTML], ids=["plain", "html"])
def test_words_that_were_never_checked_reach_nothing_either(attack: str, room: WordsEnvironment) -> None:
    """The same attacks against the bare room, without the grammar in front of it."""
    context = {
        "member": {"name": "王芳"},
        "options": ["a"],
        PRINTER: Printer(UTC, as_is),
        **room_functions(lambda target: "L", lambda score=None: "S"),
    }
    try:
        text = room.from_string(attack).render(context)
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError):  # whatever stops it, nothing got out
        return
    assert len(text) < 10_000
    for leak in ("class", "function", "object", "module", "globals", "<script>", "built-in", "Printer"):
        assert leak not in text


def test_the_output_of_a_message_is_bounded() -> None:
    source = "{% for a in range(900) %}这是一句不短的话，" + "很长" * 10 + "{% endfor %}"
    found = said(source)
    assert isinstance(found, Missing)
    assert "2048 bytes" in found.why


def test_template_marks_in_a_value_stop_the_message() -> None:
    found = said("{{ member.name }}您好", {"member": {"name": "{{ 7 * 7 }}"}})
    assert isinstance(found, Missing)
    assert found.names == ()


def test_a_loop_within_the_budget_runs() -> None:
    rendered = said("{% for a in range(0, 11) %}{{ a }} {% endfor %}")
    assert isinstance(rendered, Rendered)
    assert rendered.body == "0 1 2 3 4 5 6 7 8 9 10"


def test_words_for_staff_print_a_dash_and_stop_nothing() -> None:
    assert render_words("{{ member.name }} 打了 {{ var.score }} 分：“{{ var.comment }}”", {"var": {"score": 3}}) == (
        "— 打了 3 分：“—”"
    )
    assert render_words("没有变量", {}) == "没有变量"
    assert render_words("{{ member.spent | money }}", {"member": {"spent": 1268}}) == "¥1,268"
    assert render_words("{{ 1 + var.x }}", {"var": {"x": "a"}}) == DASH
    assert render_words("{{ link('shop') }}", {}) == DASH


def test_a_passed_dash_is_missing_again_where_a_message_prints_it() -> None:
    passed = render_words("{{ nps.comment }}", {"nps": {"score": 3}})
    rendered = said("抱歉。{% if var.comment %}“{{ var.comment }}”{% endif %}", {"var": {"comment": passed}})
    assert isinstance(rendered, Rendered)
    assert rendered.body == "抱歉。"


def test_words_that_check_refuses_are_a_fault() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        render_words("{{ ''.__class__ }}", {})
