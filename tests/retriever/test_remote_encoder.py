"""The encoder as the retriever sees it, over a real process that is killed and comes back."""

import asyncio

import pytest

from retrieval.errors import EncoderAway
from serving.encoder.request import EncoderDescription
from serving.retriever.remote_encoder import RemoteEncoder, encoder_of, name_of
from tests.golden_encoders import GOLDEN

FOLDER = GOLDEN / "bert"
DESCRIPTION = EncoderDescription("some/folder/echo", 32, 16, 93, True, "cpu", "fp_1")


@pytest.fixture
async def remote(tmp_path):
    made = RemoteEncoder(f"unix:{tmp_path}/encoder")
    yield made
    await made.close()


async def embedded(remote: RemoteEncoder, text: str):
    """A text's vector, once the encoder is there."""
    while True:
        try:
            return (await remote.embed([text]))[0]
        except EncoderAway:
            await asyncio.sleep(0.01)


async def embedded_for_ever(remote: RemoteEncoder) -> None:
    """Returns only by an exception."""
    while True:
        await remote.embed(["text"])


async def test_texts_wait_for_an_encoder_that_is_killed_and_comes_back(remote, echo_encoder):
    first = echo_encoder()
    async with asyncio.timeout(120):
        description = await remote.described()
        assert (description.dimensions, description.max_tokens) == (32, 16)
        with pytest.raises(EncoderAway):
            await remote.embed(["nobody follows it yet"])
        following = asyncio.create_task(remote.follow(description))
        vector = await embedded(remote, "harbour " * 100)  # what is too long is cut off
        assert vector.shape == (32,) and (vector[:16] > 0).all() and not vector[16:].any()
        first.kill()
        first.wait()
        with pytest.raises(EncoderAway, match="try again"):
            await embedded_for_ever(remote)
        echo_encoder()
        assert (await embedded(remote, "harbour " * 100)).tolist() == vector.tolist()
        assert not following.done()
        following.cancel()


async def test_another_encoder_in_its_place_is_told(remote, echo_encoder):
    first = echo_encoder("--fingerprint", "fp_1")
    async with asyncio.timeout(120):
        following = asyncio.create_task(remote.follow(await remote.described()))
        await embedded(remote, "text")
        first.kill()
        first.wait()
        echo_encoder("--fingerprint", "fp_2")
        with pytest.raises(ValueError, match="the encoder is echo fp_2 now; it was echo fp_1"):
            await following


async def test_tokens_are_counted_here_without_special_ones(remote):
    encoder = encoder_of(remote, DESCRIPTION, FOLDER)
    assert (encoder.name, encoder.dimensions, encoder.max_tokens) == ("echo fp_1", 32, 14)
    text = "Trade winds, über alles. " * 40
    spans = encoder.spans(text)
    assert len(spans) > 16  # however long the text
    assert spans == sorted(spans) and spans[-1][1] == len(text.rstrip())
    assert all(text[start:end].strip() for start, end in spans)


async def test_a_tokenizer_of_another_encoder_is_refused(remote):
    other = EncoderDescription("echo", 384, 256, 30522, True, "cpu", "fp")
    with pytest.raises(ValueError, match=r"has 384 dimensions and 30522 tokens, and .*bert is of one with 32 and 93"):
        encoder_of(remote, other, FOLDER)


def test_an_encoder_s_name_does_not_depend_on_where_it_lies():
    assert name_of(DESCRIPTION) == "echo fp_1"
