"""The model under test and how it replies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jax.numpy as jnp
from flax import nnx
from tokenizers import Tokenizer

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from training.conversation import END, Message, Tool, encode_prompt
from training.generate import Allowed, Sampling, generate
from training.step import Params
from training.tokenizer import load_tokenizer

BATCH = 32


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation that waits for the assistant, with the tools on offer."""

    messages: Sequence[Message]
    tools: Sequence[Tool] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """A decoder with its tokenizer."""

    params: Params = field(repr=False)
    config: DecoderConfig
    tokenizer: Tokenizer

    @classmethod
    def from_folder(cls, folder: Path) -> "Model":
        """Reads an exported model; computes in float32. Raises FileNotFoundError or serving's ModelFolderError."""
        config = DecoderConfig.from_folder(folder)
        decoder = checkpoint.load(folder, config, jnp.float32)
        return cls(nnx.to_pure_dict(nnx.state(decoder, nnx.Param)), config, load_tokenizer(folder))

    def encode(self, prompt: Prompt) -> list[int]:
        """The prompt's tokens."""
        return encode_prompt(prompt.messages, self.tokenizer, prompt.tools)

    def has_room(self, prompt: Prompt, sampling: Sampling) -> bool:
        """Whether the context holds the prompt with the longest reply."""
        return len(self.encode(prompt)) + sampling.max_new_tokens <= self.config.max_position

    def replies(
        self,
        prompts: Sequence[Prompt],
        sampling: Sampling,
        *,
        seed: int = 0,
        allowed: Allowed | None = None,
        advance: Callable[[int], None] = lambda replies: None,
    ) -> list[str]:
        """The next message to each prompt, special tokens written out. `advance` hears how many more are done.

        The reply to a prompt hangs on the seed and its index alone.
        """
        encoded = [self.encode(prompt) for prompt in prompts]
        texts = [""] * len(prompts)
        # Prompts of one length share a batch: less padding, and fewer shapes to compile.
        order = sorted(range(len(prompts)), key=lambda index: len(encoded[index]))
        for batch in (order[start : start + BATCH] for start in range(0, len(order), BATCH)):
            ids = generate(
                self.params,
                self.config,
                [encoded[index] for index in batch],
                sampling,
                self.tokenizer.token_to_id(END),
                seeds=[seed + index for index in batch],
                allowed=allowed and (lambda row, reply, batch=batch: allowed(batch[row], reply)),
            )
            for index, reply in zip(batch, ids, strict=True):
                texts[index] = self.tokenizer.decode(reply, skip_special_tokens=False)
            advance(len(batch))
        return texts
