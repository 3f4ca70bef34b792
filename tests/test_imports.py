"""Who may import whom: the rooms' order, and a gateway that never loads JAX."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

GATEWAY = [
    "serving.cli",
    "serving.serve",
    "serving.api.app",
    "serving.orchestrator.generation",
    *(f"serving.fleet.{path.stem}" for path in sorted((ROOT / "serving" / "fleet").glob("[!_]*.py"))),
    "serving.models.folder",
    "serving.models.tokenizer",
    "serving.models.chat_template",
    "serving.models.generation_defaults",
    "serving.models.encoder_folder",
    "serving.encoder.codec",
    "serving.retriever.codec",
    "serving.engine.request",
]
ENCODER = ["serving.encoder.server", "serving.encoder.loading"]
ENGINE = [
    "serving.engine.server",
    "serving.engine.follower",
    "serving.engine.distributed",
    "serving.engine.engine",
    "serving.models.checkpoint",
]


def loaded_by(modules: list[str]) -> set[str]:
    """The top-level packages that a fresh interpreter holds after it imported `modules`."""
    program = (
        f"import json, sys, {', '.join(modules)}; print(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_rooms_import_downwards_only():
    """The contracts are in pyproject.toml."""
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_gateway_process_loads_no_jax():
    loaded = loaded_by(GATEWAY)
    assert {"fastapi", "grpc", "tokenizers"} <= loaded
    assert loaded.isdisjoint({"jax", "jaxlib", "flax", "torch", "transformers"})
    assert loaded.isdisjoint({"scann", "bm25s", "sqlalchemy", "pypdf", "selectolax"})


def test_the_retriever_s_process_loads_neither_jax_nor_an_http_framework():
    loaded = loaded_by(["serving.retriever.server", "serving.retriever.loading"])
    assert {"sqlalchemy", "bm25s", "grpc", "tokenizers"} <= loaded
    assert loaded.isdisjoint({"jax", "flax", "fastapi", "starlette", "pydantic", "uvicorn", "typer"})


@pytest.mark.parametrize("modules", [ENGINE, ENCODER], ids=["engine", "encoder"])
def test_the_processes_behind_the_gateway_load_no_http_framework(modules):
    loaded = loaded_by(modules)
    assert {"jax", "flax", "grpc"} <= loaded
    assert loaded.isdisjoint({"fastapi", "starlette", "pydantic", "uvicorn", "typer"})


def test_help_does_not_wait_for_what_only_commands_need():
    assert loaded_by(["serving.cli"]).isdisjoint({"fastapi", "grpc", "uvicorn", "tokenizers", "huggingface_hub", "jax"})
