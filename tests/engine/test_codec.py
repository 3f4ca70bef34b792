"""The wire carries every field of every value of request.py, and engine_pb2.py was generated from engine.proto."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import given
from hypothesis import strategies as st

from serving.engine import codec, engine_pb2
from serving.engine.member import Leaving, Member
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
from serving.engine.turns import Cancel, Turn

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)
float32 = st.floats(width=32, allow_nan=False)
float64 = st.floats(allow_nan=False)
token_ids = st.lists(uint32, max_size=5).map(tuple)

token_logprobs = st.builds(TokenLogprobs, uint32, float32, st.lists(st.tuples(uint32, float32), max_size=4).map(tuple))
sampling_params = st.builds(
    SamplingParams,
    max_tokens=uint32,
    min_tokens=uint32,
    temperature=float32,
    top_k=uint32,
    top_p=float32,
    min_p=float32,
    repetition_penalty=float32,
    presence_penalty=float32,
    frequency_penalty=float32,
    seed=uint64,
    logit_bias=st.dictionaries(uint32, float32, max_size=4),
    allowed_token_ids=token_ids,
    stop_token_ids=token_ids,
    ignore_eos=st.booleans(),
    logprobs=st.none() | uint32,
    prompt_logprobs=st.none() | uint32,
)
requests = st.builds(
    GenerationRequest, st.text(), token_ids, sampling_params, st.text(), st.integers(-(2**31), 2**31 - 1)
)
deltas = st.builds(
    Delta,
    id=st.text(),
    tokens=token_ids,
    logprobs=st.lists(token_logprobs, max_size=3).map(tuple),
    prompt_logprobs=st.lists(st.none() | token_logprobs, max_size=3).map(tuple),
    cached_tokens=uint32,
    finish_reason=st.none() | st.sampled_from(FinishReason),
    stop_token=st.none() | uint32,
    error=st.text(),
    timings=st.none() | st.builds(Timings, float64, float64, float64, float64),
)
stats = st.builds(
    EngineStats,
    running=uint32,
    waiting=uint32,
    pages_used=uint32,
    pages_total=uint32,
    prefix_queries=uint64,
    prefix_hits=uint64,
    preemptions=uint64,
    steps=uint64,
    compiles_after_warmup=uint32,
)
descriptions = st.builds(
    EngineDescription,
    model=st.text(),
    max_context=uint32,
    vocab_size=uint32,
    max_rows=uint32,
    page_size=uint32,
    pages=uint32,
    dtype=st.text(),
    platform=st.text(),
    fingerprint=st.text(),
    eos_token_ids=token_ids,
)
commands = requests | st.builds(Cancel, st.text())
members = st.builds(
    Member,
    process=uint32,
    processes=uint32,
    host=st.text(),
    version=st.text(),
    options=st.dictionaries(st.text(), st.text(), max_size=4),
)


@given(commands)
def test_commands_survive_the_wire(command):
    assert codec.decode_command(codec.encode_command(command)) == command


@given(st.builds(codec.StepOutput, st.lists(deltas, max_size=3).map(tuple), stats))
def test_step_outputs_survive_the_wire(step):
    assert codec.decode_step(codec.encode_step(step)) == step


@given(st.builds(Turn, st.lists(commands, max_size=3).map(tuple), uint32))
def test_turns_survive_the_wire(turn):
    assert codec.decode_turn(codec.encode_turn(turn)) == turn


@given(members | descriptions | st.builds(Leaving, st.text()))
def test_reports_of_followers_survive_the_wire(report):
    assert codec.decode_report(codec.encode_report(report)) == report


@given(descriptions)
def test_descriptions_survive_the_wire(description):
    assert codec.decode_description(codec.encode_description(description)) == description


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff"])
def test_what_is_no_command_is_refused(data):
    with pytest.raises(ValueError, match="a Command"):
        codec.decode_command(data)


@pytest.mark.parametrize("data", [b"", b"\xff\xff\xff"])
def test_what_is_no_report_is_refused(data):
    with pytest.raises(ValueError, match="a FollowerReport"):
        codec.decode_report(data)


@pytest.mark.parametrize(
    ("value_type", "message_type"),
    [
        (SamplingParams, engine_pb2.SamplingParams),
        (GenerationRequest, engine_pb2.GenerationRequest),
        (Timings, engine_pb2.Timings),
        (Delta, engine_pb2.Delta),
        (EngineStats, engine_pb2.EngineStats),
        (EngineDescription, engine_pb2.EngineDescription),
        (Member, engine_pb2.Member),
        (Turn, engine_pb2.Turn),
    ],
    ids=lambda given: given.__name__,
)
def test_messages_have_the_fields_of_the_values(value_type, message_type):
    assert {field.name for field in fields(value_type)} == {field.name for field in message_type.DESCRIPTOR.fields}


def test_the_generated_code_is_that_of_the_proto_file():
    """Compares names, numbers, types and labels with the .proto's text; to generate anew: `make protocol`."""
    text = re.sub(r"//.*", "", Path(codec.__file__).with_name("engine.proto").read_text())
    declared = {}
    for message, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
        found = re.findall(r"(?:(optional|repeated) )?(map<\w+, \w+>|\w+) (\w+) = (\d+);", body)
        declared[message] = {(name, int(number), label, kind) for label, kind, name, number in found}
    generated = {
        name: {_declaration(field) for field in message.fields}
        for name, message in engine_pb2.DESCRIPTOR.message_types_by_name.items()
    }
    assert generated == declared
    rpcs = re.findall(
        r"rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\);", re.sub(r"tradewind\.\w+\.v1\.", "", text)
    )
    assert {
        (method.name, method.client_streaming, method.input_type.name, method.server_streaming, method.output_type.name)
        for service in engine_pb2.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    } == {(name, bool(up), given, bool(down), answer) for name, up, given, down, answer in rpcs}


_SCALARS = {
    getattr(FieldDescriptor, f"TYPE_{name.upper()}"): name
    for name in ("string", "bool", "uint32", "uint64", "sint32", "float", "double")
}


def _declaration(field: FieldDescriptor) -> tuple[str, int, str, str]:
    """(name, number, label, type) as engine.proto writes them."""
    message = field.message_type
    if message and message.GetOptions().map_entry:
        key, value = (_SCALARS[message.fields_by_name[name].type] for name in ("key", "value"))
        return field.name, field.number, "", f"map<{key}, {value}>"
    optional = field.containing_oneof and field.containing_oneof.name == f"_{field.name}"
    label = "repeated" if field.is_repeated else "optional" if optional else ""
    return field.name, field.number, label, message.name if message else _SCALARS[field.type]
