"""The command line: help that can be copied from, settings and where they came from, errors for people."""

import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from pydantic import Field, SecretStr
from rich.console import Console
from typer.testing import CliRunner

from serving.cli import app
from serving.config_report import as_json, as_table
from serving.retriever.options import RetrieverOptions
from serving.settings import LoadedSettings, Origin, Settings

COMMANDS = ["serve", "engine", "encoder", "chat", "bench", "plan", "convert", "config"]
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def tradewind(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, with no settings of this machine."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRADEWIND_")}
    return subprocess.run(
        [sys.executable, "-m", "serving.cli", *arguments],
        env={**inherited, "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def help_of(*command: str) -> str:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return ANSI.sub("", result.output)


def test_help_names_every_command():
    text = help_of()
    assert all(re.search(rf"^│ {command} ", text, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", [(), *((name,) for name in COMMANDS)])
def test_every_example_in_the_help_can_be_copied(command):
    """Each is parsed by the very commands that it calls."""
    text = help_of(*command)
    examples = re.findall(r"^\s+(?:echo .* \| )?(tradewind [^>│\n]*?)(?: >.*)?\s*$", text, re.MULTILINE)
    assert examples
    group = typer.main.get_command(app)
    for example in examples:
        _, name, *arguments = shlex.split(example)
        group.commands[name].make_context(name, arguments)


def test_version_is_that_of_the_package():
    from importlib.metadata import version

    assert CliRunner().invoke(app, ["--version"]).output == f"tradewind {version('tradewind')}\n"


def test_config_shows_every_value_and_where_it_came_from(tmp_path):
    (tmp_path / "tradewind.toml").write_text("[engine]\npage_size = 32\n")
    arguments = ("config", "--data-dir", str(tmp_path), "--port", "9001")
    done = tradewind(*arguments, TRADEWIND_ENGINE__MAX_ROWS="12", COLUMNS="240")
    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}
    assert rows["engine.page_size"] == ["32", str(tmp_path / "tradewind.toml")]
    assert rows["engine.max_rows"] == ["12", "TRADEWIND_ENGINE__MAX_ROWS"]
    assert rows["server.port"] == ["9001", "--port"]
    assert rows["server.host"] == ["127.0.0.1", "default"]


def test_config_speaks_json(tmp_path):
    done = tradewind("config", "--json", "--data-dir", str(tmp_path), "--no-prefix-cache")
    report = json.loads(done.stdout)
    assert report["engine.prefix_cache"] == {"value": False, "source": "flag", "detail": "--prefix-cache"}
    assert report["data_dir"] == {"value": str(tmp_path), "source": "flag", "detail": "--data-dir"}
    assert report["engine.max_rows"] == {"value": 64, "source": "default", "detail": ""}


def test_secrets_are_masked():
    class WithSecret(Settings):
        token: SecretStr = Field(SecretStr("hunter2"), description="A secret.")

    database = RetrieverOptions(database_url="postgresql://me:hunter2@here/db")
    loaded = LoadedSettings(
        WithSecret(retriever=database), dict.fromkeys([*_names(Settings), "token"], Origin("default"))
    )
    console = Console(width=200, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    console.print(as_table(loaded))
    for report in (console.export_text(), as_json(loaded)):
        assert "hunter2" not in report
        assert "**********" in report and "postgresql://me:**********@here/db" in report


def _names(tree: type) -> list[str]:
    from serving.settings import all_settings

    return [setting.name for setting in all_settings(tree)]


@pytest.mark.parametrize("command", ["serve", "config"])
def test_a_wrong_setting_is_one_message_and_status_2(command):
    done = tradewind(command, TRADEWIND_ENGINE__MAX_ROW="3")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "error: environment: TRADEWIND_ENGINE__MAX_ROW is no setting; did you mean TRADEWIND_ENGINE__MAX_ROWS?\n"
    )


@pytest.mark.parametrize("arguments", [("serve",), ("engine", "--listen", "unix:/nowhere/engine.sock")])
def test_a_model_that_is_not_there_is_one_message_and_status_2(tmp_path, arguments):
    done = tradewind(*arguments, "--model", str(tmp_path / "none"))
    assert done.returncode == 2
    assert done.stderr == f"error: there is no folder {tmp_path / 'none'}\n"


def test_a_mistyped_flag_is_named_with_status_2():
    done = tradewind("serve", "--prot", "80")
    assert done.returncode == 2
    assert "--prot" in done.stderr
    assert "--port" in done.stderr  # the nearest
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_message_and_status_2(text_only_model: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = tradewind("serve", "--model", str(text_only_model), "--port", str(port))
    assert done.returncode == 2
    assert done.stderr == (
        f"error: cannot listen at 127.0.0.1:{port}: Address already in use. "
        "Choose another address with --host and --port (--port 0 takes a free one)\n"
    )


@pytest.fixture
def text_only_model(tmp_path: Path) -> Path:
    """A folder that is whole but for weights that nobody loads here."""
    from tokenizers import Tokenizer, decoders, models

    config = {
        "architectures": ["LlamaForCausalLM"],
        "vocab_size": 2,
        "hidden_size": 4,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 4,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    backend = Tokenizer(models.BPE({"a": 0, "b": 1}, []))
    backend.decoder = decoders.ByteLevel()
    backend.save(str(tmp_path / "tokenizer.json"))
    return tmp_path
