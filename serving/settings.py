"""One typed tree of settings: defaults < TOML file < environment < flags.

A setting has one name everywhere: `engine.max_rows` here, `[engine] max_rows = 64` in the file,
`TRADEWIND_ENGINE__MAX_ROWS` in the environment and `--max-rows` on the command line.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, is_dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from serving.encoder.options import EncoderOptions
from serving.engine.options import EngineOptions
from serving.retriever.options import RetrieverOptions

ENV_PREFIX = "TRADEWIND_"
CONFIG_VARIABLE = "TRADEWIND_CONFIG"
TEST_PREFIX = "TRADEWIND_TEST_"  # read by the test suite, which starts servers under its own environment
CONFIG_NAME = "tradewind.toml"

LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(Exception):
    """A setting that cannot be used. The message says which, where it came from and what is accepted."""


def default_data_dir() -> Path:
    """`tradewind` under the XDG data home."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "tradewind"


class ServerSettings(BaseModel):
    """The HTTP side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to listen on; 0.0.0.0 lets other machines in.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    max_body_bytes: int = Field(8 * 2**20, ge=1024, description="Largest request body that is read, in bytes.")
    shutdown_grace: int = Field(5, ge=0, description="Seconds that running replies get to finish on shutdown.")
    engine_address: str = Field(
        "", description="Engine that runs already, at host:port or unix:/path; empty starts one as a child process."
    )
    embeddings: bool = Field(True, description="Turn texts into vectors, too, by an encoder in a process of its own.")
    encoder_address: str = Field(
        "", description="Encoder that runs already, at host:port or unix:/path; empty starts one as a child process."
    )
    retrieval: bool = Field(
        True, description="Keep documents and find passages in them, too, by a retriever in a process of its own."
    )
    retriever_address: str = Field(
        "", description="Retriever that runs already, at host:port or unix:/path; empty starts one as a child process."
    )
    collection: str = Field(
        "", description="Collection that chats look things up in where they name none; empty looks nothing up."
    )
    retrieval_deadline: float = Field(
        1.0, gt=0, description="Seconds that a chat waits for its passages before it goes on without new ones."
    )
    access_log: bool = Field(False, description="Log a line per request (method, path and status; never a prompt).")


class Settings(BaseSettings):
    """Everything a person may set. It reads nothing by itself; `load_settings` reads file, environment and flags."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=ENV_PREFIX, env_nested_delimiter="__", validate_default=True
    )

    model: str = Field(
        "", description="Model folder, gs:// address or hub id; empty serves the model that comes along."
    )
    model_name: str = Field(
        "", description="Name of the model for clients; empty takes the folder's name or the hub id."
    )
    data_dir: Path = Field(default_factory=default_data_dir, description="Folder of everything that is kept.")
    log_level: LogLevel = Field("info", description="What is logged: this level and those above it.")
    server: ServerSettings = ServerSettings()
    engine: EngineOptions = EngineOptions()
    encoder: EncoderOptions = EncoderOptions()
    retriever: RetrieverOptions = RetrieverOptions()

    @classmethod
    def settings_customise_sources(cls, settings_cls, init_settings, **others):
        """Values passed in, and nothing else."""
        return (init_settings,)

    @model_validator(mode="before")
    @classmethod
    def _keep_compiled_programs_with_the_data(cls, values: dict[str, Any]) -> dict[str, Any]:
        folder = str(Path(values.get("data_dir", default_data_dir())).expanduser() / "compilation-cache")
        for group in ("engine", "encoder"):
            options = values.get(group, {})
            if isinstance(options, dict) and "compilation_cache_dir" not in options:
                values = values | {group: options | {"compilation_cache_dir": folder}}
        return values

    @model_validator(mode="after")
    def _expand_home(self) -> "Settings":
        object.__setattr__(self, "data_dir", self.data_dir.expanduser())
        return self


@dataclass(frozen=True, slots=True)
class Setting:
    """One leaf of the tree, and its names."""

    path: tuple[str, ...]
    annotation: Any
    default: Any  # None where it is found out at start
    description: str

    @property
    def name(self) -> str:
        """The name in the tree, such as engine.max_rows."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The name in the environment, such as TRADEWIND_ENGINE__MAX_ROWS."""
        return ENV_PREFIX + "__".join(self.path).upper()

    @property
    def flag(self) -> str:
        """The name on the command line, such as --max-rows; the encoder's say so, such as --encoder-model."""
        words = self.path if self.path[0] == "encoder" else self.path[-1:]
        return "--" + "-".join(words).replace("_", "-")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from; `detail` is the file's path, the variable or the flag."""

    kind: Literal["default", "file", "environment", "flag"]
    detail: str = ""

    def __str__(self) -> str:
        return self.detail or self.kind


@dataclass(frozen=True, slots=True)
class LoadedSettings:
    """The settings in force, and the origin of each by its name in the tree."""

    settings: Settings
    origins: Mapping[str, Origin]


def all_settings(tree: type = Settings, path: tuple[str, ...] = ()) -> Iterator[Setting]:
    """Every leaf of a tree of models and dataclasses, in the order of declaration."""
    for setting in _fields(tree, path):
        if is_dataclass(setting.annotation) or _is_model(setting.annotation):
            yield from all_settings(setting.annotation, setting.path)
        else:
            yield setting


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> LoadedSettings:
    """Read the file and the environment, put the flags on top, and check it all.

    `flags` holds values by their name in the tree (`{"server.port": 8080}`); None means that a flag was not given.
    The file is `config`, else the one that TRADEWIND_CONFIG names, else DATA_DIR/tradewind.toml where there is one.
    Raises SettingsError.
    """
    known = {setting.name: setting for setting in all_settings()}
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    environment = _read_environment(known)
    data_dir = given.get("data_dir") or environment.get("data_dir") or default_data_dir()
    file = _find_file(config, Path(data_dir).expanduser())
    written = _read_file(file, known) if file else {}

    origins = dict.fromkeys(known, Origin("default"))
    origins |= dict.fromkeys(written, Origin("file", str(file)))
    origins |= {name: Origin("environment", known[name].variable) for name in environment}
    origins |= {name: Origin("flag", known[name].flag) for name in given}
    try:
        settings = Settings(**_nest(written | environment | given))
    except ValidationError as error:
        raise SettingsError(_explain(error, origins)) from None
    return LoadedSettings(settings, origins)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _fields(tree: type, path: tuple[str, ...]) -> Iterator[Setting]:
    if _is_model(tree):
        for name, info in tree.model_fields.items():
            default = None if info.is_required() or info.default_factory else info.default
            yield Setting((*path, name), info.annotation, default, info.description or "")
    else:
        for option in dataclass_fields(tree):
            yield Setting((*path, option.name), option.type, option.default, option.metadata["description"])


def _read_environment(known: Mapping[str, Setting]) -> dict[str, Any]:
    by_variable = {setting.variable: setting.name for setting in known.values()}
    for variable in os.environ:
        if not variable.startswith(ENV_PREFIX) or variable.startswith(TEST_PREFIX):
            continue
        if variable not in by_variable and variable != CONFIG_VARIABLE:
            raise SettingsError(f"environment: {variable} is no setting{_nearest(variable, by_variable)}")
    return dict(_flatten(EnvSettingsSource(Settings, case_sensitive=False)()))


def _find_file(config: Path | None, data_dir: Path) -> Path | None:
    if named := config or os.environ.get(CONFIG_VARIABLE):
        file = Path(named).expanduser()
        if not file.is_file():
            origin = "--config" if config else CONFIG_VARIABLE
            raise SettingsError(f"{origin}: there is no file {file}")
        return file
    file = data_dir / CONFIG_NAME
    return file if file.is_file() else None


def _read_file(file: Path, known: Mapping[str, Setting]) -> dict[str, Any]:
    try:
        values = dict(_flatten(tomllib.loads(file.read_text(encoding="utf-8"))))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"{file}: cannot be read as TOML: {error}") from None
    for name in values:
        if name not in known:
            raise SettingsError(f"{file}: {name} is no setting{_nearest(name, known)}")
    return values


def _nearest(name: str, known: Iterable[str]) -> str:
    """The known name that was probably meant; a name whose last word fits wins (`port`: server.port)."""
    words = {candidate: re.split(r"__|\.", candidate)[-1] for candidate in known}
    last = re.split(r"__|\.", name.removeprefix(ENV_PREFIX))[-1]
    same = [candidate for candidate, word in words.items() if word.removeprefix(ENV_PREFIX) == last]
    close = same or difflib.get_close_matches(name, words, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f". Settings are: {', '.join(sorted(words))}"


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _nest(values: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in values.items():
        *groups, leaf = name.split(".")
        branch = tree
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[leaf] = value
    return tree


def _explain(error: ValidationError, origins: Mapping[str, Origin]) -> str:
    lines = []
    for problem in error.errors(include_url=False):
        name = ".".join(str(part) for part in problem["loc"])
        origin = origins.get(name, "settings")
        lines.append(f"{name} = {problem['input']!r} (from {origin}): {problem['msg'].lower()}")
    return "\n".join(lines)
