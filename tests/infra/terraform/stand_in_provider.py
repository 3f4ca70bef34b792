"""A provider that knows its schema and nothing else: `python stand_in_provider.py NAME SCHEMA.json [--dev]`.

Terraform starts it as it would the real one, or with --dev is told where it runs already, and gets from it all that
`validate` and `test` with `mock_provider` need. It runs in an environment of its own (`tf` wants an older protobuf), so
it imports nothing of this repository.
"""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any, ClassVar

from tf.gen import tfplugin_pb2 as protocol
from tf.iface import DataSource, Provider, Resource
from tf.runner import run_provider
from tf.schema import Attribute, Block, NestedBlock, Schema
from tf.types import String


class Written(String):
    """A type as Terraform writes it in JSON."""

    def __init__(self, written: Any) -> None:
        self._written = written

    def tf_type(self) -> bytes:
        return json.dumps(self._written).encode()


class WrittenBlock(NestedBlock):
    """A nested block by the mode that the schema names; the package itself knows no lists."""

    _mode_map: ClassVar = {name.lower(): mode for name, mode in protocol.Schema.NestedBlock.NestingMode.items()}


def attributes(block: dict[str, Any]) -> list[Attribute]:
    """The attributes of a block of the schema."""
    return [
        Attribute(name, Written(written["type"]), **{flag: True for flag in written if flag != "type"})
        for name, written in block["attributes"].items()
    ]


def blocks(block: dict[str, Any]) -> list[NestedBlock]:
    """The blocks within a block of the schema."""
    return [
        WrittenBlock(
            name,
            written["nesting_mode"],
            Block(attributes(written["block"]), blocks(written["block"])),
            min_items=written.get("min_items"),
            max_items=written.get("max_items"),
        )
        for name, written in block["block_types"].items()
    ]


def described(base: type, name: str, written: dict[str, Any]) -> type:
    """A resource or data source that has a schema and can do nothing."""
    schema = Schema(attributes(written["block"]), version=written["version"], block_types=blocks(written["block"]))
    members = {
        "__init__": lambda self, provider: None,
        "get_name": classmethod(lambda cls: name),
        "get_schema": classmethod(lambda cls: schema),
    }
    described = type(name, (base,), members)
    described.__abstractmethods__ = frozenset()
    return described


class StandIn(Provider):
    """The provider NAME with the schema of a file."""

    def __init__(self, name: str, schema: dict[str, Any]) -> None:
        self._name = name
        self._schema = schema

    def get_model_prefix(self) -> str:
        return ""

    def full_name(self) -> str:
        return f"registry.terraform.io/hashicorp/{self._name}"

    def get_provider_schema(self, diags) -> Schema:
        block = self._schema["provider"]["block"]
        return Schema(attributes(block), version=0, block_types=blocks(block))

    def validate_config(self, diags, config) -> None:
        """Terraform has checked it against the schema."""

    def configure_provider(self, diags, config) -> None:
        """There is nothing to reach."""

    def get_data_sources(self) -> list[type[DataSource]]:
        return [described(DataSource, *item) for item in self._schema["data_source_schemas"].items()]

    def get_resources(self) -> list[type[Resource]]:
        return [described(Resource, *item) for item in self._schema["resource_schemas"].items()]


if __name__ == "__main__":
    name, path, *options = sys.argv[1:]
    with contextlib.suppress(KeyboardInterrupt):
        run_provider(StandIn(name, json.loads(Path(path).read_text(encoding="utf-8"))), [sys.argv[0], *options])
