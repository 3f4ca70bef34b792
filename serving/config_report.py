"""What `tradewind config` shows: every setting in force, its value, and where the value came from."""

import json
import re
from typing import Any

from pydantic import SecretStr
from rich.table import Table
from rich.text import Text

from serving.settings import LoadedSettings, Setting, all_settings

PASSWORD = re.compile(r"(?<=://)([^:/@]*):.+(?=@)")
"""Of an address such as a database's."""

ORIGIN_STYLES = {"default": "dim", "file": "cyan", "environment": "green", "flag": "yellow"}


def as_table(loaded: LoadedSettings) -> Table:
    """A row per setting. Secrets read as `**********`."""
    table = Table("setting", "value", "from", box=None, pad_edge=False, header_style="bold")
    for setting in all_settings(type(loaded.settings)):
        origin = loaded.origins[setting.name]
        value = _shown(_value(loaded, setting))
        shown = Text("" if value is None else str(value))
        table.add_row(setting.name, shown, Text(str(origin), style=ORIGIN_STYLES[origin.kind]))
    return table


def as_json(loaded: LoadedSettings) -> str:
    """An object from name to `{"value", "source", "detail"}`. Secrets read as `**********`."""
    report = {}
    for setting in all_settings(type(loaded.settings)):
        origin = loaded.origins[setting.name]
        value = _shown(_value(loaded, setting))
        report[setting.name] = {"value": value, "source": origin.kind, "detail": origin.detail}
    return json.dumps(report, indent=2, default=str)


def _value(loaded: LoadedSettings, setting: Setting) -> Any:
    value: Any = loaded.settings
    for name in setting.path:
        value = getattr(value, name)
    return value


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return str(value)
    return PASSWORD.sub(r"\1:**********", value) if isinstance(value, str) else value
