"""The tokenizer loses nothing and keeps its promises about digits and special tokens."""

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from training.conversation import BOS, SPECIAL_TOKENS
from training.tokenizer import train_tokenizer

TINY = train_tokenizer(["some text with 123 numbers, to learn a few merges from"] * 3, 300, progress=False)


@given(st.text())
def test_any_text_round_trips(text: str) -> None:
    ids = TINY.encode(text, add_special_tokens=False).ids
    assert TINY.decode(ids, skip_special_tokens=False) == text


def test_every_byte_is_a_token(tokenizer: Tokenizer) -> None:
    # A character of each kind of UTF-8 start and continuation byte, none of which the training text holds.
    rare = "".join(map(chr, [*range(1, 256), 0x7FF, 0x800, 0xFFFD, 0x10000, 0x10FFFF]))
    ids = tokenizer.encode(rare, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == rare


def test_digits_stand_alone(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("1990", add_special_tokens=False).ids
    assert [tokenizer.decode([token]) for token in ids] == list("1990")


def test_special_tokens_are_one_token_each_and_come_first(tokenizer: Tokenizer) -> None:
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == list(range(len(SPECIAL_TOKENS)))
    assert tokenizer.encode("x<|end|>y", add_special_tokens=False).ids[1] == tokenizer.token_to_id("<|end|>")


def test_plain_text_gets_a_bos(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("Hi").ids[0] == tokenizer.token_to_id(BOS)
