"""What manifests say of the product is what the product has: flags, settings, ports, paths, times, metrics."""

import math
import os
import re

import pytest
import typer.main

from serving.api import chat, completions, health, models, tokens
from serving.cli import app
from serving.process.ending import GRACE
from serving.settings import ENV_PREFIX, Settings, all_settings, load_settings
from tests.infra.exported_metrics import exported
from tests.infra.kubernetes.manifests import (
    OVERLAYS,
    SOURCE,
    build,
    container,
    of_kind,
    only,
    overlay,
    settings,
    template,
)

COMMANDS = {"gateway": "serve", "engine": "engine"}  # of the images' entry points
PATHS = {route.path for part in (chat, completions, health, models, tokens) for route in part.router.routes}


@pytest.mark.parametrize("component", COMMANDS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_arguments_are_flags_of_the_command(name: str, component: str):
    command = typer.main.get_command(app).commands[COMMANDS[component]]
    arguments = container(overlay(name), component)["args"]
    parsed = command.make_context(COMMANDS[component], list(arguments)).params
    given = {argument.removeprefix("--").replace("-", "_") for argument in arguments if argument.startswith("--")}
    assert given == {parameter for parameter, value in parsed.items() if value not in (None, "", False)}


def test_a_flag_that_is_none_would_be_noticed():
    command = typer.main.get_command(app).commands["engine"]
    with pytest.raises(Exception, match="No such option: --listen-at"):
        command.make_context("engine", ["--listen-at", "0.0.0.0:9100"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_settings_are_settings_and_their_values_are_accepted(name: str, monkeypatch: pytest.MonkeyPatch):
    for variable in [variable for variable in os.environ if variable.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(variable)
    given = settings(overlay(name))
    for variable, value in given.items():
        monkeypatch.setenv(variable, value)
    loaded = load_settings()
    by_variable = {setting.variable: setting.name for setting in all_settings()}
    from_environment = {path for path, origin in loaded.origins.items() if origin.kind == "environment"}
    assert from_environment == {by_variable[variable] for variable in given}


@pytest.mark.parametrize("name", OVERLAYS)
def test_ports_are_those_that_processes_listen_at(name: str):
    manifests = overlay(name)
    gateway, engine = container(manifests, "gateway"), container(manifests, "engine")
    listens = {port["name"]: port["containerPort"] for port in (*gateway["ports"], *engine["ports"])}
    arguments = " ".join(engine["args"])
    expected = {
        "http": int(settings(manifests)["TRADEWIND_SERVER__PORT"]),
        "grpc": int(re.search(r"--listen \S+:(\d+)", arguments)[1]),
    }
    if coordinator := re.search(r"--coordinator \S+:(\d+)", arguments):
        expected["coordinator"] = int(coordinator[1])
    assert listens == expected
    (grpc,) = only(manifests, "Service")["spec"]["ports"]
    assert (grpc["targetPort"], grpc["port"]) == ("grpc", expected["grpc"])
    assert gateway["args"][-1].endswith(f":{grpc['port']}")
    health_checks = [engine[probe]["exec"]["command"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {command[2] for command in health_checks} == {f"127.0.0.1:{grpc['port']}"}
    for policy in of_kind((*manifests, *build(SOURCE / "fleet-gke")), "NetworkPolicy"):
        for rule in policy["spec"].get("ingress", []):
            assert {port["port"] for port in rule.get("ports", [])} <= set(expected.values())


def test_a_replica_over_several_hosts_numbers_its_processes():
    """As the flags' own parser reads them, with what the LeaderWorkerSet's controller puts into each pod."""
    from serving.engine.member import ProcessGroup

    injected = {
        "LWS_LEADER_ADDRESS": "engine-group-0.engine-group.tradewind",
        "LWS_GROUP_SIZE": "4",
        "LWS_WORKER_INDEX": "3",
    }
    text = " ".join(container(overlay("tpu-multi-host"), "engine")["args"])
    for variable, value in injected.items():
        text = text.replace(f"$({variable})", value)
    assert "$(" not in text
    flags = dict(zip(text.split()[::2], text.split()[1::2], strict=True))
    group = ProcessGroup.parse(flags["--coordinator"], flags["--process"], flags["--listen"])
    assert (group.process, group.processes) == (3, 4)
    assert group.leader == "engine-group-0.engine-group.tradewind:9100"


@pytest.mark.parametrize("name", OVERLAYS)
def test_probes_and_scraping_ask_for_paths_that_there_are(name: str):
    gateway = container(overlay(name), "gateway")
    asked = {probe: gateway[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert asked == {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}
    fleet = build(SOURCE / "fleet-gke")
    scraped = {endpoint["path"] for endpoint in only(fleet, "PodMonitoring")["spec"]["endpoints"]}
    checked = only(fleet, "HealthCheckPolicy")["spec"]["default"]["config"]["httpHealthCheck"]["requestPath"]
    assert {*asked.values(), *scraped, checked} <= PATHS


def test_from_outside_there_are_no_metrics():
    (hidden, _) = only(build(SOURCE / "fleet-gke"), "HTTPRoute")["spec"]["rules"]
    assert hidden["matches"] == [{"path": {"type": "PathPrefix", "value": "/metrics"}}]
    assert hidden["filters"][0]["urlRewrite"]["path"]["replacePrefixMatch"] not in PATHS


@pytest.mark.parametrize("name", OVERLAYS)
def test_pods_get_the_time_that_draining_takes(name: str):
    """In seconds: what Kubernetes grants before it kills, and what the processes take at most by their own rules."""
    manifests = overlay(name)
    gateway, engine = template(manifests, "gateway")["spec"], template(manifests, "engine")["spec"]
    pauses = [pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] for pod in (gateway, engine)]
    replies = int(settings(manifests)["TRADEWIND_SERVER__SHUTDOWN_GRACE"])
    assert replies > Settings().server.shutdown_grace
    assert gateway["terminationGracePeriodSeconds"] >= pauses[0] + replies + 5
    assert pauses[1] >= gateway["terminationGracePeriodSeconds"], (
        "the engine outlives the gateways that drain beside it"
    )
    assert engine["terminationGracePeriodSeconds"] >= pauses[1] + math.ceil(3 * GRACE)
    backend = only(build(SOURCE / "fleet-gke"), "GCPBackendPolicy")["spec"]["default"]
    assert backend["connectionDraining"]["drainingTimeoutSec"] >= replies


@pytest.mark.parametrize("name", OVERLAYS)
def test_autoscaling_follows_a_metric_that_is_exported(name: str):
    metrics = only(overlay(name), "HorizontalPodAutoscaler")["spec"]["metrics"]
    (name,) = [metric["pods"]["metric"]["name"] for metric in metrics if metric["type"] == "Pods"]
    system, metric, kind = name.split("|")
    assert system == "prometheus.googleapis.com"
    assert exported()[metric].kind == kind
