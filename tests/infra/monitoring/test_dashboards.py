"""The dashboards as Grafana needs them: panels that lie side by side, on the data source that the reader chooses."""

import itertools
import json
from pathlib import Path

import pytest

from tests.infra.monitoring.queries import DASHBOARDS, MONITORING, VARIABLES, filled, panels, selectors

COLUMNS = 24


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_fill_the_grid_without_overlap(dashboard: Path):
    boxes = [panel["gridPos"] for panel in panels(dashboard)]
    cells = [cell for box in boxes for cell in itertools.product(_span(box["x"], box["w"]), _span(box["y"], box["h"]))]
    assert len(cells) == len(set(cells)) == COLUMNS * max(box["y"] + box["h"] for box in boxes)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_say_what_they_show(dashboard: Path):
    for panel in panels(dashboard):
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"] in ("s", "short", "reqps", "percentunit")
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for target in panel["targets"]:
            assert list(selectors(filled(target["expr"])))
    assert len({panel["id"] for panel in panels(dashboard)}) == len(panels(dashboard))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_variables_are_declared(dashboard: Path):
    declared = {variable["name"] for variable in json.loads(dashboard.read_text("utf-8"))["templating"]["list"]}
    used = {
        name for name in VARIABLES if any(name in target["expr"] for p in panels(dashboard) for target in p["targets"])
    }
    assert {name.removeprefix("$") for name in used if not name.startswith("$__")} | {"datasource"} == declared


def test_dashboards_have_addresses_of_their_own():
    uids = [json.loads(dashboard.read_text("utf-8"))["uid"] for dashboard in DASHBOARDS]
    assert sorted(uids) == ["tradewind-engines", "tradewind-service"]
    assert {dashboard.stem for dashboard in DASHBOARDS} == {"engines", "service"}
    kustomization = (MONITORING / "kustomization.yaml").read_text("utf-8")
    assert all(f"dashboards/{dashboard.name}" in kustomization for dashboard in DASHBOARDS)


def _span(start: int, length: int) -> range:
    return range(start, start + length)
