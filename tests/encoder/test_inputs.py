"""What a request may hold, on the wire and in the encoder."""

import dataclasses

import numpy as np
import pytest

from serving.encoder import codec
from serving.encoder.inputs import read_inputs
from serving.encoder.request import Embeddings, EmbedRequest, EncoderDescription, EncoderStats, InputTooLong
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.encoder_tokenizer import EncoderTokenizer
from tests.golden_encoders import GOLDEN

DESCRIPTION = EncoderDescription("tiny", 32, 8, 93, True, "cpu", "f00d")
TOKENIZER = EncoderTokenizer.from_folder(GOLDEN / "bert", EmbeddingRecipe("mean", True, max_tokens=8))


def ids(*inputs, truncate=False):
    return read_inputs(EmbedRequest(inputs, truncate), TOKENIZER, DESCRIPTION)


def test_texts_and_ids_may_be_mixed():
    cls, sep = TOKENIZER.encode([""])[0].ids
    a, b = TOKENIZER.encode(["a b"])[0].ids[1:-1]
    assert ids("a b", (5, 6), "") == [(cls, a, b, sep), (5, 6), (cls, sep)]


def test_what_is_too_long_is_cut_off_when_asked_for():
    long, short = ids("a b c d e f g h i", tuple(range(20)), truncate=True)
    assert len(long) == 8 and long[-1] == TOKENIZER.encode([""])[0].ids[-1]
    assert short == tuple(range(8))


@pytest.mark.parametrize(
    ("inputs", "kind", "message"),
    [
        ((), ValueError, "input is empty"),
        (("a", ()), ValueError, r"input\[1\] has no token"),
        (((1, 93),), ValueError, r"input\[0\] holds the token id 93; accepted are 0 to 92"),
        (("a", "a b c d e f g h i"), InputTooLong, r"input\[1\] has 11 tokens; this encoder's maximum is 8"),
        ((tuple(range(9)),), InputTooLong, r"input\[0\] has 9 tokens"),
    ],
)
def test_what_cannot_be_read_is_named(inputs, kind, message):
    with pytest.raises(kind, match=message):
        ids(*inputs)


def test_values_come_back_from_the_wire_as_they_were():
    request = EmbedRequest(("text", "", (1, 2**32 - 1), ()), truncate=True)
    assert codec.decode_request(codec.encode_request(request)) == request
    assert codec.decode_description(codec.encode_description(DESCRIPTION)) == DESCRIPTION
    stats = EncoderStats(1, 2, 3, 4, 2**40)
    assert codec.decode_stats(codec.encode_stats(stats)) == stats
    sent = Embeddings(np.arange(6, dtype=np.float32).reshape(3, 2), (4, 5, 6))
    got = codec.decode_embeddings(codec.encode_embeddings(sent))
    np.testing.assert_array_equal(got.vectors, sent.vectors)
    assert got.vectors.dtype == np.float32 and got.token_counts == (4, 5, 6)


def test_what_the_wire_cannot_carry_is_refused():
    for wrong, message in (("\ud800", "surrogates not allowed"), ((2**32,), "out of range"), ((-1,), "out of range")):
        with pytest.raises(ValueError, match=message):
            codec.encode_request(EmbedRequest((wrong,)))
    with pytest.raises(ValueError, match="cannot be read"):
        codec.decode_request(b"\xff")


def test_every_field_of_a_value_has_its_place_on_the_wire():
    for value, message in ((DESCRIPTION, codec.pb.EncoderDescription), (EncoderStats(), codec.pb.EncoderStats)):
        assert [f.name for f in dataclasses.fields(value)] == [f.name for f in message.DESCRIPTOR.fields]
