"""One piece of words, read: what it may contain, which names it uses, and the form in which it is rendered.

Reads Jinja syntax and knows nothing of catalogs, files' front matter or channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.exceptions import TemplateSyntaxError

from engage.content import brace_slips
from engage.content.fault import Fault
from engage.content.sandbox import FILTER_ARGUMENTS, FILTERS, HTML, PLAIN, WordsEnvironment
from engage.core.problem import Said

MAX_SOURCE = 100_000  # characters; the largest shipped layout has 5,000
_DEEPEST_LOOP = 2
_DEEPEST = 50  # conditions and operations inside each other; the deepest shipped template has 9
FUNCTIONS = frozenset({"link", "survey_link", "range"})
FILTER_NAMES = frozenset(name for name in FILTERS if not name.startswith("_"))

_NOT_TO_BE_SET = frozenset({"loop", "self", "super", "caller", "varargs", "kwargs"})  # Jinja's own
_ALLOWED: tuple[type[nodes.Node], ...] = (
    *(nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign),
    *(nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Getattr, nodes.Getitem, nodes.Call),
    *(nodes.Filter, nodes.Test, nodes.CondExpr, nodes.And, nodes.Or, nodes.Not, nodes.Compare, nodes.Operand),
    *(nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv, nodes.Mod, nodes.Neg, nodes.Pos),
)


@dataclass(frozen=True, slots=True)
class Used:
    """A name the words use: ("member", "city"), ("nps", "score"), ("question",). Lines count from 1 in the piece."""

    path: tuple[str, ...]
    line: int

    def __str__(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class UsedLink:
    target: str
    line: int


@dataclass(frozen=True)
class Wording:
    source: str
    html: bool
    names: tuple[Used, ...] = ()
    links: tuple[UsedLink, ...] = ()
    varies: bool = False  # there is Jinja in it

    @cached_property
    def compiled(self) -> JinjaTemplate:
        """What is rendered. Made when it is first wanted: a check reads thousands of words and renders none."""
        environment = _environment(self.html)
        return _compiled(environment, environment.parse(self.source))


def read_wording(source: str, *, html: bool = False) -> Wording | list[Fault]:
    """Read the words, or say everything that is wrong with them."""
    if len(source) > MAX_SOURCE:
        return [Fault("E400", 1, Said(f"longer than {MAX_SOURCE} characters", f"超过 {MAX_SOURCE} 个字符"))]
    if faults := list(brace_slips.printed_as_they_are(source)):
        return faults
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return Wording(source, html)
    try:
        seen = list(_walk(_environment(html).parse(source)))
    except TemplateSyntaxError as error:
        return [brace_slips.behind(error, source)]
    except RecursionError:
        return [_too_deep(1)]
    if faults := list(_faults(seen)):
        return faults
    local = {each.node.name for each in seen if isinstance(each.node, nodes.Name) and each.node.ctx == "store"}
    return Wording(source, html, tuple(_names(seen[0].node, local | {"loop"})), tuple(_links(seen)), varies=True)


def _environment(html: bool) -> WordsEnvironment:
    return HTML if html else PLAIN


# --- what is allowed --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Seen:
    node: nodes.Node
    depth: int
    loops: int  # those it stands in, itself included


def _walk(node: nodes.Node, depth: int = 0, loops: int = 0) -> Iterator[_Seen]:
    loops += isinstance(node, nodes.For)
    yield _Seen(node, depth, loops)
    for child in node.iter_child_nodes():
        yield from _walk(child, depth + 1, loops)


def _faults(seen: list[_Seen]) -> Iterator[Fault]:
    for each in seen[1:]:
        yield from _node_faults(each.node)
    if loop := next((each for each in seen if each.loops > _DEEPEST_LOOP), None):
        yield Fault("E403", loop.node.lineno, Said("loops stand too deep inside each other", "循环嵌套太深"))
    if deepest := next((each for each in seen if each.depth > _DEEPEST), None):
        yield _too_deep(deepest.node.lineno)


def _node_faults(node: nodes.Node) -> Iterator[Fault]:
    match node:
        case nodes.Call():
            yield from _call_faults(node)
        case nodes.Filter() if node.name not in FILTER_NAMES:
            yield _unknown_filter(node)
        case nodes.Filter() if not _takes(node):
            message = Said(f"wrong number of arguments for `{node.name}`", f"`{node.name}` 的参数个数不对")
            yield Fault("E406", node.lineno, message, node.name)
        case nodes.Test() if node.name not in PLAIN.tests:
            yield Fault("E402", node.lineno, Said(f"there is no test `{node.name}`", f"没有 `{node.name}` 这种判断"))
        case nodes.Name() if node.name.startswith("_"):
            yield Fault("E403", node.lineno, Said("names do not begin with _", "名称不能以下划线开头"), node.name)
        case nodes.Name(ctx="store") if node.name in _NOT_TO_BE_SET:
            message = Said(f"`{node.name}` cannot be set", f"不能给 `{node.name}` 赋值")
            yield Fault("E403", node.lineno, message, node.name)
        case nodes.For() if node.recursive:
            yield _refused(node, "recursive loops", "递归循环")
        case nodes.Getattr() if node.attr.startswith("_"):
            yield Fault("E403", node.lineno, Said("names do not begin with _", "名称不能以下划线开头"), node.attr)
        case _ if not isinstance(node, _ALLOWED):
            yield _refused(node, f"`{type(node).__name__.lower()}`", f"“{type(node).__name__.lower()}”")


def _too_deep(line: int) -> Fault:
    return Fault("E403", line, Said("too much stands inside each other", "嵌套太深"))


def _refused(node: nodes.Node, en: str, zh: str) -> Fault:
    return Fault("E403", node.lineno, Said(f"{en} cannot be used in a template", f"模板里不能使用{zh}"))


def _unknown_filter(node: nodes.Filter) -> Fault:
    return Fault(
        "E406",
        node.lineno,
        Said(f"unknown filter `{node.name}`", f"没有名为 `{node.name}` 的过滤器"),
        node.name,
        candidates=tuple(sorted(FILTER_NAMES)),
    )


def _takes(node: nodes.Filter) -> bool:
    least, most = FILTER_ARGUMENTS.get(node.name, (0, 0))
    return least <= len(node.args) <= most and not (node.kwargs or node.dyn_args or node.dyn_kwargs)


def _call_faults(node: nodes.Call) -> Iterator[Fault]:
    name = node.node.name if isinstance(node.node, nodes.Name) else None
    if name not in FUNCTIONS or node.kwargs or node.dyn_args or node.dyn_kwargs:
        message = Said(
            "a template can call link(…), survey_link(…) and range(…) only",
            "模板里只能调用 link(…)、survey_link(…) 和 range(…)",
        )
        help_ = Said("values are changed by filters: {{ … | money }}", "要改变显示方式，请用过滤器：{{ … | money }}")
        yield Fault("E403", node.lineno, message, name, help_)
    elif name == "link" and _link_target(node) is None:
        message = Said("link() needs one target's name in quotes", "link() 需要一个带引号的链接名")
        name = node.args[0].name if node.args and isinstance(node.args[0], nodes.Name) else "shop"
        yield Fault("E403", node.lineno, message, "link", Said(f"write link('{name}')", f"请写 link('{name}')"))
    elif name == "survey_link" and len(node.args) > 1:
        yield Fault(
            "E403", node.lineno, Said("survey_link() takes one score at most", "survey_link() 最多带一个分数"), name
        )


def _link_target(node: nodes.Call) -> str | None:
    match node.args:
        case [nodes.Const(value=str() as target)]:
            return target
        case _:
            return None


# --- what is used -----------------------------------------------------------------------------------------------


def _names(node: nodes.Node, local: set[str]) -> Iterator[Used]:
    """Every dotted name that comes from outside, once for each place."""
    path = _path(node)
    if path is None:
        for child in node.iter_child_nodes():
            yield from _names(child, local)
    elif path[0] not in local and path[0] not in FUNCTIONS:
        yield Used(path, node.lineno)


def _path(node: nodes.Node) -> tuple[str, ...] | None:
    match node:
        case nodes.Name(ctx="load"):
            return (node.name,)
        case nodes.Getattr():
            root = _path(node.node)
            return (*root, node.attr) if root else None
        case nodes.Getitem(arg=nodes.Const(value=str() as key)):
            root = _path(node.node)
            return (*root, key) if root else None
        case _:
            return None


def _links(seen: list[_Seen]) -> Iterator[UsedLink]:
    for call in (each.node for each in seen if isinstance(each.node, nodes.Call)):
        target = _link_target(call)
        if isinstance(call.node, nodes.Name) and call.node.name == "link" and target is not None:
            yield UsedLink(target, call.lineno)


# --- the form that is rendered ----------------------------------------------------------------------------------


def _compiled(environment: WordsEnvironment, tree: nodes.Template) -> JinjaTemplate:
    """Every printed expression goes to the Printer with its name, so that a blank is caught where it is printed."""
    for output in tree.find_all(nodes.Output):
        output.nodes = [
            part if isinstance(part, nodes.TemplateData) else _handed_over(part, part.lineno) for part in output.nodes
        ]
    tree.set_environment(environment)
    return environment.from_string(tree)


def _handed_over(part: nodes.Expr, line: int) -> nodes.Filter:
    name = nodes.Const(_spoken(part) or f"line {line}", lineno=line)
    return nodes.Filter(part, "_printed", [name], [], None, None, lineno=line)


def _spoken(node: nodes.Node) -> str | None:
    """What to call a printed expression: the first name in it."""
    path = _path(node)
    if path:
        return ".".join(path)
    return next((name for child in node.iter_child_nodes() if (name := _spoken(child))), None)
