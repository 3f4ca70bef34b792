"""Settings and options as flags of a command: name, type, help and default all come from where they are declared."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from serving.settings import CONFIG_NAME, CONFIG_VARIABLE, LoadedSettings, Setting, all_settings, load_settings

ConfigFlag = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help=f"TOML file of settings (or {CONFIG_VARIABLE}); by default DATA_DIR/{CONFIG_NAME}, if it is there.",
        rich_help_panel="Settings",
    ),
]
PANELS = {"server": "Server", "engine": "Engine", "encoder": "Encoder", "retriever": "Retriever"}
METAVARS = {int: "N", float: "N", str: "TEXT", Path: "PATH", bool: " "}


def takes_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the flags of these settings, or groups of them ("" for the top of the tree), and `--config`.

    The command's parameter `loaded` gets what is in force; its other parameters stay its own.
    """
    chosen = [setting for setting in all_settings() if {setting.name, setting.name.rpartition(".")[0]} & {*names}]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            flags = {setting.name: values.pop(_parameter_name(setting)) for setting in chosen}
            command(loaded=load_settings(flags, values.pop("config")), **values)

        own = [p for p in inspect.signature(command).parameters.values() if p.annotation is not LoadedSettings]
        parameters = [
            *own,
            *(_parameter(setting) for setting in chosen),
            inspect.Parameter("config", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ConfigFlag),
        ]
        parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters]
        run.__signature__ = inspect.Signature(parameters)
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def takes_options(options: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a flag for each field of a dataclass; its parameter `options` gets the whole.

    A field's metadata is `description` (Rich markup), `metavar`, `panel`, and what typer.Option takes beside these.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**values: Any) -> None:
            command(options=options(**values))

        parameters = []
        for option in fields(options):
            more = dict(option.metadata)
            flag = typer.Option(
                f"--{option.name.replace('_', '-')}",
                help=more.pop("description"),
                rich_help_panel=more.pop("panel"),
                **more,
            )
            annotation = Annotated[option.type, flag]
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(option.name, kind, default=option.default, annotation=annotation))
        run.__signature__ = inspect.Signature(parameters)
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def _parameter_name(setting: Setting) -> str:
    return setting.flag.removeprefix("--").replace("-", "_")


def _parameter(setting: Setting) -> inspect.Parameter:
    names = [setting.flag]
    if setting.annotation is bool:
        names = [f"{setting.flag}/--no-{setting.flag.removeprefix('--')}"]
    choices = (
        f" [dim]({', '.join(get_args(setting.annotation))})[/]" if get_origin(setting.annotation) is Literal else ""
    )
    default = "" if setting.default in (None, "") else f" [dim](default {_shown(setting.default)})[/]"
    option = typer.Option(
        *names,
        help=setting.description + choices + default,
        metavar=METAVARS.get(setting.annotation, "NAME"),
        rich_help_panel=PANELS.get(setting.path[0], "Settings"),
    )
    annotation = Annotated[setting.annotation | None, option]
    return inspect.Parameter(
        _parameter_name(setting), inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _shown(default: object) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)
