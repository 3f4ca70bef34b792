"""What docs/infrastructure.md tells a reader to write and to run is right."""

import dataclasses
import io
import re
import shlex
import textwrap
from pathlib import Path

import pytest
import typer.main
from rich.console import Console

from serving.cli import app
from serving.plan.options import PlanOptions
from serving.plan.run import plan
from tests.infra.kubernetes.manifests import (
    ROOT,
    Manifest,
    build,
    container,
    engine_host,
    of_kind,
    only,
    selects,
    settings,
    template,
)
from tests.infra.kubernetes.schemas import check

GUIDE = (ROOT / "docs" / "infrastructure.md").read_text("utf-8")
COMMANDS = "\n".join(textwrap.dedent(block) for block in re.findall(r"^ *```sh\n(.*?)^ *```", GUIDE, re.S | re.M))
CELLS = ("llama3-70b", "llama3-70b-b")
FIELDS = {field.name for field in dataclasses.fields(PlanOptions)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader's folder `site`, beside the repository's `infra`, with the files that the guide shows."""
    root = tmp_path_factory.mktemp("guide")
    (root / "infra").symlink_to(ROOT / "infra")
    for block in re.findall(r"^ *```yaml\n(.*?)^ *```", GUIDE, re.S | re.M):
        text = textwrap.dedent(block)
        (name,) = re.findall(r"^# (site/\S+\.yaml):", text)
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text)
    return root / "site"


@pytest.mark.parametrize("folder", ["fleet", *CELLS])
def test_the_readers_files_build_and_leave_nothing_to_fill_in(site: Path, folder: str):
    manifests = build(site / folder)
    for manifest in manifests:
        check(manifest)
    assert not re.search(r"PROJECT_ID|MODEL_BUCKET", str(manifests))
    assert {manifest["metadata"].get("namespace", "tradewind") for manifest in manifests} == {"tradewind"}


@pytest.mark.parametrize("folder", CELLS)
def test_the_readers_cells_are_whole(site: Path, folder: str):
    manifests = build(site / folder)
    service = only(manifests, "Service")
    assert engine_host(manifests) == service["metadata"]["name"]
    assert selects(service["spec"]["selector"], template(manifests, "engine")["metadata"]["labels"])
    images = {component: container(manifests, component)["image"] for component in ("gateway", "engine")}
    assert images == {"gateway": "REGISTRY/gateway:0.1.0", "engine": "REGISTRY/engine-tpu:0.1.0"}


def test_the_next_version_stands_beside_the_first(site: Path):
    cells = [build(site / folder) for folder in CELLS]
    names = [(manifest["kind"], manifest["metadata"]["name"]) for cell in cells for manifest in cell]
    assert len(names) == len(set(names))
    service, engine = only(cells[0], "Service"), template(cells[1], "engine")
    assert not selects(service["spec"]["selector"], engine["metadata"]["labels"])
    models = [settings(cell)["TRADEWIND_MODEL"] for cell in cells]
    assert models[1] == f"{models[0]}-2027-01"


def test_commands_name_what_there_is(site: Path):
    cells: tuple[Manifest, ...] = tuple(m for folder in CELLS for m in build(site / folder))
    deployments = {manifest["metadata"]["name"] for manifest in of_kind(cells, "Deployment")}
    named = set(re.findall(r"deployment/([\w-]+)", GUIDE))
    assert named
    assert named <= deployments
    folders = set(re.findall(r"-k ((?:infra|site)/[\w/-]+)", GUIDE)) - {"site/gpu"}  # the reader's own
    assert {folder for folder in folders if not (site.parent / folder / "kustomization.yaml").is_file()} == set()
    assert all((ROOT / file).is_file() for file in re.findall(r"-f (\S+Dockerfile)", COMMANDS))
    instances = set(re.findall(r"\bto (tpu-[\w-]+)", GUIDE))
    labels = {manifest["metadata"]["labels"]["app.kubernetes.io/instance"] for manifest in cells}
    assert instances == labels


def test_tradewinds_own_commands_can_be_parsed():
    lines = [line.partition(" #")[0] for line in COMMANDS.splitlines() if line.startswith("tradewind ")]
    assert {shlex.split(line)[1] for line in lines} == {"plan", "convert"}
    for line in lines:
        name, *arguments = shlex.split(line)[1:]
        typer.main.get_command(app).commands[name].make_context(name, arguments)


def test_the_ranking_is_what_plan_prints():
    """Word for word, on a page of 110 columns."""
    command = next(line.partition(" #")[0] for line in COMMANDS.splitlines() if line.startswith("tradewind plan "))
    name, *arguments = shlex.split(command)[1:]
    given = typer.main.get_command(app).commands[name].make_context(name, arguments).params
    page, notes = Console(record=True, width=110, file=io.StringIO()), Console(stderr=True)
    assert plan(PlanOptions(**{field: value for field, value in given.items() if field in FIELDS}), page, notes)
    (shown,) = re.findall(r"^```\n(cheapest for .*?)^```", GUIDE, re.S | re.M)
    printed = [line.split() for line in page.export_text().splitlines()]
    assert [line.split() for line in shown.splitlines()] == printed[: len(shown.splitlines())]


def test_alerts_are_listed():
    rules = (ROOT / "infra" / "monitoring" / "rules.yaml").read_text("utf-8")
    assert re.findall(r"^\| (Tradewind\w+) \|", GUIDE, re.M) == re.findall(r"- alert: (\w+)", rules)


def test_links_and_pictures_are_there():
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", GUIDE)
    assert targets
    assert [target for target in targets if not (ROOT / "docs" / target).exists()] == []
    tests = re.findall(r"`(tests/[\w/.]+)`", GUIDE)
    assert [path for path in tests if not (ROOT / path).exists()] == []
