"""Settings: which source wins, what is said about a wrong one, and one name everywhere."""

import dataclasses
import os
from collections import Counter
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from serving.encoder.options import EncoderOptions
from serving.engine.options import EngineOptions
from serving.flags import takes_settings
from serving.settings import LoadedSettings, Origin, Settings, SettingsError, all_settings, load_settings


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of the machine that runs the tests."""
    for variable in [name for name in os.environ if name.startswith("TRADEWIND_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_defaults_where_nothing_is_said(tmp_path):
    loaded = load_settings()
    assert loaded.settings == Settings()
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("127.0.0.1", 8000)
    assert loaded.settings.data_dir == tmp_path / "share" / "tradewind"
    assert set(loaded.origins.values()) == {Origin("default")}


def test_without_an_xdg_folder_data_is_kept_under_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert load_settings().settings.data_dir == tmp_path / ".local" / "share" / "tradewind"


def test_flags_beat_the_environment_which_beats_the_file_which_beats_defaults(monkeypatch, tmp_path):
    file = write(tmp_path / "my.toml", "[engine]\nmax_rows = 1\npage_size = 2\nstep_tokens = 3\n")
    monkeypatch.setenv("TRADEWIND_ENGINE__MAX_ROWS", "10")
    monkeypatch.setenv("TRADEWIND_ENGINE__PAGE_SIZE", "20")
    loaded = load_settings({"engine.max_rows": 100, "engine.page_size": None}, file)
    engine = loaded.settings.engine
    assert (engine.max_rows, engine.page_size, engine.step_tokens, engine.decode_steps) == (100, 20, 3, 4)
    assert [loaded.origins[f"engine.{name}"] for name in ("max_rows", "page_size", "step_tokens", "decode_steps")] == [
        Origin("flag", "--max-rows"),
        Origin("environment", "TRADEWIND_ENGINE__PAGE_SIZE"),
        Origin("file", str(file)),
        Origin("default"),
    ]


def test_the_file_is_the_flag_s_else_the_environment_s_else_that_of_the_data_folder(monkeypatch, tmp_path):
    write(tmp_path / "data" / "tradewind.toml", 'model = "from the data folder"')
    by_variable = write(tmp_path / "variable.toml", 'model = "from the variable"')
    by_flag = write(tmp_path / "flag.toml", 'model = "from the flag"')
    data_dir = {"data_dir": tmp_path / "data"}
    assert load_settings(data_dir).settings.model == "from the data folder"
    monkeypatch.setenv("TRADEWIND_CONFIG", str(by_variable))
    assert load_settings(data_dir).settings.model == "from the variable"
    assert load_settings(data_dir, by_flag).settings.model == "from the flag"


def test_the_data_folder_of_the_environment_is_where_the_file_is_looked_for(monkeypatch, tmp_path):
    write(tmp_path / "data" / "tradewind.toml", "[server]\nport = 9000")
    monkeypatch.setenv("TRADEWIND_DATA_DIR", str(tmp_path / "data"))
    assert load_settings().settings.server.port == 9000


def test_compiled_programs_are_kept_with_the_data_unless_told_otherwise(tmp_path):
    assert load_settings({"data_dir": tmp_path}).settings.engine.compilation_cache_dir == str(
        tmp_path / "compilation-cache"
    )
    off = load_settings({"data_dir": tmp_path, "engine.compilation_cache_dir": ""})
    assert off.settings.engine.compilation_cache_dir == ""


def test_a_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = load_settings({"data_dir": Path("~/wind")}).settings
    assert settings.data_dir == tmp_path / "wind"
    assert settings.engine.compilation_cache_dir == str(tmp_path / "wind" / "compilation-cache")


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("TRADEWIND_ENGINE__MAX_ROW", "TRADEWIND_ENGINE__MAX_ROWS"),
        ("TRADEWIND_PORT", "TRADEWIND_SERVER__PORT"),
        ("TRADEWIND_DATADIR", "TRADEWIND_DATA_DIR"),
    ],
)
def test_an_unknown_variable_is_refused_with_the_nearest_name(monkeypatch, variable, meant):
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SettingsError, match=f"environment: {variable} is no setting; did you mean {meant}\\?"):
        load_settings()


def test_variables_of_the_test_suite_are_nobody_s_settings(monkeypatch):
    monkeypatch.setenv("TRADEWIND_TEST_PORT", "1")
    assert load_settings().settings == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[engine]\nmax_row = 1", "engine.max_row is no setting; did you mean engine.max_rows\\?"),
        ("port = 1", "port is no setting; did you mean server.port\\?"),
        ("[servr]\nhost = 'x'", "servr.host is no setting; did you mean server.host\\?"),
        ("zzzzzzzz = 1", "zzzzzzzz is no setting. Settings are: data_dir, encoder.batch_tokens, encoder.compilation_"),
        ("model = ", "cannot be read as TOML: Invalid value"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_what_is_wrong(tmp_path, text, message):
    file = write(tmp_path / "my.toml", text)
    with pytest.raises(SettingsError, match=message) as error:
        load_settings(config=file)
    assert str(error.value).startswith(f"{file}: ")


def test_a_file_that_is_asked_for_must_be_there(monkeypatch, tmp_path):
    with pytest.raises(SettingsError, match=f"--config: there is no file {tmp_path}/none.toml"):
        load_settings(config=tmp_path / "none.toml")
    monkeypatch.setenv("TRADEWIND_CONFIG", str(tmp_path / "gone.toml"))
    with pytest.raises(SettingsError, match=f"TRADEWIND_CONFIG: there is no file {tmp_path}/gone.toml"):
        load_settings()


def test_every_wrong_value_is_named_with_where_it_came_from_and_what_is_accepted(monkeypatch, tmp_path):
    file = write(tmp_path / "my.toml", "[engine]\ndtype = 'int3'\n")
    monkeypatch.setenv("TRADEWIND_SERVER__PORT", "http")
    with pytest.raises(SettingsError) as error:
        load_settings({"engine.max_rows": 0}, file)
    lines = str(error.value).splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("server.port = 'http' (from TRADEWIND_SERVER__PORT): input should be a valid integer")
    assert lines[1] == "engine.max_rows = 0 (from --max-rows): input should be greater than or equal to 1"
    assert lines[2].startswith(f"engine.dtype = 'int3' (from {file}): input should be 'auto', 'float32'")


def test_words_of_the_environment_become_values_of_their_type(monkeypatch):
    monkeypatch.setenv("TRADEWIND_ENGINE__PREFIX_CACHE", "false")
    monkeypatch.setenv("TRADEWIND_ENGINE__KV_MEMORY", "0.5")
    engine = load_settings().settings.engine
    assert (engine.prefix_cache, engine.kv_memory) == (False, 0.5)


def test_every_setting_says_what_it_is_and_no_two_have_the_same_flag():
    settings = list(all_settings())
    assert {setting.name for setting in settings} >= {"model", "data_dir", "server.port", "engine.max_rows"}
    assert all(setting.description.endswith(".") for setting in settings)
    assert [flag for flag, count in Counter(setting.flag for setting in settings).items() if count > 1] == []


def test_an_engine_started_with_an_engine_s_flags_has_the_same_options():
    """The gateway starts its engine that way."""
    options = EngineOptions(
        max_rows=3,
        max_context=100,
        page_size=8,
        pages=50,
        kv_memory=0.25,
        step_tokens=64,
        decode_steps=2,
        mesh="tensor=2",
        sharding_rules="rules.toml",
        micro_batches=2,
        dtype="float32",
        quantise="int8",
        attention="reference",
        prefix_cache=False,
        compile_threads=1,
        compilation_cache_dir="",
    )
    changed = [f.name for f in dataclasses.fields(options) if getattr(options, f.name) == f.default]
    assert changed == ["compilation_cache_dir"]
    seen = []
    app = typer.Typer()

    @app.command()
    @takes_settings("", "engine")
    def note(loaded: LoadedSettings) -> None:
        seen.append(loaded.settings.engine)

    result = CliRunner().invoke(app, options.flags())
    assert result.exit_code == 0, result.output
    assert seen == [options]


def test_an_encoder_started_with_an_encoder_s_flags_has_the_same_options():
    """The gateway starts its encoder that way."""
    options = EncoderOptions(
        model="./some-encoder", max_tokens=100, batch_tokens=256, compile_threads=3, compilation_cache_dir=""
    )
    assert "--encoder-batch-tokens" in options.flags()
    seen = []
    app = typer.Typer()

    @app.command()
    @takes_settings("data_dir", "encoder")
    def note(loaded: LoadedSettings) -> None:
        seen.append(loaded.settings.encoder)

    result = CliRunner().invoke(app, options.flags())
    assert result.exit_code == 0, result.output
    assert seen == [options]
    assert CliRunner().invoke(app, ["--data-dir", "here"]).exit_code == 0
    assert CliRunner().invoke(app, ["--model", "x"]).exit_code == 2  # not among those that it takes


def test_engine_and_encoder_keep_what_they_compiled_with_the_data(tmp_path):
    settings = load_settings({"data_dir": str(tmp_path)}).settings
    folder = str(tmp_path / "compilation-cache")
    assert (settings.engine.compilation_cache_dir, settings.encoder.compilation_cache_dir) == (folder, folder)
    assert load_settings({"encoder.compilation_cache_dir": ""}).settings.encoder.compilation_cache_dir == ""
