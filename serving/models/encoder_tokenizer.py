"""Texts to the token ids that an encoder reads. No JAX."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer as Backend
from tokenizers import normalizers

from serving.models.config import UnsupportedModelError
from serving.models.encoder_recipe import EmbeddingRecipe

TOKENIZER_FILE = "tokenizer.json"


@dataclass(frozen=True, slots=True)
class EncodedText:
    """A text's ids, special ones included, and how many it would have without a limit."""

    ids: tuple[int, ...]
    length: int


class EncoderTokenizer:
    """The tokenizer of an encoder: texts are cut after `max_tokens`, never padded, whatever its file says."""

    def __init__(self, backend: Backend, recipe: EmbeddingRecipe) -> None:
        self.max_tokens = recipe.max_tokens
        self._prompt = recipe.prompt
        self._backend = backend
        self._special = backend.num_special_tokens_to_add(is_pair=False)
        backend.no_padding()
        backend.enable_truncation(recipe.max_tokens)
        if recipe.lowercase:
            steps = [normalizers.Lowercase(), *([backend.normalizer] if backend.normalizer else [])]
            backend.normalizer = normalizers.Sequence(steps)

    @classmethod
    def from_folder(cls, folder: Path, recipe: EmbeddingRecipe) -> "EncoderTokenizer":
        """Reads FOLDER/tokenizer.json. Raises UnsupportedModelError."""
        path = folder / TOKENIZER_FILE
        try:
            return cls(Backend.from_file(str(path)), recipe)
        except Exception as error:  # the backend raises nothing more exact
            raise UnsupportedModelError(f"{path}: {error}") from None

    @property
    def room(self) -> int:
        """Tokens of the longest text that is read whole, counted by `spans`."""
        return self.max_tokens - self._special - len(self.spans(self._prompt))

    def spans(self, text: str) -> list[tuple[int, int]]:
        """A text's tokens in order, each as the characters [start, end) that it stands for, without special tokens."""
        kept = self._backend.encode(text, add_special_tokens=False)
        return [span for part in (kept, *kept.overflowing) for span in part.offsets]

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Each text's ids, computed on all cores."""
        return [
            EncodedText(tuple(kept.ids), len(kept) + sum(len(rest) - self._special for rest in kept.overflowing))
            for kept in self._backend.encode_batch_fast([self._prompt + text for text in texts])
        ]
