"""Text to token ids and back.

Every token of the supported decoders stands for a fixed run of bytes, and text is those bytes joined and read as UTF-8.
So a table from id to bytes is all that decoding takes: whole replies, streams and single tokens agree by construction,
and a stream costs O(1) per token. (`tokenizers.decoders.DecodeStream` decodes a window of tokens again at every step,
and raises where a later token changes what an earlier one read as.)
"""

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend

from serving.models.folder import ModelFolderError, read_json
from serving.models.special_tokens import eos_token_ids, special_tokens

BYTE_TOKEN = re.compile(r"<0x([0-9A-Fa-f]{2})>")
DECODERS = (
    "ByteLevel, Metaspace, Replace (of a string), ByteFallback, Fuse, Strip (at the start) and a Sequence of these"
)


class Tokenizer:
    """A model's tokenizer, read from a Hugging Face folder."""

    def __init__(
        self,
        backend: Backend,
        decoder: dict[str, Any] | None,
        *,
        bos_token: str | None = None,
        eos_token: str | None = None,
        eos_token_ids: Iterable[int] = (),
    ) -> None:
        """Wrap `backend`; `decoder` is that part of tokenizer.json. Raises ValueError for one that is not supported."""
        backend.no_truncation()
        backend.no_padding()
        self._backend = backend
        self.bos_token = bos_token
        self.eos_token = eos_token
        self.eos_token_ids: tuple[int, ...] = tuple(eos_token_ids)

        added = backend.get_added_tokens_decoder()
        named = {backend.token_to_id(token) for token in (bos_token, eos_token) if token} - {None}
        self.added_tokens: tuple[str, ...] = tuple(token.content for token in added.values())  # read as one anywhere
        self.special_ids: frozenset[int] = frozenset({i for i, token in added.items() if token.special} | named)

        rules = _DecoderRules.from_json(decoder)
        vocabulary = backend.get_vocab(with_added_tokens=True)
        self.vocab_size: int = max(vocabulary.values()) + 1
        self.leading_spaces: int = rules.leading_spaces
        self._bytes: list[bytes] = [b""] * self.vocab_size
        for token, token_id in vocabulary.items():
            self._bytes[token_id] = rules.bytes_of(token, added=token_id in added)

    @classmethod
    def from_folder(cls, folder: Path) -> "Tokenizer":
        """Read tokenizer.json, and the special tokens' names beside it. Raises ModelFolderError."""
        path = folder / "tokenizer.json"
        decoder = read_json(path).get("decoder")
        tokens = special_tokens(folder)
        try:
            return cls(
                Backend.from_file(str(path)),
                decoder,
                bos_token=tokens.get("bos_token"),
                eos_token=tokens.get("eos_token"),
                eos_token_ids=eos_token_ids(folder),
            )
        except ModelFolderError:
            raise
        except Exception as error:  # the backend raises bare Exception
            raise ModelFolderError(f"{path}: {error}") from None

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        """The ids of `text`, with the tokens that the model expects around it (such as bos) when asked for.

        Raises ValueError for a lone surrogate, which JSON can carry and no text holds.
        """
        try:
            return self._backend.encode(text, add_special_tokens=add_special_tokens).ids
        except TypeError:
            surrogate = re.search("[\ud800-\udfff]", text)
            if surrogate is None:
                raise
            raise ValueError(f"the text is not Unicode: character {surrogate.start()} is a lone surrogate") from None

    def decode(self, ids: Iterable[int], skip_special_tokens: bool = True) -> str:
        """The text of `ids`. Bytes that are no UTF-8 read as U+FFFD; ids beyond the vocabulary are silent."""
        stream = TextStream(self, skip_special_tokens)
        return stream.push(ids) + stream.flush()

    def token_text(self, token_id: int) -> str:
        """The text of one token alone."""
        return self.token_bytes(token_id).decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes that one token stands for, which may be a part of a character."""
        return self._bytes[token_id] if 0 <= token_id < self.vocab_size else b""


class TextStream:
    """Text of tokens that arrive bit by bit: whole characters as soon as they are there, never half of one.

    Pushing the same ids in any portions gives the same text as `Tokenizer.decode` of them all.
    `continuing` is for a reply that goes on where a text broke off: it keeps the space that a sentencepiece model
    puts before a word, which otherwise goes at the start of a text.
    """

    def __init__(self, tokenizer: Tokenizer, skip_special_tokens: bool = True, continuing: bool = False) -> None:
        self._tokenizer = tokenizer
        self._skipped = tokenizer.special_ids if skip_special_tokens else frozenset()
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._spaces_to_strip = 0 if continuing else tokenizer.leading_spaces

    def push(self, ids: Iterable[int]) -> str:
        """The characters that are whole now that `ids` have come."""
        token_bytes = self._tokenizer.token_bytes
        return self._strip(self._utf8.decode(b"".join(token_bytes(i) for i in ids if i not in self._skipped)))

    def flush(self) -> str:
        """What is left at the end: U+FFFD where a character was never finished."""
        return self._strip(self._utf8.decode(b"", final=True))

    def _strip(self, text: str) -> str:
        while text and self._spaces_to_strip:
            if not text.startswith(" "):
                self._spaces_to_strip = 0
                break
            text = text[1:]
            self._spaces_to_strip -= 1
        return text


@dataclass(frozen=True, slots=True)
class _DecoderRules:
    """What the decoder of a tokenizer.json does to one token, and to the start of a text."""

    byte_level: bool = False
    byte_fallback: bool = False
    replacements: tuple[tuple[str, str], ...] = ()
    leading_spaces: int = 0

    @classmethod
    def from_json(cls, decoder: dict[str, Any] | None) -> "_DecoderRules":
        steps = decoder or {"type": None}
        steps = steps["decoders"] if steps["type"] == "Sequence" else [steps]
        byte_level, byte_fallback, fused, replacements, leading_spaces = False, False, False, [], 0
        for step in steps:
            match step:
                case {"type": "ByteLevel"}:
                    byte_level = True
                case {"type": "ByteFallback"}:
                    byte_fallback = True
                case {"type": "Fuse"}:
                    fused = True
                case {"type": "Replace", "pattern": {"String": pattern}, "content": content}:
                    replacements.append((pattern, content))
                case {"type": "Strip", "content": " ", "start": start, "stop": 0} if fused:
                    leading_spaces += start
                case {"type": "Metaspace", "replacement": replacement}:
                    replacements.append((replacement, " "))
                    leading_spaces += step.get("prepend_scheme", "always") != "never"
                case _:
                    raise ValueError(f"the decoder {step['type']} is not supported; supported are {DECODERS}")
        return cls(byte_level, byte_fallback, tuple(replacements), leading_spaces)

    def bytes_of(self, token: str, added: bool) -> bytes:
        """The bytes of a token of the vocabulary; `added` ones are written as plain text even where bytes are not."""
        if self.byte_fallback and (byte := BYTE_TOKEN.fullmatch(token)):
            return bytes.fromhex(byte[1])
        for pattern, content in self.replacements:
            token = token.replace(pattern, content)
        if self.byte_level and not added and all(character in BYTE_OF for character in token):
            return bytes(BYTE_OF[character] for character in token)
        return token.encode()


def _gpt2_bytes() -> dict[str, int]:
    """The characters that byte-level BPE writes bytes as: printable ones as themselves, the others from U+0100 on.

    Source: `bytes_to_unicode` of GPT-2's encoder.
    """
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + i): byte for i, byte in enumerate(others)}


BYTE_OF = _gpt2_bytes()
