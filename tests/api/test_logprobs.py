from serving.api.logprobs import completion_logprobs, prompt_logprobs, prompt_offsets, token_label
from serving.engine.request import TokenLogprobs


def test_a_token_without_whole_characters_is_named_by_its_bytes(model):
    label = token_label(model.tokenizer)
    first, second = model.tokenizer.encode("é", False)
    assert [label(first), label(second), label(1)] == ["bytes:\\xc3", "bytes:\\xa9", "<|end|>"]
    assert token_label(model.tokenizer, as_ids=True)(first) == f"token_id:{first}"


def test_of_tokens_with_one_label_the_likelier_keeps_its_number():
    position = TokenLogprobs(7, -3.0, ((5, -1.0), (6, -2.0)))
    logprobs = completion_logprobs([position], [7], [0], lambda _: "same", 2)
    assert logprobs["top_logprobs"] == [{"same": -1.0}]
    assert logprobs["token_logprobs"] == [-3.0]


def test_alternatives_beyond_those_asked_for_are_left_out():
    position = TokenLogprobs(7, -3.0, ((5, -1.0), (6, -2.0), (7, -3.0)))
    logprobs = completion_logprobs([None, position], [1, 7], [0, 1], str, 1)
    assert logprobs["top_logprobs"] == [None, {"5": -1.0, "7": -3.0}]


def test_ranks_of_a_prompts_tokens():
    position = TokenLogprobs(7, -9.0, ((5, -1.0), (6, -2.0)))
    entries = prompt_logprobs([None, position, TokenLogprobs(5, -1.0, ((5, -1.0),))], str)
    assert entries[0] is None
    assert {token: entry["rank"] for token, entry in entries[1].items()} == {"5": 1, "6": 2, "7": None}
    assert entries[2] == {"5": {"logprob": -1.0, "rank": 1, "decoded_token": "5"}}


def test_offsets_count_characters_of_the_text(model):
    tokens = [0, *model.tokenizer.encode("é hello", False)]
    assert prompt_offsets(model.tokenizer, tokens, skip_special_tokens=True) == [0, 0, 0, 1, 2]
    assert prompt_offsets(model.tokenizer, tokens, skip_special_tokens=False) == [0, 9, 9, 10, 11]
