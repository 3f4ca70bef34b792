"""Schemas of the Google providers, read from the CDK bindings that PyPI carries.

The bindings are generated from the providers' own schemas and still hold all of it: each argument's name, type, whether
it is required, optional or computed, and which structures are blocks. This module turns their JavaScript back into the
JSON that `terraform providers schema -json` prints.
"""

import re
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["resource", "data"]
Json = dict[str, Any]

# `// name - computed: ...` and what follows it: a nested structure, or a getter that tells the type.
_FIELD = re.compile(
    r"^    // (?P<name>\w+) - computed: (?P<computed>\w+), optional: (?P<optional>\w+), required: (?P<required>\w+)\n"
    r"(?:    _\w+ = new (?:\w+\.)?(?P<struct>\w+)\(this, \"\w+\"(?:, (?P<is_set>true|false))?\);\n|    _\w+;\n)?"
    r"(?P<write_only>    /\*\*\n    \* @deprecated Write-only.*\n    \*/\n)?"
    r"    get \w+\(\) \{\n        return (?P<getter>[^;]+);",
    re.MULTILINE,
)
_CLASS = re.compile(r"^class (?P<name>\w+) extends \w+\.\w+ \{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL)
_PROVIDER_ARGUMENT = re.compile(
    r"^            (?P<name>\w+): \{\n.*\n +isBlock: (?P<block>\w+),\n.*\n +storageClassType: \"(?P<type>\w+)\"",
    re.MULTILINE,
)
_GETTERS = {
    "getStringAttribute": "string",
    "getNumberAttribute": "number",
    "getBooleanAttribute": "bool",
    "getListAttribute": ["list", "string"],
    "getNumberListAttribute": ["list", "number"],
    "getStringMapAttribute": ["map", "string"],
    "getNumberMapAttribute": ["map", "number"],
    "getBooleanMapAttribute": ["map", "bool"],
}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
_PROVIDER_TYPES = {
    "string": "string",
    "boolean": "bool",
    "number": "number",
    "stringList": ["list", "string"],
    "stringMap": ["map", "string"],
}


class UnknownBinding(Exception):
    """A binding that this module cannot read; the message says which."""


@dataclass(frozen=True, slots=True)
class Binding:
    """The Python package on PyPI that carries one provider's schemas, and the version of the provider in it."""

    package: str
    package_version: str
    version: str
    prefix: str  # of its folders: google-beta's are named by the whole type, google's without `google_`

    @property
    def requirement(self) -> str:
        """What pip is to download."""
        return f"{self.package}=={self.package_version}"

    def folder(self, kind: Kind, type_name: str) -> str:
        """The folder of a resource's or data source's code within the package."""
        name = self.prefix + type_name.removeprefix("google_").replace("_", "-")
        return f"data-google-{name.removeprefix('google-')}" if kind == "data" else name


BINDINGS: Mapping[str, Binding] = {
    "google": Binding("cdktn-provider-google", "21.1.0", "8.7.0", ""),
    "google-beta": Binding("cdktn-provider-google-beta", "21.1.0", "8.7.0", "google-"),
}


def read_schema(wheel: Path, binding: Binding, wanted: Iterable[tuple[Kind, str]]) -> Json:
    """The provider's schema with those of the `wanted` resources and data sources that it has."""
    folders = {binding.folder(kind, name): (kind, name) for kind, name in wanted}
    sources = _read_sources(wheel, {"provider", *folders})
    schema: Json = {
        "provider": {"block": _provider_block(sources["provider"])},
        "resource_schemas": {},
        "data_source_schemas": {},
    }
    for folder, (kind, name) in folders.items():
        if folder in sources:
            table = "resource_schemas" if kind == "resource" else "data_source_schemas"
            schema[table][name] = {"version": 0, "block": _Structures(sources[folder]).block(_main_class(folder))}
    return schema


def _read_sources(wheel: Path, folders: set[str]) -> dict[str, str]:
    """The JavaScript of each folder, all its files joined."""
    sources: dict[str, str] = {}
    with zipfile.ZipFile(wheel) as archive:
        (bundle,) = (name for name in archive.namelist() if name.endswith(".jsii.tgz"))
        with archive.open(bundle) as compressed, tarfile.open(fileobj=compressed, mode="r|gz") as files:
            for member in files:
                parts = Path(member.name).parts  # package/lib/FOLDER/...
                if parts[1:2] == ("lib",) and len(parts) > 3 and parts[2] in folders and member.name.endswith(".js"):
                    content = files.extractfile(member)
                    assert content is not None
                    sources[parts[2]] = sources.get(parts[2], "") + content.read().decode() + "\n"
    return sources


def _main_class(folder: str) -> str:
    return "".join(part.capitalize() for part in folder.split("-"))


def _provider_block(source: str) -> Json:
    attributes, block_types = {}, {}
    for argument in _PROVIDER_ARGUMENT.finditer(source):
        if argument["block"] == "true":
            block_types[argument["name"]] = {"nesting_mode": "list", "block": {"attributes": {}, "block_types": {}}}
        else:
            attributes[argument["name"]] = {"type": _PROVIDER_TYPES[argument["type"]], "optional": True}
    return {"attributes": attributes, "block_types": block_types}


class _Structures:
    """The classes of one resource's code, each a structure with fields."""

    def __init__(self, source: str) -> None:
        self._bodies = {match["name"]: match["body"] for match in _CLASS.finditer(source)}

    def block(self, class_name: str) -> Json:
        """A structure as a block. Raises UnknownBinding."""
        attributes, block_types = {}, {}
        for field in self._fields(class_name):
            flags = {flag: True for flag in ("computed", "optional", "required") if field[flag] == "true"}
            struct = field["struct"]
            if struct is None or struct in _MAPS or flags == {"computed": True}:
                attributes[field["name"]] = {"type": self._type(field)} | flags
            else:
                block_types[field["name"]] = self._nested_block(field, required="required" in flags)
        return {"attributes": attributes, "block_types": block_types}

    def _nested_block(self, field: re.Match[str], required: bool) -> Json:
        nested: Json = {"block": self.block(_item_class(field["struct"]))}
        if field["name"] == "timeouts":
            return nested | {"nesting_mode": "single"}
        nested["nesting_mode"] = "set" if field["is_set"] == "true" else "list"
        if required:
            nested["min_items"] = 1
        if field["struct"].endswith("OutputReference"):
            nested["max_items"] = 1
        return nested

    def _type(self, field: re.Match[str]) -> Any:
        struct = field["struct"]
        if struct in _MAPS:
            return ["map", _MAPS[struct]]
        if struct is not None and struct.removesuffix("List") in _MAPS:
            return ["list", ["map", _MAPS[struct.removesuffix("List")]]]
        if struct is not None:
            members = {member["name"]: self._type(member) for member in self._fields(_item_class(struct))}
            return ["set" if field["is_set"] == "true" else "list", ["object", members]]
        for getter, scalar in _GETTERS.items():
            if f"this.{getter}(" in field["getter"]:
                return ["set", "string"] if "Fn.tolist" in field["getter"] else scalar
        raise UnknownBinding(f"{field['name']}: no type is known for the getter {field['getter']}")

    def _fields(self, class_name: str) -> Iterator[re.Match[str]]:
        body = self._bodies[class_name]
        fields = list(_FIELD.finditer(body))
        if len(fields) != body.count(" - computed: "):
            raise UnknownBinding(
                f"{class_name}: {body.count(' - computed: ')} fields are written there, {len(fields)} read"
            )
        yield from fields


def _item_class(struct: str) -> str:
    """The class of one item: `XList` holds items of `XOutputReference`."""
    return re.sub(r"List$", "OutputReference", struct)
