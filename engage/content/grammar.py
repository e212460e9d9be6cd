"""One piece of words, read: what it may contain, which names it uses, and the form in which it is rendered.

Reads Jinja syntax and knows nothing of catalogs, files' front matter or channels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from jinja2 import Template as JinjaTemplate
from jinja2 import nodes
from jinja2.exceptions import TemplateError, TemplateSyntaxError

from engage.content.sandbox import FILTER_ARGUMENTS, FILTERS, HTML, PLAIN, WordsEnvironment
from engage.core.problem import Said

MAX_SOURCE = 100_000  # characters; the largest shipped layout has 5,000
_DEEPEST_LOOP = 2
FUNCTIONS = frozenset({"link", "survey_link", "range"})
FILTER_NAMES = frozenset(name for name in FILTERS if not name.startswith("_"))

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


@dataclass(frozen=True, slots=True)
class Fault:
    """Something these words may not contain. `word` is what to underline on the line, if it can be found there."""

    code: str
    line: int
    message: Said
    word: str | None = None
    help: Said | None = None
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wording:
    source: str
    html: bool
    names: tuple[Used, ...] = ()
    links: tuple[UsedLink, ...] = ()
    compiled: JinjaTemplate | None = field(default=None, compare=False, repr=False)  # None: no Jinja in it


def read_wording(source: str, *, html: bool = False) -> Wording | list[Fault]:
    """Compile the words, or say everything that is wrong with them."""
    if len(source) > MAX_SOURCE:
        return [Fault("E400", 1, Said(f"longer than {MAX_SOURCE} characters", f"超过 {MAX_SOURCE} 个字符"))]
    if not any(mark in source for mark in ("{{", "{%", "{#")):
        return Wording(source, html)
    environment = HTML if html else PLAIN
    try:
        tree = environment.parse(source)
        faults = list(_faults(tree))
        if faults:
            return faults
        local = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "store"} | {"loop"}
        return Wording(source, html, tuple(_names(tree, local)), tuple(_links(tree)), _compiled(environment, tree))
    except TemplateSyntaxError as error:
        return [_syntax(error)]
    except (TemplateError, RecursionError) as error:
        return [Fault("E402", 1, Said(f"the template cannot be read: {error}", f"模板无法读取：{error}"))]


def _syntax(error: TemplateSyntaxError) -> Fault:
    return Fault(
        "E402",
        error.lineno,
        Said(f"this is not valid template syntax: {error.message}", f"模板语法有误：{error.message}"),
        help=Said(
            "values stand in {{ … }}, choices in {% if … %} … {% endif %}",
            "取值写成 {{ … }}，条件写成 {% if … %} … {% endif %}",
        ),
    )


# --- what is allowed --------------------------------------------------------------------------------------------


def _faults(tree: nodes.Template) -> Iterator[Fault]:
    for node in _walk(tree):
        match node:
            case nodes.Call():
                yield from _call_faults(node)
            case nodes.Filter() if node.name not in FILTER_NAMES:
                yield _unknown_filter(node)
            case nodes.Filter() if not _takes(node):
                message = Said(f"wrong number of arguments for `{node.name}`", f"`{node.name}` 的参数个数不对")
                yield Fault("E406", node.lineno, message, node.name)
            case nodes.Name() if node.name.startswith("_"):
                yield Fault("E403", node.lineno, Said("names do not begin with _", "名称不能以下划线开头"), node.name)
            case nodes.For() if node.recursive:
                yield _refused(node, "recursive loops", "递归循环")
            case nodes.Getattr() if node.attr.startswith("_"):
                yield Fault("E403", node.lineno, Said("names do not begin with _", "名称不能以下划线开头"), node.attr)
            case _ if not isinstance(node, _ALLOWED):
                yield _refused(node, f"`{type(node).__name__.lower()}`", f"“{type(node).__name__.lower()}”")
    if _loop_depth(tree) > _DEEPEST_LOOP:
        yield Fault("E403", 1, Said("loops stand too deep inside each other", "循环嵌套太深"))


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    for child in node.iter_child_nodes():
        yield child
        yield from _walk(child)


def _loop_depth(node: nodes.Node) -> int:
    deepest = max((_loop_depth(child) for child in node.iter_child_nodes()), default=0)
    return deepest + isinstance(node, nodes.For)


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
        yield Fault("E403", node.lineno, message, name)
    elif name == "link" and _link_target(node) is None:
        message = Said("link() needs one target's name in quotes", "link() 需要一个带引号的链接名")
        yield Fault("E403", node.lineno, message, "link", Said("write link('shop')", "写成 link('shop')"))
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


def _links(tree: nodes.Template) -> Iterator[UsedLink]:
    for call in tree.find_all(nodes.Call):
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
