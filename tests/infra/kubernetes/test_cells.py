"""The parts of a cell find each other, cells find each other's way, and the fleet finds all of them."""

import json
import re

import pytest
from rich.console import Console

from serving.plan.options import PlanOptions
from serving.plan.run import plan
from sharding.topology import Topology
from tests.infra.kubernetes.manifests import (
    OVERLAYS,
    ROOT,
    SOURCE,
    build,
    container,
    engine_host,
    of_kind,
    only,
    overlay,
    pod_templates,
    selects,
    settings,
    template,
)

GUIDE = ROOT / "docs" / "infrastructure.md"
INSTANCE = "app.kubernetes.io/instance"
WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"


@pytest.mark.parametrize("name", OVERLAYS)
def test_gateways_find_the_engine_of_their_cell(name: str):
    manifests = overlay(name)
    gateways, engine = template(manifests, "gateway"), template(manifests, "engine")
    service = only(manifests, "Service")
    assert engine_host(manifests) == service["metadata"]["name"]
    pods = engine["metadata"]["labels"] | {WORKER_INDEX: "0"}
    assert selects(service["spec"]["selector"], pods)
    assert not selects(service["spec"]["selector"], gateways["metadata"]["labels"] | {WORKER_INDEX: "0"})


def test_of_several_hosts_only_the_leader_is_called():
    service = only(overlay("tpu-multi-host"), "Service")
    follower = template(overlay("tpu-multi-host"), "engine")["metadata"]["labels"] | {WORKER_INDEX: "1"}
    assert not selects(service["spec"]["selector"], follower)


def test_the_headless_service_of_a_group_has_a_name_of_its_own():
    """The LeaderWorkerSet's controller makes one by the set's name, through which its pods find each other."""
    manifests = overlay("tpu-multi-host")
    assert only(manifests, "LeaderWorkerSet")["metadata"]["name"] != only(manifests, "Service")["metadata"]["name"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_both_halves_have_the_same_settings(name: str):
    manifests = overlay(name)
    (expected,) = [m["metadata"]["name"] for m in of_kind(manifests, "ConfigMap")]
    for component in ("gateway", "engine"):
        assert container(manifests, component)["envFrom"] == [{"configMapRef": {"name": expected}}]


@pytest.mark.parametrize("name", OVERLAYS)
def test_selectors_and_targets_are_of_the_cell(name: str):
    manifests = overlay(name)
    labels = {component: template(manifests, component)["metadata"]["labels"] for component in ("gateway", "engine")}
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        component = budget["metadata"]["name"].partition("-")[0]
        assert selects(budget["spec"]["selector"]["matchLabels"], labels[component])
        assert budget["spec"]["selector"]["matchLabels"][INSTANCE] == name
    target = only(manifests, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target["name"] == only(manifests, "Deployment", "gateway")["metadata"]["name"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_a_cell_has_one_engine(name: str):
    """Gateways attach to one address; nothing would spread them over several engines behind it."""
    (engine,) = [
        m for m in of_kind(overlay(name), "Deployment", "LeaderWorkerSet") if m["metadata"]["name"].startswith("engine")
    ]
    assert engine["spec"]["replicas"] == 1


def test_cells_stand_side_by_side():
    names = [(m["kind"], m["metadata"]["name"]) for name in OVERLAYS for m in overlay(name)]
    assert len(names) == len(set(names))
    assert {m["metadata"]["namespace"] for name in OVERLAYS for m in overlay(name)} == {"tradewind"}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_fleet_reaches_the_gateways_of_every_cell(name: str):
    fleet = build(SOURCE / "fleet-gke")
    gateways, engine = (template(overlay(name), component)["metadata"]["labels"] for component in ("gateway", "engine"))
    for selector in (
        only(fleet, "Service")["spec"]["selector"],
        only(fleet, "PodMonitoring")["spec"]["selector"]["matchLabels"],
    ):
        assert selects(selector, gateways)
        assert not selects(selector, engine)
    accounts = {account["metadata"]["name"] for account in of_kind(fleet, "ServiceAccount")}
    assert {t["spec"]["serviceAccountName"] for _, t in pod_templates(overlay(name))} <= accounts


def test_a_host_of_several_differs_from_a_single_one_only_where_it_must():
    """Two files describe the engine's pod; this keeps them one description."""
    single, several = (template(overlay(f"tpu-{hosts}-host"), "engine")["spec"] for hosts in ("single", "multi"))
    differing = {name for name in single.keys() | several.keys() if single.get(name) != several.get(name)}
    assert differing == {"containers", "nodeSelector"}
    (one,), (other,) = single["containers"], several["containers"]
    differing = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
    assert differing == {"args", "envFrom", "ports", "resources"}
    assert other["args"][: len(one["args"])] == one["args"]


@pytest.mark.parametrize("name", [name for name in OVERLAYS if name != "cpu"])
def test_the_model_fits_the_accelerators_that_are_asked_for(name: str, capsys: pytest.CaptureFixture[str]):
    """As `tradewind plan` says; of TPUs also hosts and chips, by the slice's machines. The guide has its figures."""
    manifests = overlay(name)
    environment, topology, hosts, chips = settings(manifests), *_accelerators(manifests)
    known = Topology.parse(topology)
    assert known.machines is not None
    assert (hosts, hosts * chips) == (known.machines[0], known.chips)
    streams = int(environment["TRADEWIND_ENGINE__MAX_ROWS"])
    options = PlanOptions(
        model=environment["TRADEWIND_MODEL_NAME"],
        topology=topology,
        mesh=environment["TRADEWIND_ENGINE__MESH"],
        streams=streams,
        context=int(environment["TRADEWIND_ENGINE__MAX_CONTEXT"]),
        estimate=True,
        json=True,
    )
    fits = plan(options, Console(), Console(stderr=True))
    report = capsys.readouterr().out
    assert fits, report
    planned = json.loads(report)["plan"]
    (row,) = re.findall(rf"^\| `{name}` \|(.*)\|$", GUIDE.read_text("utf-8"), re.MULTILINE)
    _, written_streams, speed, price = (cell.strip() for cell in row.split("|"))
    assert written_streams.endswith(f", {streams}")
    assert (speed, price) == (f"{planned['tokens_per_second']:.0f}", f"{planned['price_per_hour']:.2f}")
    assert planned["machines"]["type"] in row


def _accelerators(manifests) -> tuple[str, int, int]:
    """Topology as `tradewind plan` writes it, hosts, and chips of each host."""
    sets = of_kind(manifests, "LeaderWorkerSet")
    hosts = sets[0]["spec"]["leaderWorkerTemplate"]["size"] if sets else 1
    limits = container(manifests, "engine")["resources"]["limits"]
    selector = template(manifests, "engine")["spec"]["nodeSelector"]
    if "nvidia.com/gpu" in limits:
        card = {"nvidia-h100-80gb": "h100"}[selector["cloud.google.com/gke-accelerator"]]
        return f"{card}:{limits['nvidia.com/gpu']}", hosts, int(limits["nvidia.com/gpu"])
    table = (ROOT / "infra" / "terraform" / "modules" / "tpu_slices" / "main.tf").read_text("utf-8")
    blocks = re.findall(r'(\w+) = \{\n\s+topologies.*?gke_accelerator = "([^"]+)"', table, re.DOTALL)
    (chip,) = [name for name, label in blocks if label == selector["cloud.google.com/gke-tpu-accelerator"]]
    return f"{chip}:{selector['cloud.google.com/gke-tpu-topology']}", hosts, int(limits["google.com/tpu"])
