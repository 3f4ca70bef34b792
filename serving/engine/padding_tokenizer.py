"""A model's tokenizer with the methods of JetStream's: prompts as arrays, padded to one of few lengths.

Source: `Tokenizer` of github.com/AI-Hypercomputer/JetStream, jetstream/engine/tokenizer_api.py and token_utils.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int

from serving.models.special_tokens import special_tokens
from serving.models.tokenizer import Tokenizer

SHORTEST = 16
"""Tokens to which shorter prompts are padded, where no lengths are given."""


@dataclass(frozen=True, slots=True)
class TokenizerParameters:
    """What it takes to build a tokenizer: `path` is the model's folder."""

    path: str


class PaddingTokenizer:
    """Encodes prompts for `prefill` and decodes replies.

    `bos_id`, `eos_id` and `pad_id` are token ids; the first two are None for a model without such a token.
    `stop_tokens` are all that end a reply.
    """

    def __init__(self, metadata: TokenizerParameters) -> None:
        """Reads tokenizer.json under `metadata.path`. Raises ModelFolderError."""
        folder = Path(metadata.path)
        self._tokenizer = Tokenizer.from_folder(folder)
        roles = special_tokens(folder)
        self.stop_tokens: frozenset[int] = frozenset(self._tokenizer.eos_token_ids)
        self.bos_id: int | None = self._id(roles.get("bos_token"))
        self.eos_id: int | None = next(iter(self._tokenizer.eos_token_ids), None)
        candidates = (self._id(roles.get("pad_token")), self.eos_id, 0)
        self.pad_id: int = next(token for token in candidates if token is not None)

    def encode(
        self,
        s: str,
        *,
        is_bos: bool = True,
        prefill_lengths: Sequence[int] | None = None,
        max_prefill_length: int | None = None,
        jax_padding: bool = True,
    ) -> tuple[Int[jax.Array, " padded"] | Int[np.ndarray, " padded"], int]:
        """The tokens of a text, padded, and how many of them are the text's.

        Args:
            s: the text.
            is_bos: whether a text begins here: adds the tokens that the model expects around one. A rendered chat
                template brings them along.
            prefill_lengths: to the least of these that suffices it is padded; by default powers of two from 16 on.
            max_prefill_length: the longest of them.
            jax_padding: whether the tokens are a JAX array; else numpy's.

        Raises ValueError for a text of more tokens than the greatest length. (JetStream keeps its end.)
        """
        ids = self._tokenizer.encode(s, add_special_tokens=is_bos)
        lengths = sorted(prefill_lengths or [max(SHORTEST, 1 << (len(ids) - 1).bit_length())])
        longest = min(lengths[-1], max_prefill_length or lengths[-1])
        if len(ids) > longest:
            raise ValueError(f"the text has {len(ids)} tokens; at most {longest} are accepted")
        padded = min(longest, next(length for length in lengths if length >= len(ids)))
        tokens = np.full(padded, self.pad_id, np.int32)
        tokens[: len(ids)] = ids
        return (jnp.asarray(tokens) if jax_padding else tokens), len(ids)

    def decode(self, token_ids: Iterable[int]) -> str:
        """The text of tokens, without special ones."""
        return self._tokenizer.decode(token_ids)

    def _id(self, token: str | None) -> int | None:
        if token is None:
            return None
        ids = self._tokenizer.encode(token, add_special_tokens=False)
        return ids[0] if len(ids) == 1 else None
