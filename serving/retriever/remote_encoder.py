"""The encoder's process as `retrieval` wants an encoder: vectors by gRPC, tokens by the encoder's tokenizer, here."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import grpc

from retrieval.encoder import Encoder
from retrieval.errors import EncoderAway
from serving.encoder import codec
from serving.encoder.request import EmbedRequest, EncoderDescription, Vectors
from serving.models.encoder_config import EncoderConfig
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.process.channel import channel_options
from serving.process.codec import decode_progress, encode_empty

PAUSE = 0.2  # seconds before an encoder that failed is asked again


class RemoteEncoder:
    """The client of the encoder at one address, which may go and come back, but not as another one."""

    def __init__(self, target: str) -> None:
        self._channel = grpc.aio.insecure_channel(target, options=channel_options())
        self._startup = self._channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)
        self._describe = self._channel.unary_unary(codec.METHODS["Describe"], encode_empty, codec.decode_description)
        self._stats = self._channel.unary_stream(codec.METHODS["WatchStats"], encode_empty, codec.decode_stats)
        self._embed = self._channel.unary_unary(codec.METHODS["Embed"], codec.encode_request, codec.decode_embeddings)
        self._there = False

    async def close(self) -> None:
        """End the connection."""
        await self._channel.close()

    async def described(self) -> EncoderDescription:
        """What the encoder says of itself, once it is there."""
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for _ in self._startup(None, wait_for_ready=True):
                    pass
                return await self._describe(None)
            await asyncio.sleep(PAUSE)

    async def follow(self, wanted: EncoderDescription) -> None:
        """Let texts through while the encoder is there. Raises ValueError when another one came in its place."""
        while True:
            found = await self.described()
            if found.fingerprint != wanted.fingerprint:
                raise ValueError(f"the encoder is {name_of(found)} now; it was {name_of(wanted)}")
            with contextlib.suppress(grpc.aio.AioRpcError):
                async for _ in self._stats(None):  # lasts as long as that process
                    self._there = True
            self._there = False

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text, of which what is too long is cut off. Raises EncoderAway."""
        if not self._there:
            raise EncoderAway("the encoder is not there; try again")
        try:
            return (await self._embed(EmbedRequest(tuple(texts), truncate=True))).vectors
        except grpc.aio.AioRpcError as error:
            raise EncoderAway(f"the encoder did not answer ({error.details()}); try again") from None


def encoder_of(remote: RemoteEncoder, description: EncoderDescription, folder: Path) -> Encoder:
    """The encoder for `retrieval`, with the tokenizer in `folder`.

    Raises UnsupportedModelError, or ValueError when the folder is another encoder's than the one that runs.
    """
    config = EncoderConfig.from_folder(folder)
    if (config.hidden_size, config.vocab_size) != (description.dimensions, description.vocab_size):
        raise ValueError(
            f"the encoder that runs has {description.dimensions} dimensions and {description.vocab_size} tokens, and "
            f"{folder} is of one with {config.hidden_size} and {config.vocab_size}; --encoder-model names the folder"
        )
    recipe = EmbeddingRecipe.from_folder(folder, config)
    recipe = dataclasses.replace(recipe, max_tokens=description.max_tokens)
    tokenizer = EncoderTokenizer.from_folder(folder, recipe)
    return Encoder(name_of(description), description.dimensions, tokenizer.room, remote.embed, tokenizer.spans)


def name_of(description: EncoderDescription) -> str:
    """Tells an encoder's vectors from another's: its name for people, and its weights' fingerprint."""
    return f"{description.model.rstrip('/').split('/')[-1]} {description.fingerprint}"
