"""Every overlay builds, every object is one that its API would take, and the check would notice if it were not."""

import copy
import os
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.infra.kubernetes.manifests import BUILDS, ROOT, SOURCE, build, of_kind, only, overlay
from tests.infra.kubernetes.schemas import check


@pytest.mark.parametrize(
    "folder", [*(SOURCE / name for name in BUILDS), ROOT / "infra" / "monitoring"], ids=lambda f: f.name
)
def test_objects_are_valid(folder: Path):
    manifests = build(folder)
    assert manifests
    for manifest in manifests:
        check(manifest)


MISTAKES = {
    "a misspelt field": ("Deployment", "/spec/template/spec/containers/0/redinessProbe", {}),
    "a wrong type": ("HorizontalPodAutoscaler", "/spec/minReplicas", "two"),
    "a list for a number": ("PodDisruptionBudget", "/spec/maxUnavailable", [1]),
    "an unknown policy of a LeaderWorkerSet": (
        "LeaderWorkerSet",
        "/spec/leaderWorkerTemplate/restartPolicy",
        "RecreateGroup",
    ),
    "a misspelt field of a LeaderWorkerSet": ("LeaderWorkerSet", "/spec/leaderWorkerTemplate/replicas", 1),
    "a misspelt field of its pods": (
        "LeaderWorkerSet",
        "/spec/leaderWorkerTemplate/workerTemplate/spec/nodeselector",
        {},
    ),
    "a label that scraping may not set": ("PodMonitoring", "/spec/targetLabels/fromPod/0/to", "instance"),
    "an unknown class of gateways": ("Gateway", "/spec/gatewayClassName", "gke-l8"),
    "a filter of another type": ("HTTPRoute", "/spec/rules/0/filters/0/type", "RequestRedirect"),
    "a time in words": ("GCPBackendPolicy", "/spec/default/timeoutSec", "1h"),
    "a path without a slash": ("HealthCheckPolicy", "/spec/default/config/httpHealthCheck/requestPath", "ready"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_noticed(mistake: str):
    kind, pointer, value = MISTAKES[mistake]
    manifests = (*build(SOURCE / "fleet-gke"), *overlay("tpu-multi-host"))
    broken = copy.deepcopy(of_kind(manifests, kind)[0])
    check(broken)
    *parents, last = pointer.strip("/").split("/")
    place = broken
    for name in parents:
        place = place[int(name)] if isinstance(place, list) else place[name]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        check(broken)


def test_https_takes_a_certificate_and_redirects(tmp_path: Path):
    kustomization = {
        "resources": [os.path.relpath(SOURCE / "fleet-gke", tmp_path)],
        "components": [os.path.relpath(SOURCE / "components" / "https", tmp_path)],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    manifests = build(tmp_path)
    for manifest in manifests:
        check(manifest)
    gateway = only(manifests, "Gateway")
    assert gateway["metadata"]["annotations"] == {"networking.gke.io/certmap": "tradewind"}
    assert [(at["name"], at["port"]) for at in gateway["spec"]["listeners"]] == [("http", 80), ("https", 443)]
    routes = of_kind(manifests, "HTTPRoute")
    parents = {route["metadata"]["name"]: route["spec"]["parentRefs"][0]["sectionName"] for route in routes}
    assert parents == {"tradewind": "https", "to-https": "http"}
    assert {manifest["metadata"].get("namespace", "") for manifest in routes} == {"tradewind"}
