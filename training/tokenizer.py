"""The embedded model's tokenizer: byte-level BPE whose vocabulary holds every byte and every single digit."""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from training.conversation import BOS, SPECIAL_TOKENS

TOKENIZER_FILE = "tokenizer.json"
# Words with their leading space, one digit at a time (a small model copies and compares digits more easily than
# numbers), punctuation, and white space. GPT-4's pattern with runs of digits cut to one.
_WORDS = Regex(
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, *, progress: bool = True) -> Tokenizer:
    """Learns `vocab_size` tokens from texts. The special tokens come first, then the 256 bytes, then the merges."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_WORDS, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=progress,
        ),
    )
    bos = tokenizer.token_to_id(BOS)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, bos)]
    )
    return tokenizer


def load_tokenizer(folder: Path) -> Tokenizer:
    """Reads FOLDER/tokenizer.json."""
    path = folder / TOKENIZER_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing; `python -m training tokenizer` writes it")
    return Tokenizer.from_file(str(path))
