"""Alerts and charts ask for metrics that the gateways export, and put them together as they are to be."""

import json

import pytest

from tests.infra.exported_metrics import exported
from tests.infra.monitoring.queries import grouping, selectors
from tests.infra.terraform.command import Terraform

SCRAPED = {"cluster", "cell"}  # labels that managed Prometheus and the manifests add


@pytest.fixture(scope="module")
def queries(terraform: Terraform) -> list[str]:
    """All PromQL of the module: the alerts' and the dashboard's."""
    outputs = terraform.states("modules/monitoring")["watches_what_users_feel"]["outputs"]
    tiles = json.loads(outputs["dashboard"]["value"])["mosaicLayout"]["tiles"]
    charts = [data for tile in tiles for data in tile["widget"]["xyChart"]["dataSets"]]
    return [
        *outputs["queries"]["value"].values(),
        *(chart["timeSeriesQuery"]["prometheusQuery"] for chart in charts),
    ]


def test_every_series_is_exported_with_its_labels(queries: list[str]):
    selected = [(query, name, set(labels)) for query in queries for name, labels in selectors(query)]
    assert len({name for _, name, _ in selected}) >= 10
    for query, name, labels in selected:
        assert labels - SCRAPED <= exported()[name].labels
        assert grouping(query) - SCRAPED <= exported()[name].labels


def test_only_this_cluster_is_watched(queries: list[str]):
    assert all(labels["cluster"] == "tradewind" for query in queries for _, labels in selectors(query))


def test_what_every_gateway_of_a_cell_tells_is_not_summed(queries: list[str]):
    for query in queries:
        of_engines = [name for name, _ in selectors(query) if exported()[name].engine]
        assert not of_engines or ("sum" not in query and grouping(query) == {"cell"})
