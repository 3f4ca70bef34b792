"""The Jinja environment that chat templates run in: that of `transformers`, with an end to everything.

It is an immutable sandbox with trimmed blocks, loop controls, the functions `raise_exception` and `strftime_now`, the
filter `tojson` and the tag `generation`. The sandbox keeps a template from the machine; a budget keeps it from running
for ever: loop turns, macro calls and items of `range` are counted in each render, and text built by `+`, `*`, `~`
or output is bounded. Single filters that build a huge value (`center(10 ** 9)`) are not: a template comes with
a model folder and is trusted as far as that.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NoReturn

from jinja2 import Template, TemplateError, nodes, pass_context
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment, SecurityError, safe_range
from jinja2.visitor import NodeTransformer

MAX_TURNS = 200_000
MAX_CHARACTERS = 32_000_000
MAX_EXPONENT = 1024
BUDGET = "turns left"  # no identifier, so that no template can name it


class TemplateSandbox(ImmutableSandboxedEnvironment):
    """Compiles templates and renders them within bounds."""

    intercepted_binops = frozenset({"+", "*", "**"})

    def __init__(self, now: Callable[[], datetime]) -> None:
        """`now` is the clock of `strftime_now`."""
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[_GenerationTag, loopcontrols])
        self.filters["tojson"] = _to_json
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = lambda form: now().strftime(form)
        self.globals["range"] = self.counted_range

    def compile_template(self, source: str) -> Template:
        """Raises jinja2.TemplateSyntaxError."""
        tree = _Bounds().visit(self.parse(source))
        tree.set_environment(self)
        return self.from_string(tree)

    def render(self, template: Template, variables: Mapping[str, Any]) -> str:
        """Raises jinja2.TemplateError, and whatever an expression of the template raises."""
        parts, characters = [], 0
        for part in template.generate({**variables, BUDGET: [MAX_TURNS]}):
            characters += len(part)
            _bound(characters)
            parts.append(part)
        return "".join(parts)

    @pass_context
    def take_turn(self, context: Context, turns: int = 1) -> bool:
        """Count a turn of this render's budget."""
        budget = context.resolve(BUDGET)
        budget[0] -= turns
        if budget[0] < 0:
            raise SecurityError(f"it takes more than {MAX_TURNS:,} loop turns")
        return True

    @pass_context
    def counted_range(self, context: Context, *bounds: int) -> range:
        """`range`, which pays for its items at once."""
        items = safe_range(*bounds)
        self.take_turn(context, len(items))
        return items

    def join(self, *parts: Any) -> str:
        """The operator `~`."""
        texts = [str(part) for part in parts]
        _bound(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An intercepted operator, refused where its result would be huge."""
        match operator:
            case "+" if isinstance(left, str | list) and isinstance(right, str | list):
                _bound(len(left) + len(right))
            case "*":
                for sequence, times in ((left, right), (right, left)):
                    if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                        _bound(len(sequence) * times)
            case "**" if isinstance(right, int) and right > MAX_EXPONENT:
                raise SecurityError(f"it raises to a power above {MAX_EXPONENT}")
        return super().call_binop(context, operator, left, right)


class _Bounds(NodeTransformer):
    """Puts a turn into every loop and macro, and makes `~` a call."""

    def visit_For(self, node: nodes.For) -> nodes.For:
        self._count(node)
        if node.test is not None:
            node.test = nodes.And(_turn(node), node.test, lineno=node.lineno)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Macro:
        return self._count(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.CallBlock:
        return self._count(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:
        self.generic_visit(node)
        join = nodes.EnvironmentAttribute("join", lineno=node.lineno)
        return nodes.Call(join, node.nodes, [], None, None, lineno=node.lineno)

    def _count(self, node):
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_turn(node), lineno=node.lineno))
        return node


class _GenerationTag(Extension):
    """`{% generation %}` marks the assistant's tokens for training; in a prompt it is its body."""

    tags: ClassVar[set[str]] = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """Parse up to `endgeneration`."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _turn(node: nodes.Node) -> nodes.Call:
    take_turn = nodes.EnvironmentAttribute("take_turn", lineno=node.lineno)
    return nodes.Call(take_turn, [], [], None, None, lineno=node.lineno)


def _bound(characters: int) -> None:
    if characters > MAX_CHARACTERS:
        raise SecurityError(f"it writes more than {MAX_CHARACTERS:,} characters")


def _raise_exception(message: str) -> NoReturn:
    raise TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is, where Jinja's own filter would escape it for HTML."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
