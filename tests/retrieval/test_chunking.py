"""Chunks: never too long, never across a heading, nothing lost, overlap only where a section is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer

from retrieval.chunking import chunks
from retrieval.parsing.blocks import Block, ParsedDocument
from tests.retrieval.word_encoder import spans


def sentence(number: int, words: int = 6) -> str:
    """Words that no other sentence has."""
    return " ".join(f"s{number}w{word}" for word in range(words)) + "."


def test_a_short_document_is_one_chunk_below_its_headings():
    (chunk,) = chunks(ParsedDocument("Manual", (Block("One.", ("Use",)), Block("Two.", ("Use",)))), spans, 40, 8)
    assert (chunk.text, chunk.position, chunk.headings) == ("One.\n\nTwo.", 0, ("Use",))
    assert chunk.embedded == "Manual > Use\nOne.\n\nTwo."
    assert chunk.tokens == len(spans(chunk.embedded)) == 7


def test_a_heading_is_never_crossed_and_said_once():
    document = ParsedDocument(
        "Use", (Block("One.", ("Use",)), Block("Two.", ("Use", "More")), Block("Three.", ("Use",)))
    )
    assert [chunk.embedded for chunk in chunks(document, spans, 40, 8)] == [
        "Use\nOne.",
        "Use > More\nTwo.",
        "Use\nThree.",
    ]


def test_a_long_paragraph_is_cut_between_sentences_with_overlap():
    text = " ".join(sentence(number) for number in range(9))  # 7 tokens each
    cut = chunks(ParsedDocument("", (Block(text),)), spans, 24, 8)
    assert [chunk.text for chunk in cut] == [
        " ".join(sentence(number) for number in part) for part in ([0, 1, 2], [2, 3, 4], [4, 5, 6], [6, 7, 8])
    ]


def test_a_full_chunk_ends_with_a_paragraph_when_that_leaves_it_half_full():
    blocks = (Block(f"{sentence(0)} {sentence(1)}"), Block(f"{sentence(2)} {sentence(3)}"))
    cut = chunks(ParsedDocument("", blocks), spans, 24, 0)
    assert [chunk.text for chunk in cut] == [blocks[0].text, blocks[1].text]


def test_code_is_cut_between_lines_and_keeps_its_indentation():
    code = "\n".join(f"    line{number} = {number}" for number in range(8))  # 3 tokens each
    cut = chunks(ParsedDocument("", (Block(code, kind="code"),)), spans, 16, 0)
    assert "\n".join(chunk.text for chunk in cut) == code
    assert cut[0].text.startswith("    line0") and cut[1].text.startswith("    line5")


def test_the_page_is_where_a_chunk_begins():
    blocks = tuple(Block(sentence(number, 12), page=number + 1) for number in range(4))
    assert [chunk.page for chunk in chunks(ParsedDocument("", blocks), spans, 28, 0)] == [1, 3]


def test_headings_that_are_too_long_give_way_to_the_text():
    path = tuple(f"heading{level} " * 10 for level in range(4))
    (chunk,) = chunks(ParsedDocument("title " * 30, (Block("The text.", path),)), spans, 40, 0)
    assert chunk.headings == (("heading3 " * 10).strip(),) or chunk.headings == ("heading3 " * 10,)
    assert chunk.tokens <= 40 and chunk.text == "The text."


@pytest.mark.parametrize("overlap", [-1, 9])
def test_an_overlap_beyond_half_a_chunk_is_refused(overlap):
    with pytest.raises(ValueError, match=f"an overlap of {overlap} tokens; accepted are 0 to 8"):
        chunks(ParsedDocument("", (Block("x"),)), spans, 16, overlap)


def word_pieces():
    """A real WordPiece tokenizer that knows letters only, so a part of a word has other tokens than the word."""
    vocabulary = [
        "[UNK]",
        "ab",
        "##ab",
        "abc",
        "##abc",
        *"abcdefgh.!?-#_0123",
        *(f"##{letter}" for letter in "abcdefgh0123"),
    ]
    tokenizer = Tokenizer(
        WordPiece(
            {piece: number for number, piece in enumerate(vocabulary)},
            unk_token="[UNK]",
            max_input_chars_per_word=10**6,
        )
    )
    tokenizer.normalizer, tokenizer.pre_tokenizer = Lowercase(), BertPreTokenizer()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).offsets


WORD_PIECES = word_pieces()
WORDS = st.text("abc dh.!?\n", max_size=300).map(str.strip).filter(bool)
BLOCKS = st.builds(
    Block,
    WORDS,
    st.lists(st.text("abch ", min_size=1, max_size=60), max_size=2).map(tuple),
    kind=st.sampled_from(["prose", "code", "table"]),
)


@given(
    st.lists(BLOCKS, min_size=1, max_size=8),
    st.text("abc", max_size=30),
    st.integers(16, 60),
    st.integers(0, 8),
    st.sampled_from([spans, WORD_PIECES]),
)
def test_whatever_the_document_chunks_fit_and_hold_it_all(blocks, title, limit, overlap, count):
    cut = chunks(ParsedDocument(title, tuple(blocks)), count, limit, overlap)
    assert [chunk.position for chunk in cut] == list(range(len(cut)))
    for chunk in cut:
        assert chunk.text.strip() and len(count(chunk.embedded)) == chunk.tokens <= limit
    # Every character but white space is there, in order; what chunks repeat only adds to it.
    wanted = "".join("".join(block.text.split()) for block in blocks)
    place = 0
    for chunk in cut:
        own = "".join(chunk.text.split())
        start = next(start for start in range(place, -1, -1) if wanted.startswith(own, start))
        place = start + len(own)
    assert place == len(wanted)


def test_one_endless_word_is_cut_between_tokens():
    (first, *others) = chunks(ParsedDocument("", (Block("abc" * 400),)), WORD_PIECES, 32, 0)
    assert "".join(chunk.text for chunk in (first, *others)) == "abc" * 400
    assert all(chunk.tokens <= 32 for chunk in (first, *others)) and first.tokens > 16
