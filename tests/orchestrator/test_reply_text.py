import pytest

from serving.engine.request import Delta, FinishReason, TokenLogprobs
from serving.orchestrator.reply_text import Piece, ReplyText, TextOptions

EOS = 1


def pieces(model, options: TextOptions, deltas: list[Delta]) -> list[Piece]:
    """All pieces, up to the one with a finish reason."""
    reply, out = ReplyText(model.tokenizer, options, 3), []
    for delta in deltas:
        if piece := reply.push(delta):
            out.append(piece)
            if piece.finish_reason is not None:
                break
    return out


def in_portions(model, text: str, portion: int, *, eos: bool = True) -> list[Delta]:
    tokens = model.tokenizer.encode(text, False) + ([EOS] if eos else [])
    reason = FinishReason.STOP if eos else FinishReason.LENGTH
    starts = range(0, len(tokens), portion)
    return [
        Delta(
            "r",
            tuple(tokens[start : start + portion]),
            finish_reason=reason if start == starts[-1] else None,
            stop_token=EOS if eos and start == starts[-1] else None,
        )
        for start in starts
    ]


@pytest.mark.parametrize("portion", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("text", ["hello world", "Grüße, 世界 🌍!", ""])
def test_text_is_whole_however_the_tokens_come(model, text, portion):
    out = pieces(model, TextOptions(), in_portions(model, text, portion))
    assert "".join(piece.text for piece in out) == text
    assert [piece.finish_reason for piece in out] == [None] * (len(out) - 1) + [FinishReason.STOP]
    assert [token for piece in out for token in piece.tokens] == [*model.tokenizer.encode(text, False), EOS]
    assert {piece.index for piece in out} == {3}


def test_no_piece_holds_half_a_character(model):
    out = pieces(model, TextOptions(), in_portions(model, "世界", 1, eos=False))
    assert [piece.text for piece in out] == ["世", "界"]
    assert [len(piece.tokens) for piece in out] == [3, 3]


def test_a_reply_cut_inside_a_character_says_so(model):
    deltas = [Delta("r", tuple(model.tokenizer.encode("世", False)[:2]), finish_reason=FinishReason.LENGTH)]
    assert [piece.text for piece in pieces(model, TextOptions(), deltas)] == ["\ufffd"]


@pytest.mark.parametrize("portion", [1, 2, 5, 100])
def test_a_stop_string_ends_text_and_tokens_where_it_is_complete(model, portion):
    out = pieces(model, TextOptions(stop=("END",)), in_portions(model, "abcEND def", portion))
    assert "".join(piece.text for piece in out) == "abc"
    assert out[-1].finish_reason is FinishReason.STOP
    assert sum(len(piece.tokens) for piece in out) == 6


def test_a_stop_string_can_be_kept(model):
    out = pieces(model, TextOptions(stop=("END",), include_stop_str_in_output=True), in_portions(model, "aEND b", 4))
    assert "".join(piece.text for piece in out) == "aEND"


def test_what_only_looked_like_a_stop_string_comes_with_the_end(model):
    out = pieces(model, TextOptions(stop=("END",)), in_portions(model, "abEN", 1, eos=False))
    assert [piece.text for piece in out] == ["a", "b", "EN"]
    assert out[-1].finish_reason is FinishReason.LENGTH
    assert [len(piece.tokens) for piece in out] == [1, 1, 2]


def test_stop_strings_wait_for_min_tokens(model):
    options = TextOptions(stop=("a",), min_tokens=3)
    out = pieces(model, options, in_portions(model, "aaaaa", 2))
    assert "".join(piece.text for piece in out) == "aaa"
    assert sum(len(piece.tokens) for piece in out) == 4


def test_a_stop_token_is_silent_unless_it_is_to_be_shown(model):
    bang = model.tokenizer.encode("!", False)[0]
    tokens = tuple(model.tokenizer.encode("hi!", False))
    deltas = [Delta("r", tokens, finish_reason=FinishReason.STOP, stop_token=bang)]
    assert pieces(model, TextOptions(), deltas)[0].text == "hi"
    assert pieces(model, TextOptions(include_stop_str_in_output=True), deltas)[0].text == "hi!"
    assert pieces(model, TextOptions(), deltas)[0].tokens == list(tokens)


def test_special_tokens_show_when_asked_for(model):
    deltas = [Delta("r", (0, *model.tokenizer.encode("a", False)), finish_reason=FinishReason.LENGTH)]
    assert pieces(model, TextOptions(), deltas)[0].text == "a"
    assert pieces(model, TextOptions(skip_special_tokens=False), deltas)[0].text == "<|begin|>a"


def test_logprobs_and_offsets_go_with_their_tokens(model):
    tokens = tuple(model.tokenizer.encode("世hello", False))
    delta = Delta("r", tokens, tuple(TokenLogprobs(t, -1.0) for t in tokens), finish_reason=FinishReason.LENGTH)
    piece = pieces(model, TextOptions(), [delta])[0]
    assert [entry.token for entry in piece.logprobs] == list(tokens)
    assert piece.offsets == [0, 0, 0, 1]


def test_the_first_piece_has_what_is_known_of_the_prompt(model):
    prompt = (None, TokenLogprobs(5, -0.25))
    first, *rest = in_portions(model, "ab", 1)
    deltas = [Delta("r", prompt_logprobs=prompt), Delta("r", first.tokens, cached_tokens=16), *rest]
    out = pieces(model, TextOptions(), deltas)
    assert (out[0].text, out[0].prompt_logprobs, out[0].cached_tokens) == ("a", prompt, 16)
    assert [piece.prompt_logprobs for piece in out[1:]] == [(), ()]
