"""The wire between gateways and encoders: values of request.py to and from protobuf bytes (encoder.proto).

Every function is a serializer or deserializer as gRPC takes them, so neither side handles protobuf messages itself.
"""

from dataclasses import asdict, fields
from typing import TypeVar

import numpy as np
from google.protobuf.message import DecodeError, Message

from serving.encoder import encoder_pb2 as pb
from serving.encoder.request import Embeddings, EmbedRequest, EncoderDescription, EncoderStats

_SERVICE = pb.DESCRIPTOR.services_by_name["Encoder"]
SERVICE = _SERVICE.full_name
METHODS = {method.name: f"/{SERVICE}/{method.name}" for method in _SERVICE.methods}  # RPC name -> its HTTP/2 path

Value = TypeVar("Value", EncoderDescription, EncoderStats)


def encode_request(request: EmbedRequest) -> bytes:
    """Serialize texts. Raises ValueError for one that is not Unicode, or an id that the wire has no room for."""
    inputs = [
        pb.Input(text=given) if isinstance(given, str) else pb.Input(ids=pb.TokenIds(ids=given))
        for given in request.inputs
    ]
    return pb.EmbedRequest(inputs=inputs, truncate=request.truncate).SerializeToString()


def decode_request(data: bytes) -> EmbedRequest:
    """The inverse of `encode_request`. Raises ValueError for what is none."""
    try:
        message = pb.EmbedRequest.FromString(data)
    except DecodeError as error:
        raise ValueError("an EmbedRequest cannot be read from these bytes") from error
    inputs = (given.text if given.WhichOneof("input") == "text" else tuple(given.ids.ids) for given in message.inputs)
    return EmbedRequest(tuple(inputs), message.truncate)


def encode_embeddings(embeddings: Embeddings) -> bytes:
    """Serialize vectors."""
    vectors = embeddings.vectors.astype("<f4", copy=False).tobytes()
    return pb.Embeddings(vectors=vectors, token_counts=embeddings.token_counts).SerializeToString()


def decode_embeddings(data: bytes) -> Embeddings:
    """The inverse of `encode_embeddings`."""
    message = pb.Embeddings.FromString(data)
    vectors = np.frombuffer(message.vectors, "<f4").reshape(len(message.token_counts), -1)
    return Embeddings(vectors, tuple(message.token_counts))


def encode_description(description: EncoderDescription) -> bytes:
    """Serialize what an encoder says of itself."""
    return pb.EncoderDescription(**asdict(description)).SerializeToString()


def decode_description(data: bytes) -> EncoderDescription:
    """The inverse of `encode_description`."""
    return _read(EncoderDescription, pb.EncoderDescription.FromString(data))


def encode_stats(stats: EncoderStats) -> bytes:
    """Serialize gauges and counters."""
    return pb.EncoderStats(**asdict(stats)).SerializeToString()


def decode_stats(data: bytes) -> EncoderStats:
    """The inverse of `encode_stats`."""
    return _read(EncoderStats, pb.EncoderStats.FromString(data))


def _read(value_type: type[Value], message: Message) -> Value:
    """The value of a message whose fields have the names of the value's."""
    return value_type(**{field.name: getattr(message, field.name) for field in fields(value_type)})
