"""JetStream's way to encode: padded arrays and true lengths."""

import jax
import numpy as np
import pytest

from serving.engine.padding_tokenizer import PaddingTokenizer, TokenizerParameters
from serving.models.folder import EMBEDDED_MODEL
from serving.models.tokenizer import Tokenizer

TEXT = "Hello there, how are you today? " * 4


@pytest.fixture(scope="module")
def tokenizer() -> PaddingTokenizer:
    return PaddingTokenizer(TokenizerParameters(str(EMBEDDED_MODEL)))


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    return Tokenizer.from_folder(EMBEDDED_MODEL)


def test_ids(tokenizer):
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id) == (0, 2, 1)
    assert tokenizer.stop_tokens == {2}


def test_padded_to_a_power_of_two(tokenizer, plain):
    tokens, length = tokenizer.encode(TEXT)
    ids = plain.encode(TEXT)
    assert isinstance(tokens, jax.Array)
    assert tokens.tolist() == ids + [tokenizer.pad_id] * (len(tokens) - length)
    assert length == len(ids) and len(tokens) == 1 << (length - 1).bit_length()
    assert len(tokenizer.encode("Hi")[0]) == 16


def test_lengths_of_the_caller_s(tokenizer):
    length = tokenizer.encode(TEXT)[1]
    tokens, _ = tokenizer.encode(TEXT, prefill_lengths=[length + 30, length + 5, length - 1], jax_padding=False)
    assert isinstance(tokens, np.ndarray) and len(tokens) == length + 5
    assert len(tokenizer.encode(TEXT, max_prefill_length=length)[0]) == length
    with pytest.raises(ValueError, match=f"the text has {length} tokens; at most {length - 1} are accepted"):
        tokenizer.encode(TEXT, max_prefill_length=length - 1)
    with pytest.raises(ValueError, match=f"the text has {length} tokens; at most 8 are accepted"):
        tokenizer.encode(TEXT, prefill_lengths=[4, 8])


def test_special_tokens_where_a_text_begins(tokenizer, plain):
    assert tokenizer.encode("Hello", is_bos=True)[1] == len(plain.encode("Hello"))
    tokens, length = tokenizer.encode("Hello", is_bos=False)
    assert tokens[:length].tolist() == plain.encode("Hello", add_special_tokens=False)
    assert tokenizer.decode(tokens[:length].tolist()) == "Hello"
