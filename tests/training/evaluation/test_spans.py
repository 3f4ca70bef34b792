"""The spans of a passage, as tokens."""

from tokenizers import Tokenizer

from training.conversation import END
from training.evaluation.spans import LONGEST_SPAN, Spans

PASSAGE = "In 1974 (the year of café) it cost $12, not 5%."


def spelled(tokenizer: Tokenizer, spans: Spans) -> set[str]:
    """Every reply that the spans allow."""
    end, found, growing = tokenizer.token_to_id(END), set(), [()]
    while growing:
        reply = growing.pop()
        for token in spans.allowed(reply):
            if token == end:
                found.add(tokenizer.decode(list(reply)))
            else:
                growing.append((*reply, token))
    return found


def test_every_span_of_words_is_allowed_and_nothing_else(tokenizer: Tokenizer) -> None:
    found = spelled(tokenizer, Spans(PASSAGE, tokenizer))
    assert {"1974", "the year", "cost $12", "$12", "5%", "$12, not 5%", "café"} <= found
    assert all(text in PASSAGE for text in found)
    assert not [text for text in found if text != text.strip() or text[-1] in "(,."]
    sizes = [len(tokenizer.encode(text, add_special_tokens=False).ids) for text in found]
    assert max(sizes) == LONGEST_SPAN


def test_no_span_ends_within_a_word_or_a_character(tokenizer: Tokenizer) -> None:
    found = spelled(tokenizer, Spans("Zürich überall", tokenizer))
    assert found == {"Zürich", "überall", "Zürich überall"}


def test_a_passage_without_words_allows_the_empty_reply(tokenizer: Tokenizer) -> None:
    assert Spans("...", tokenizer).allowed([]) == {tokenizer.token_to_id(END)}
