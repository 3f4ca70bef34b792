"""What names, texts and metadata may be, checked before anything is done with them."""

import math
import re
from collections.abc import Mapping, Sequence

from retrieval.errors import InvalidRequest

Scalar = str | int | float | bool | None
Metadata = Mapping[str, Scalar | Sequence[Scalar]]

NAME = 128  # characters
KEY = 1024
FIELDS = 64
FIELD_VALUE = 4096  # characters
FIELD_ITEMS = 256  # of a list
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME - 1}}}")


def check_name(name: str) -> str:
    """A collection's name."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot name a collection; accepted are 1 to {NAME} letters, digits, '.', '_' and '-', "
            "the first a letter or digit"
        )
    return name


def check_text(text: str, what: str, limit: int | None = None) -> str:
    """Unicode without NUL, which databases refuse; `what` names it in the error."""
    if not isinstance(text, str):
        raise InvalidRequest(f"{what} is {_kind(text)}; accepted is a string")
    if limit is not None and len(text) > limit:
        raise InvalidRequest(f"{what} has {len(text):,} characters; accepted are {limit:,} at most")
    if bad := re.search("[\x00\ud800-\udfff]", text):
        raise InvalidRequest(f"{what} holds U+{ord(bad[0]):04X} at character {bad.start()}, which is no text")
    return text


def check_key(key: str) -> str:
    """A document's id."""
    if not check_text(key, "the document's id", KEY):
        raise InvalidRequest(f"the document's id is empty; accepted are 1 to {KEY:,} characters")
    return key


def check_metadata(metadata: Metadata) -> dict[str, Scalar | list[Scalar]]:
    """A document's metadata: names with strings, numbers, booleans, null or lists of these."""
    if not isinstance(metadata, Mapping):
        raise InvalidRequest(f"metadata is {_kind(metadata)}; accepted is an object")
    if len(metadata) > FIELDS:
        raise InvalidRequest(f"metadata has {len(metadata)} fields; accepted are {FIELDS} at most")
    checked: dict[str, Scalar | list[Scalar]] = {}
    for name, value in metadata.items():
        where = f"metadata field {check_text(name, 'a name in metadata', NAME)!r}"
        if isinstance(value, list | tuple) and len(value) > FIELD_ITEMS:
            raise InvalidRequest(f"{where} has {len(value):,} items; accepted are {FIELD_ITEMS} at most")
        checked[name] = (
            [_check_scalar(item, where) for item in value]
            if isinstance(value, list | tuple)
            else _check_scalar(value, where)
        )
    return checked


def _check_scalar(value: Scalar, where: str) -> Scalar:
    if isinstance(value, str):
        return check_text(value, where, FIELD_VALUE)
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise InvalidRequest(
        f"{where} is {_kind(value)}; accepted are strings, finite numbers, booleans, null and lists of these"
    )


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", tuple: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value)) or (f"the number {value}" if isinstance(value, int | float) else type(value).__name__)
