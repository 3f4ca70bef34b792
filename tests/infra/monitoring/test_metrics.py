"""Dashboards, rules and Terraform ask for metrics that the gateways export, by labels that these have."""

import re
from pathlib import Path

import promql_parser
import pytest

from tests.infra.exported_metrics import exported
from tests.infra.kubernetes.manifests import SOURCE, build, only
from tests.infra.monitoring.queries import MONITORING, dashboard_queries, grouping, rule_queries, selectors

QUERIES = sorted({*dashboard_queries(), *rule_queries()})
OF_ENGINES = {name for name, series in exported().items() if series.engine}


@pytest.mark.parametrize("query", QUERIES)
def test_queries_name_what_is_exported(query: str):
    """Series and labels; besides the exported ones there are those that scraping adds."""
    scraped = {
        label["to"] for label in only(build(SOURCE / "fleet-gke"), "PodMonitoring")["spec"]["targetLabels"]["fromPod"]
    }
    found = list(selectors(query))
    assert {name for name, _ in found} <= exported().keys()
    for name, matchers in found:
        assert matchers.keys() | grouping(query) <= exported()[name].labels | scraped | {"le"}


def test_every_metric_is_shown_or_watched():
    """A metric that nobody looks at is missing from a dashboard; so are the parts that every histogram has."""
    shown = {name for query in QUERIES for name, _ in selectors(query)}
    parts = re.compile(r"_(created|sum|count)$")
    hidden = {name for name in exported() if not parts.search(name)} - shown
    assert hidden == {"vllm:request_inference_time_seconds_bucket"}  # the sum of two that are shown


@pytest.mark.parametrize("query", [query for query in QUERIES if OF_ENGINES & {name for name, _ in selectors(query)}])
def test_an_engine_is_counted_once(query: str):
    """All gateways of a cell report the same engine, so its series are never added up."""
    assert not list(_summed(promql_parser.parse(query), within=None))


def test_summing_would_be_noticed():
    query = "sum by (model_name) (vllm:num_requests_running) + max(vllm:num_requests_waiting)"
    assert list(_summed(promql_parser.parse(query), within=None)) == ["vllm:num_requests_running"]


@pytest.mark.parametrize(
    "folder", [MONITORING, SOURCE, MONITORING.parent / "terraform"], ids=lambda folder: folder.name
)
def test_no_file_names_another_metric(folder: Path):
    texts = [file.read_text("utf-8") for file in folder.rglob("*") if file.is_file() and ".terraform" not in file.parts]
    named = {name for text in texts for name in re.findall(r"vllm:\w+", text)}
    assert named <= exported().keys()


def _summed(node, within: str | None):
    """Series of engines whose nearest aggregation adds them up."""
    if isinstance(node, promql_parser.VectorSelector):
        if node.name in OF_ENGINES and within == "sum":
            yield node.name
        return
    if isinstance(node, promql_parser.AggregateExpr):
        within = str(node.op).rpartition(".")[2].lower()
    children = [getattr(node, name, None) for name in ("expr", "lhs", "rhs", "vector_selector")]
    for child in [*filter(None, children), *(node.args if isinstance(node, promql_parser.Call) else [])]:
        yield from _summed(child, within)
