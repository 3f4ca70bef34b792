"""The overlay `cpu`, run here: commands, settings and probes of its manifests, and no package that its images lack."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.infra.containers.cell_process import CellProcess, free_port
from tests.infra.containers.dockerfile import CONTAINERS, environment
from tests.infra.kubernetes.manifests import ROOT, container, overlay, settings
from tests.infra.monitoring.queries import dashboard_queries, rule_queries, selectors

OVERLAY = overlay("cpu")

ACCEPTED = {  # what Prometheus says it takes; the answer's form decides how names are written
    "2": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "3": "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
}


@dataclass
class Cell:
    """A running cell."""

    engine: CellProcess
    gateway: CellProcess
    engine_address: str
    url: str

    def get(self, probe: str) -> httpx.Response:
        """What one of the gateway's probes is answered."""
        return httpx.get(self.url + container(OVERLAY, "gateway")[probe]["httpGet"]["path"], timeout=30)


@pytest.fixture(scope="module")
def cell(server_data: Path) -> Iterator[Cell]:
    engine_port, port = free_port(), free_port()
    here = {"TRADEWIND_DATA_DIR": str(server_data)}
    engine = container(OVERLAY, "engine")
    arguments = [argument.replace("0.0.0.0:9100", f"127.0.0.1:{engine_port}") for argument in engine["args"]]
    given = _image_settings("engine") | settings(OVERLAY) | here
    running = [CellProcess("engine-cpu", "engine", arguments, given)]
    gateway = container(OVERLAY, "gateway")
    arguments = [argument.replace("engine-$(CELL):9100", f"127.0.0.1:{engine_port}") for argument in gateway["args"]]
    given = _image_settings("gateway") | settings(OVERLAY) | here
    given |= {"TRADEWIND_SERVER__HOST": "127.0.0.1", "TRADEWIND_SERVER__PORT": str(port)}
    running.append(CellProcess("gateway", "serve", arguments, given))
    try:
        running[1].wait_for_address()
        yield Cell(*running, f"127.0.0.1:{engine_port}", f"http://127.0.0.1:{port}")
    finally:
        for process in running:
            process.kill()


def test_probes_succeed_when_the_cell_serves(cell: Cell):
    assert {probe: cell.get(probe).status_code for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {
        "startupProbe": 200,
        "livenessProbe": 200,
        "readinessProbe": 200,
    }
    engine = container(OVERLAY, "engine")
    alive, ready = (
        _ask_engine(engine[probe]["exec"]["command"], cell) for probe in ("livenessProbe", "readinessProbe")
    )
    assert (alive.returncode, ready.returncode) == (0, 0), alive.stderr + ready.stderr
    assert ready.stdout.startswith("serves ")


def test_probes_of_an_engine_that_is_not_there_fail_and_say_so():
    nobody = f"127.0.0.1:{free_port()}"
    for more in ([], ["--ready"]):
        result = _health([nobody, *more], {})
        assert result.returncode == 1
        assert result.stderr.startswith(f"{nobody}: unavailable: ")


def test_followers_are_not_asked():
    """Only process 0 of a replica over several hosts listens; the others' probes have nobody to ask."""
    assert _health([f"127.0.0.1:{free_port()}", "--ready"], {"LWS_WORKER_INDEX": "1"}).returncode == 0
    assert _health([f"127.0.0.1:{free_port()}", "--ready"], {"LWS_WORKER_INDEX": "0"}).returncode == 1


@pytest.mark.parametrize("prometheus", ACCEPTED)
def test_what_dashboards_and_alerts_read_is_in_a_scrape(cell: Cell, prometheus: str):
    assert _reply(cell).json()["usage"]["completion_tokens"] == 16
    scrape = httpx.get(cell.url + "/metrics", headers={"Accept": ACCEPTED[prometheus]}, timeout=30).text
    scraped = set(re.findall(r"^([a-zA-Z_:][\w:]*)[{ ]", scrape, re.M))
    queries = [*dashboard_queries(), *rule_queries()]
    assert {name for query in queries for name, _ in selectors(query)} <= scraped


def test_a_gateway_that_is_told_to_stop_lets_its_replies_finish(cell: Cell):
    """As a rollout, a node's end or the autoscaler stops one. It is the last thing that this cell does."""
    with httpx.stream("POST", cell.url + "/v1/completions", json=_request(400, stream=True), timeout=120) as answer:
        events = (line.removeprefix("data: ") for line in answer.iter_lines() if line)
        next(events)
        cell.gateway.process.terminate()
        *rest, end = events
    finished = [choice["finish_reason"] for event in rest for choice in json.loads(event)["choices"]]
    assert (end, finished[-1]) == ("[DONE]", "length")
    assert cell.gateway.process.wait(60) in (0, -signal.SIGTERM)  # uvicorn raises it again when all is done
    assert cell.engine.terminate() == 0


def _request(tokens: int, *, stream: bool) -> dict:
    return {"prompt": "The sea", "max_tokens": tokens, "ignore_eos": True, "stream": stream}


def _reply(cell: Cell) -> httpx.Response:
    return httpx.post(cell.url + "/v1/completions", json=_request(16, stream=False), timeout=120)


def _image_settings(name: str) -> dict[str, str]:
    return {variable: value for variable, value in environment(name).items() if variable.startswith("TRADEWIND_")}


def _ask_engine(command: list[str], cell: Cell) -> subprocess.CompletedProcess[str]:
    """Run the command of an exec probe, at this cell's address."""
    assert command[:2] == ["python", "/opt/tradewind/engine_health.py"]
    return _health([argument.replace("127.0.0.1:9100", cell.engine_address) for argument in command[2:]], {})


def _health(arguments: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, CONTAINERS / "engine_health.py", *arguments]
    known = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(command, env=known, capture_output=True, text=True, check=False, timeout=60)
