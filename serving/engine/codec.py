"""The wires of an engine: values of request.py, turns.py and member.py to and from protobuf bytes (engine.proto).

Every function is a serializer or deserializer as gRPC takes them, so neither side handles protobuf messages itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from google.protobuf.message import DecodeError, Message

from serving.engine import engine_pb2 as pb
from serving.engine.member import Leaving, Member, Report
from serving.engine.request import (
    Delta,
    EngineDescription,
    EngineStats,
    FinishReason,
    GenerationRequest,
    SamplingParams,
    Timings,
    TokenLogprobs,
)
from serving.engine.turns import Cancel, Command, Turn

_SERVICES = pb.DESCRIPTOR.services_by_name
ENGINE_SERVICE, REPLICA_SERVICE = (_SERVICES[name].full_name for name in ("Engine", "Replica"))
METHODS = {  # RPC name -> its HTTP/2 path
    method.name: f"/{service.full_name}/{method.name}" for service in _SERVICES.values() for method in service.methods
}


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one engine step (or several, for a slow reader) brought to one gateway."""

    deltas: tuple[Delta, ...]
    stats: EngineStats


def encode_description(description: EngineDescription) -> bytes:
    """Serialize what an engine says of itself."""
    return _flat(pb.EngineDescription, description).SerializeToString()


def decode_description(data: bytes) -> EngineDescription:
    """The inverse of `encode_description`."""
    return _value(EngineDescription, pb.EngineDescription.FromString(data))


def encode_command(command: Command) -> bytes:
    """Serialize a submission or a cancellation."""
    return _command_message(command).SerializeToString()


def decode_command(data: bytes) -> Command:
    """The inverse of `encode_command`. Raises ValueError for what is neither command."""
    try:
        message = pb.Command.FromString(data)
    except DecodeError as error:
        raise ValueError("a Command cannot be read from these bytes") from error
    return _command(message)


def encode_turn(turn: Turn) -> bytes:
    """Serialize one message of the stream from a leader to its followers."""
    commands = [_command_message(command) for command in turn.commands]
    return pb.Turn(commands=commands, decode_steps=turn.decode_steps).SerializeToString()


def decode_turn(data: bytes) -> Turn:
    """The inverse of `encode_turn`."""
    message = pb.Turn.FromString(data)
    return Turn(tuple(map(_command, message.commands)), message.decode_steps)


def encode_report(report: Report) -> bytes:
    """Serialize what a follower tells its leader."""
    match report:
        case Member():
            message = pb.FollowerReport(member=_flat(pb.Member, report))
        case EngineDescription():
            message = pb.FollowerReport(loaded=_flat(pb.EngineDescription, report))
        case Leaving(reason):
            message = pb.FollowerReport(leaving=reason)
    return message.SerializeToString()


def decode_report(data: bytes) -> Report:
    """The inverse of `encode_report`. Raises ValueError for what is no report."""
    try:
        message = pb.FollowerReport.FromString(data)
    except DecodeError as error:
        raise ValueError("a FollowerReport cannot be read from these bytes") from error
    match message.WhichOneof("report"):
        case "member":
            return _value(Member, message.member)
        case "loaded":
            return _value(EngineDescription, message.loaded)
        case "leaving":
            return Leaving(message.leaving)
    raise ValueError("a FollowerReport must hold `member`, `loaded` or `leaving`")


def encode_step(step: StepOutput) -> bytes:
    """Serialize one message of the stream from an engine to a gateway."""
    deltas = [_delta_message(delta) for delta in step.deltas]
    return pb.StepOutput(deltas=deltas, stats=_flat(pb.EngineStats, step.stats)).SerializeToString()


def decode_step(data: bytes) -> StepOutput:
    """The inverse of `encode_step`."""
    message = pb.StepOutput.FromString(data)
    return StepOutput(tuple(map(_delta, message.deltas)), _value(EngineStats, message.stats))


def _command_message(command: Command) -> pb.Command:
    if isinstance(command, Cancel):
        return pb.Command(cancel=command.id)
    submit = pb.GenerationRequest(
        id=command.id,
        prompt=command.prompt,
        sampling=_flat(pb.SamplingParams, command.sampling),
        salt=command.salt,
        priority=command.priority,
    )
    return pb.Command(submit=submit)


def _command(message: pb.Command) -> Command:
    match message.WhichOneof("command"):
        case "submit":
            submit = message.submit
            sampling = _value(SamplingParams, submit.sampling)
            return GenerationRequest(submit.id, tuple(submit.prompt), sampling, submit.salt, submit.priority)
        case "cancel":
            return Cancel(message.cancel)
    raise ValueError("a Command must hold `submit` or `cancel`")


def _delta_message(delta: Delta) -> pb.Delta:
    return pb.Delta(
        id=delta.id,
        tokens=delta.tokens,
        logprobs=_logprobs_messages(delta.logprobs),
        prompt_logprobs=_logprobs_messages(delta.prompt_logprobs),
        cached_tokens=delta.cached_tokens,
        finish_reason=delta.finish_reason,  # None leaves a field unset
        stop_token=delta.stop_token,
        error=delta.error,
        timings=_flat(pb.Timings, delta.timings) if delta.timings else None,
    )


def _delta(message: pb.Delta) -> Delta:
    return Delta(
        id=message.id,
        tokens=tuple(message.tokens),
        logprobs=_logprobs(message.logprobs),
        prompt_logprobs=_logprobs(message.prompt_logprobs),
        cached_tokens=message.cached_tokens,
        finish_reason=FinishReason(message.finish_reason) if message.finish_reason else None,
        stop_token=message.stop_token if message.HasField("stop_token") else None,
        error=message.error,
        timings=_value(Timings, message.timings) if message.HasField("timings") else None,
    )


def _logprobs_messages(positions: Sequence[TokenLogprobs | None]) -> list[pb.TokenLogprobs]:
    return [
        pb.TokenLogprobs(absent=True)
        if position is None
        else pb.TokenLogprobs(
            token=position.token,
            logprob=position.logprob,
            top_tokens=[token for token, _ in position.top],
            top_logprobs=[logprob for _, logprob in position.top],
        )
        for position in positions
    ]


def _logprobs(messages: Sequence[pb.TokenLogprobs]) -> tuple[TokenLogprobs | None, ...]:
    return tuple(
        None
        if message.absent
        else TokenLogprobs(
            message.token, message.logprob, tuple(zip(message.top_tokens, message.top_logprobs, strict=True))
        )
        for message in messages
    )


# Messages whose fields have the names of the dataclass' fields and need no thought of their own.


def _flat(message_type: type[Message], value: Any) -> Message:
    return message_type(**{field.name: getattr(value, field.name) for field in fields(value)})


def _value(value_type: type, message: Message) -> Any:
    return value_type(**{name: read(message, name) for name, read in _READERS[value_type]})


def _readers(message_type: type[Message]) -> list[tuple[str, Any]]:
    readers = []
    for field in message_type.DESCRIPTOR.fields:
        if field.message_type is not None:
            read = _read_map
        elif field.is_repeated:
            read = _read_repeated
        elif field.has_presence:
            read = _read_optional
        else:
            read = getattr
        readers.append((field.name, read))
    return readers


def _read_map(message: Message, name: str) -> dict:
    return dict(getattr(message, name))


def _read_repeated(message: Message, name: str) -> tuple:
    return tuple(getattr(message, name))


def _read_optional(message: Message, name: str) -> Any:
    return getattr(message, name) if message.HasField(name) else None


_READERS = {
    SamplingParams: _readers(pb.SamplingParams),
    EngineDescription: _readers(pb.EngineDescription),
    EngineStats: _readers(pb.EngineStats),
    Member: _readers(pb.Member),
    Timings: _readers(pb.Timings),
}
