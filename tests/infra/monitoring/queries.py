"""The PromQL of dashboards and rules, and what it selects."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

MONITORING = Path(__file__).parents[3] / "infra" / "monitoring"
DASHBOARDS = tuple(sorted(MONITORING.glob("dashboards/*.json")))
RULES = MONITORING / "rules.yaml"

# What Grafana puts in place of its variables, as far as a parser cares.
VARIABLES = {"$__rate_interval": "1m", "$model": ".*", "$cell": ".*"}


def panels(dashboard: Path) -> list[dict[str, Any]]:
    """The panels of a dashboard."""
    return json.loads(dashboard.read_text("utf-8"))["panels"]


def filled(expression: str) -> str:
    """A panel's expression with its variables filled in."""
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def dashboard_queries() -> list[str]:
    """Every expression of every dashboard, filled."""
    return [filled(t["expr"]) for dashboard in DASHBOARDS for panel in panels(dashboard) for t in panel["targets"]]


def rule_queries() -> list[str]:
    """Every expression of the rules."""
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def selectors(query: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Each series that a query selects: its name, and the values that its labels are matched with.

    Raises ValueError for what is no PromQL.
    """
    yield from _selectors(promql_parser.parse(query))


def grouping(query: str) -> set[str]:
    """The labels that a query groups by."""
    return set(_labels(promql_parser.parse(query)))


def _selectors(node: Any) -> Iterator[tuple[str, dict[str, str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield node.name, {matcher.name: matcher.value for matcher in node.matchers.matchers}
    for child in _children(node):
        yield from _selectors(child)


def _labels(node: Any) -> Iterator[str]:
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        yield from node.modifier.labels
    for child in _children(node):
        yield from _labels(child)


def _children(node: Any) -> list[Any]:
    if isinstance(node, promql_parser.MatrixSelector):
        return [node.vector_selector]
    if isinstance(node, promql_parser.Call):
        return list(node.args)
    return [child for name in ("expr", "lhs", "rhs") if (child := getattr(node, name, None)) is not None]
