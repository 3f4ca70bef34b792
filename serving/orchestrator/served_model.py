"""The model that this gateway answers for, as far as text is concerned: its weights live in the engine."""

from dataclasses import dataclass, field
from pathlib import Path

from serving.models.chat_template import ChatTemplate
from serving.models.generation_defaults import GenerationDefaults
from serving.models.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model's public name, and what turns messages into its tokens and its tokens into text.

    `template` is None for a base model, which completes text but does not chat.
    """

    name: str
    tokenizer: Tokenizer
    template: ChatTemplate | None
    defaults: GenerationDefaults
    longest_token: int = field(init=False)  # bytes

    def __post_init__(self) -> None:
        longest = max(len(self.tokenizer.token_bytes(token)) for token in range(self.tokenizer.vocab_size))
        object.__setattr__(self, "longest_token", longest)

    @classmethod
    def from_folder(cls, name: str, folder: Path) -> "ServedModel":
        """Read all but the weights from a Hugging Face folder. Raises ModelFolderError."""
        return cls(
            name,
            Tokenizer.from_folder(folder),
            ChatTemplate.from_folder(folder),
            GenerationDefaults.from_folder(folder),
        )
