"""What every process says survives the wire."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st

from serving.process import process_pb2
from serving.process.codec import decode_empty, decode_progress, encode_empty, encode_progress
from serving.process.progress import StartupProgress

uint32 = st.integers(0, 2**32 - 1)


@given(st.builds(StartupProgress, st.text(), uint32, uint32, st.text()))
def test_startup_progress_survives_the_wire(progress):
    assert decode_progress(encode_progress(progress)) == progress


def test_messages_have_the_fields_of_the_values():
    declared = [(field.name, field.number) for field in process_pb2.StartupProgress.DESCRIPTOR.fields]
    assert declared == [(field.name, number) for number, field in enumerate(fields(StartupProgress), 1)]
    assert decode_empty(encode_empty(None)) is None
