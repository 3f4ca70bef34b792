"""Pods are restricted as Kubernetes' own profile asks, and traffic is allowed where it is needed and nowhere else."""

import itertools

import pytest

from tests.infra.kubernetes.manifests import (
    OVERLAYS,
    SOURCE,
    Manifest,
    build,
    container,
    of_kind,
    only,
    overlay,
    pod_templates,
    selects,
    template,
)


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_are_restricted(name: str):
    """The profile `restricted` of the Pod Security Standards, and what it leaves open."""
    for _, pod in pod_templates(overlay(name)):
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] >= 10000
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & spec.keys()
        assert {kind for volume in spec["volumes"] for kind in volume if kind != "name"} == {"emptyDir"}
        (only_one,) = spec["containers"]
        assert only_one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def test_the_namespace_refuses_other_pods():
    labels = only(build(SOURCE / "fleet"), "Namespace")["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize("name", OVERLAYS)
def test_resources_are_bounded_and_images_have_a_version(name: str):
    for _, pod in pod_templates(overlay(name)):
        (only_one,) = pod["spec"]["containers"]
        resources = only_one["resources"]
        assert {"cpu", "memory", "ephemeral-storage"} <= resources["requests"].keys()
        assert resources["requests"].keys() == resources["limits"].keys()
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod["spec"]["volumes"])
        tag = only_one["image"].rpartition(":")[2]
        assert tag[0].isdigit()
    engine = container(overlay(name), "engine")["resources"]
    assert engine["requests"] == engine["limits"]


def test_everything_is_denied_at_first():
    denial = only(build(SOURCE / "fleet"), "NetworkPolicy", "default-deny")["spec"]
    assert denial == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_only_those_who_need_it_reach_a_pod():
    """Every pair of pods of two cells, by every port that anybody listens at."""
    manifests = (*build(SOURCE / "fleet-gke"), *overlay("gpu"), *overlay("tpu-multi-host"))
    pods = {
        f"{component} {cell}": template(overlay(cell), component)["metadata"]["labels"]
        for component, cell in itertools.product(("gateway", "engine"), ("gpu", "tpu-multi-host"))
    }
    open_ways = {
        (source, to, port)
        for (source, labels), (to, target) in itertools.permutations(pods.items(), 2)
        for port in (8000, 8482, 9100)
        if _allowed(manifests, labels, target, port)
    }
    assert open_ways == {("gateway gpu", "engine gpu", 9100), ("gateway tpu-multi-host", "engine tpu-multi-host", 9100)}


def test_the_hosts_of_a_replica_reach_each_other_at_any_port():
    manifests = (*build(SOURCE / "fleet-gke"), *overlay("tpu-multi-host"))
    host = template(manifests, "engine")["metadata"]["labels"]
    assert all(_allowed(manifests, host, host, port) for port in (8482, 9100, 8471))


def test_from_outside_only_load_balancers_and_prometheus_come_in():
    manifests = (*build(SOURCE / "fleet-gke"), *overlay("gpu"))
    came = [
        (peer, tuple(port["port"] for port in rule["ports"]))
        for policy in of_kind(manifests, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for peer in rule["from"]
        if "podSelector" not in peer
    ]
    blocks = {peer["ipBlock"]["cidr"] for peer, _ in came if "ipBlock" in peer}
    spaces = {name for peer, _ in came for name in peer.get("namespaceSelector", {}).get("matchLabels", {}).values()}
    assert blocks == {"35.191.0.0/16", "130.211.0.0/22"}
    assert spaces == {"gke-gmp-system", "gmp-system"}
    assert {ports for _, ports in came} == {(8000,)}


def _allowed(manifests: tuple[Manifest, ...], source: dict[str, str], target: dict[str, str], port: int) -> bool:
    """Whether the policies let one pod of the namespace call another: out of the one and into the other."""
    return _lets(manifests, source, "egress", "to", target, port) and _lets(
        manifests, target, "ingress", "from", source, port
    )


def _lets(manifests, pod: dict[str, str], way: str, peers: str, other: dict[str, str], port: int) -> bool:
    policies = [
        policy["spec"]
        for policy in of_kind(manifests, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"].get("matchLabels", {}), pod)
        and way.capitalize() in policy["spec"]["policyTypes"]
    ]
    assert policies, "a pod that no policy selects may do everything"
    return any(
        (not rule.get("ports") or port in {allowed["port"] for allowed in rule["ports"]})
        and any(selects(peer["podSelector"]["matchLabels"], other) for peer in rule[peers] if "podSelector" in peer)
        for policy in policies
        for rule in policy.get(way, [])
    )
