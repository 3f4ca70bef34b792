"""Text vectors by sentence-transformers: of small encoders with random weights, and of the encoder that comes along.

pip install torch==2.13.0 transformers sentence-transformers && python -m tests.oracles.encoders
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from serving.models.encoder_folder import DEFAULT_NAME, find_encoder
from tests.oracles.families import randomise

GOLDEN = Path(__file__).parent / "golden_encoders"
TEXTS = [
    "a",
    "The cat sat on the mat.",
    "How many ships were in the harbour that night?",
    "   Spaces,\ttabs\nand newlines   ",
    "Ünïcödé, naïve café, Straße, 東京, emoji 🚢",
    "def add(a, b):\n    return a + b",
    "One two three four five six seven eight nine ten. " * 4,
    "The sails were set and the wind came round to the north-west. " * 40,  # beyond every encoder's limit
]
BERT_SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
ROBERTA_SPECIALS = ["[CLS]", "[PAD]", "[SEP]", "[UNK]"]
SMALL = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}

# The start of a class of `transformers`, the special tokens in order, how its configuration differs, the pooling, and
# the longest text.
ENCODERS: dict[str, tuple[str, list[str], dict[str, Any], str, int | None]] = {
    "bert": ("Bert", BERT_SPECIALS, {"max_position_embeddings": 64}, "mean", None),
    "roberta": (
        "Roberta",
        ROBERTA_SPECIALS,
        {"max_position_embeddings": 66, "hidden_act": "gelu_new", "pad_token_id": 1, "type_vocab_size": 1},
        "cls",
        64,
    ),
    "mpnet": ("MPNet", ROBERTA_SPECIALS, {"max_position_embeddings": 200, "pad_token_id": 1}, "mean", 180),
    "distilbert": ("DistilBert", BERT_SPECIALS, {"max_position_embeddings": 64, "hidden_dim": 48}, "mean", None),
}


def write_encoder(name: str, folder: Path) -> np.ndarray:
    """Writes the encoder as sentence-transformers does, in bfloat16, and gives the vectors of TEXTS in float32."""
    family, specials, options, pooling, longest = ENCODERS[name]
    tokenizer = word_pieces(specials)
    config = getattr(transformers, f"{family}Config")(**SMALL, vocab_size=len(tokenizer), **options)
    unpooled = {} if family == "DistilBert" else {"add_pooling_layer": False}  # which has no pooling to leave out
    model = getattr(transformers, f"{family}Model")(config, **unpooled).float().eval()
    torch.manual_seed(5)
    randomise(model)
    plain = folder / "plain"
    model.save_pretrained(plain)
    tokenizer.save_pretrained(plain)
    encoder = Transformer(str(plain), max_seq_length=longest)
    stages = [encoder, Pooling(SMALL["hidden_size"], pooling), *([Normalize()] if pooling == "mean" else [])]
    sentences = SentenceTransformer(modules=stages, device="cpu")
    vectors = sentences.encode(TEXTS)
    sentences.bfloat16().save(str(folder), create_model_card=False)
    shutil.rmtree(plain)
    return vectors


def word_pieces(specials: list[str]) -> transformers.PreTrainedTokenizerFast:
    """A WordPiece tokenizer of the letters and a few words."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,-()+"
    words = ["the", "##ing", "one", "and", "cat"]
    vocabulary = {
        token: number for number, token in enumerate([*specials, *letters, *(f"##{c}" for c in letters), *words])
    }
    backend = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer()
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    around = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    named = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **named)


def main() -> None:
    shutil.rmtree(GOLDEN, ignore_errors=True)
    vectors = {name: write_encoder(name, GOLDEN / name) for name in ENCODERS}
    vectors[DEFAULT_NAME] = SentenceTransformer(str(find_encoder("")), device="cpu").encode(TEXTS)
    for path in GOLDEN.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes for the owner alone
    np.savez_compressed(GOLDEN / "vectors.npz", **vectors)
    (GOLDEN / "texts.json").write_text(json.dumps(TEXTS, indent=1) + "\n")


if __name__ == "__main__":
    main()
