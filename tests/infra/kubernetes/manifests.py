"""The manifests as `kubectl kustomize` builds them, and what is asked of them again and again."""

import functools
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "infra" / "kubernetes"
OVERLAYS = tuple(sorted(folder.name for folder in (SOURCE / "overlays").iterdir()))
FLEETS = ("fleet", "fleet-gke")
BUILDS = (*FLEETS, *(f"overlays/{name}" for name in OVERLAYS))


@functools.cache
def build(folder: Path) -> tuple[Manifest, ...]:
    """The objects of a folder with a kustomization.yaml; take them as they are, they are shared."""
    binary = shutil.which("kubectl")
    if binary is None:
        pytest.skip("no kubectl on PATH, so the manifests are not built; 1.27 or later would do")
    result = subprocess.run([binary, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 0, result.stderr
    return tuple(yaml.safe_load_all(result.stdout))


def overlay(name: str) -> tuple[Manifest, ...]:
    """The objects of one cell."""
    return build(SOURCE / "overlays" / name)


def of_kind(manifests: tuple[Manifest, ...], *kinds: str) -> list[Manifest]:
    """The objects of these kinds."""
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def only(manifests: tuple[Manifest, ...], kind: str, name: str = "") -> Manifest:
    """The one object of a kind whose name begins with `name`."""
    (found,) = [m for m in of_kind(manifests, kind) if m["metadata"]["name"].startswith(name)]
    return found


def pod_templates(manifests: tuple[Manifest, ...]) -> Iterator[tuple[str, Manifest]]:
    """Each workload's name and its pod template."""
    for manifest in manifests:
        if manifest["kind"] == "Deployment":
            yield manifest["metadata"]["name"], manifest["spec"]["template"]
        if manifest["kind"] == "LeaderWorkerSet":
            yield manifest["metadata"]["name"], manifest["spec"]["leaderWorkerTemplate"]["workerTemplate"]


def template(manifests: tuple[Manifest, ...], component: str) -> Manifest:
    """The pod template of the gateways or of the engine."""
    (found,) = [
        t for _, t in pod_templates(manifests) if t["metadata"]["labels"]["app.kubernetes.io/component"] == component
    ]
    return found


def container(manifests: tuple[Manifest, ...], component: str) -> Manifest:
    """The one container of the gateways' pods or of the engine's."""
    (found,) = template(manifests, component)["spec"]["containers"]
    return found


def settings(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    """The environment that both halves of a cell get from their ConfigMap."""
    return only(manifests, "ConfigMap", "settings")["data"]


def selects(selector: dict[str, str], labels: dict[str, str]) -> bool:
    """Whether a selector of labels takes a pod that has these."""
    return selector.items() <= labels.items()


def engine_host(manifests: tuple[Manifest, ...]) -> str:
    """The host that the gateways of a cell look for their engine at, with what their pods' labels put into it."""
    (host,) = re.findall(r"--engine-address (\S+):", " ".join(container(manifests, "gateway")["args"]))
    return host.replace("$(CELL)", template(manifests, "gateway")["metadata"]["labels"]["app.kubernetes.io/instance"])
