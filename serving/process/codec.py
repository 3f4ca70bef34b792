"""What every process says on the wire (process.proto): nothing at all, and how far it has come.

Every function is a serializer or deserializer as gRPC takes them, so neither side handles protobuf messages itself.
"""

from dataclasses import asdict

from serving.process import process_pb2 as pb
from serving.process.progress import StartupProgress


def encode_empty(_: None) -> bytes:
    """The request of the calls that take no argument."""
    return b""


def decode_empty(_: bytes) -> None:
    """The request of the calls that take no argument."""


def encode_progress(progress: StartupProgress) -> bytes:
    """Serialize one stage of a process's start."""
    return pb.StartupProgress(**asdict(progress)).SerializeToString()


def decode_progress(data: bytes) -> StartupProgress:
    """The inverse of `encode_progress`."""
    message = pb.StartupProgress.FromString(data)
    return StartupProgress(message.stage, message.done, message.total, message.message)
