"""The wire between gateways and retrievers: values of request.py to and from protobuf bytes (retriever.proto).

A message has its value's name and its value's fields, so one pair of functions serves them all.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from serving.process.codec import decode_empty, encode_empty
from serving.retriever import request
from serving.retriever import retriever_pb2 as pb

_SERVICE = pb.DESCRIPTOR.services_by_name["Retriever"]
SERVICE = _SERVICE.full_name
METHODS = {method.name: f"/{SERVICE}/{method.name}" for method in _SERVICE.methods}  # RPC name -> its HTTP/2 path

_JSON = ("metadata", "filter")  # fields that hold any JSON, whose text is on the wire

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one request and one answer: its path, and both ways through the wire, as gRPC takes them."""

    path: str
    encode_request: Callable[[Any], bytes]
    decode_request: Callable[[bytes], Any]
    encode_answer: Callable[[Any], bytes]
    decode_answer: Callable[[bytes], Any]


def encode(value: Any) -> bytes:
    """Serialize a value of request.py. Raises ValueError for text that is not Unicode, and numbers without room."""
    return _message(value).SerializeToString()


def decode(kind: type[Value], data: bytes) -> Value:
    """The inverse of `encode`. Raises ValueError for bytes that are none."""
    try:
        return _value(getattr(pb, kind.__name__).FromString(data))
    except DecodeError as error:
        raise ValueError(f"no {kind.__name__} can be read from these bytes") from error


def _message(value: Any) -> Message:
    kind = getattr(pb, type(value).__name__)
    return kind(**{field.name: _written(field.name, getattr(value, field.name)) for field in fields(value)})


def _written(name: str, value: Any) -> Any:
    """A field as protobuf takes it; None leaves it out."""
    if name in _JSON:
        return json.dumps(value)
    if is_dataclass(value):
        return _message(value)
    if isinstance(value, tuple):
        return [_message(item) if is_dataclass(item) else item for item in value]
    return value


def _value(message: Message) -> Any:
    kind = getattr(request, message.DESCRIPTOR.name)
    return kind(**{field.name: _read(message, field.name) for field in fields(kind)})


def _read(message: Message, name: str) -> Any:
    field, value = message.DESCRIPTOR.fields_by_name[name], getattr(message, name)
    if name in _JSON:
        return json.loads(value)
    if field.is_repeated:
        return tuple(_value(item) if field.message_type else item for item in value)
    if field.message_type:
        return _value(value)
    return None if field.has_presence and not message.HasField(name) else value


def _way(message_type: Any) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    if message_type.name == "Empty":
        return encode_empty, decode_empty
    return encode, partial(decode, getattr(request, message_type.name))


def _call(method: Any) -> Call:
    return Call(METHODS[method.name], *_way(method.input_type), *_way(method.output_type))


CALLS = {method.name: _call(method) for method in _SERVICE.methods if method.name not in ("WatchStartup", "WatchStats")}
encode_stats, decode_stats = _way(pb.RetrieverStats.DESCRIPTOR)
