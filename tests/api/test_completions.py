import json

import pytest

from tests.orchestrator.scripted import VOCABULARY

GREEDY = {"temperature": 0, "max_tokens": 1, "logprobs": 1, "seed": 1234, "echo": True}


def choices(response) -> list[dict]:
    assert response.status_code == 200, response.text
    return response.json()["choices"]


async def test_a_whole_answer(bench):
    b = bench("hello world")
    answer = (await b.complete()).json()
    assert answer.pop("id").startswith("cmpl-")
    assert answer == {
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": "tiny",
        "system_fingerprint": "fp_f00d",
        "choices": [{"index": 0, "text": "hello world", "logprobs": None, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": 2,
            "completion_tokens": 3,
            "total_tokens": 5,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    assert b.replica.requests[0].sampling.max_tokens == 16


async def test_every_form_of_a_prompt(bench):
    b = bench("x")
    for prompt in ("hi", ["hi"], b.ids("hi"), [b.ids("hi")]):
        b.replica.requests.clear()
        assert len(choices(await b.complete(prompt=prompt))) == 1
        assert [request.prompt for request in b.replica.requests] == [tuple(b.ids("hi"))]


@pytest.mark.parametrize("prompts", [["a", "b"], [[70], [71]]])
async def test_choices_are_numbered_prompt_by_prompt(bench, prompts):
    b = bench("x")
    out = choices(await b.complete(prompt=prompts, n=2))
    assert [choice["index"] for choice in out] == [0, 1, 2, 3]
    first, second, third, fourth = (request.prompt for request in b.replica.requests)
    assert first == second != third == fourth


@pytest.mark.parametrize("prompt", [[], [[]], ["a", [1]], [1, "a"], {"a": 1}, 7, None, [True], [[1.5]], ["a"] * 3000])
async def test_other_forms_are_refused(bench, prompt):
    response = await bench("x").complete(prompt=prompt)
    assert response.status_code == 400
    assert response.json()["error"]["param"] in ("prompt", "prompt[0]")


async def test_an_id_outside_the_vocabulary_is_named_with_its_prompt(bench):
    error = (await bench("x").complete(prompt=[[5], [VOCABULARY]])).json()["error"]
    assert (
        error["param"] == "prompt[1]"
        and str(VOCABULARY) in error["message"]
        and str(VOCABULARY - 1) in error["message"]
    )


async def test_loglikelihood_as_lm_evaluation_harness_asks_for_it(bench):
    b = bench("x")
    prompts = [b.ids("hello"), b.ids("hé to")]
    out = choices(await b.complete(prompt=prompts, **GREEDY))
    for choice, prompt in zip(out, prompts, strict=True):
        logprobs = choice["logprobs"]
        lengths = {name: len(values) for name, values in logprobs.items()}
        assert lengths == dict.fromkeys(("tokens", "token_logprobs", "top_logprobs", "text_offset"), len(prompt) + 1)
        assert logprobs["token_logprobs"][0] is None and logprobs["top_logprobs"][0] is None
        for logprob, top in zip(logprobs["token_logprobs"][1:], logprobs["top_logprobs"][1:], strict=True):
            assert logprob == max(top.values()) == -0.5
    assert out[1]["logprobs"]["tokens"] == ["h", "bytes:\\xc3", "bytes:\\xa9", " to", "x"]
    assert out[1]["logprobs"]["text_offset"] == [0, 1, 1, 2, 5]
    assert out[1]["text"] == "hé tox"
    sampling = b.replica.requests[0].sampling
    assert (sampling.temperature, sampling.seed, sampling.logprobs, sampling.prompt_logprobs) == (0, 1234, 1, 1)


async def test_the_token_itself_is_always_among_the_alternatives(bench):
    out = choices(await bench("ab").complete(logprobs=0))
    assert out[0]["logprobs"]["top_logprobs"] == [{"a": -0.5}, {"b": -0.5}, {"<|end|>": -0.5}]


async def test_without_echo_logprobs_are_of_the_reply(bench):
    logprobs = choices(await bench("ab").complete(logprobs=2))[0]["logprobs"]
    assert logprobs["tokens"] == ["a", "b", "<|end|>"]
    assert logprobs["text_offset"] == [0, 1, 2]
    assert [len(top) for top in logprobs["top_logprobs"]] == [2, 2, 2]


async def test_a_prompt_can_be_scored_without_a_reply(bench):
    b = bench("x")
    answer = (await b.complete(prompt="hello", echo=True, logprobs=1, max_tokens=0)).json()
    (choice,) = answer["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("hello", "length")
    assert choice["logprobs"]["tokens"] == ["hello"]
    assert answer["usage"]["completion_tokens"] == 0
    assert b.replica.requests[0].sampling.max_tokens == 1
    refused = await b.complete(max_tokens=0)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "max_tokens"


async def test_echo_shows_the_prompt_as_it_was_given(bench):
    b = bench("x")
    assert choices(await b.complete(prompt="<|begin|>hello", echo=True))[0]["text"] == "<|begin|>hellox"
    assert choices(await b.complete(prompt=[0, *b.ids("hello")], echo=True))[0]["text"] == "hellox"
    shown = await b.complete(prompt=[0, *b.ids("hello")], echo=True, skip_special_tokens=False)
    assert choices(shown)[0]["text"] == "<|begin|>hellox"
    cut = await b.complete(prompt="a to", echo=True, truncate_prompt_tokens=1)
    assert choices(cut)[0]["text"] == " tox"


async def test_prompt_logprobs_in_vllms_shape(bench):
    out = choices(await bench("x").complete(prompt="ab", prompt_logprobs=2, return_token_ids=True))[0]
    first, second = out["prompt_logprobs"]
    assert first is None
    assert {entry["rank"] for entry in second.values()} == {1, 2}
    assert len(out["prompt_token_ids"]) == 2 and len(out["token_ids"]) == 2


@pytest.mark.parametrize("portion", [1, 2])
async def test_a_stream_adds_up_to_the_whole(bench, portion):
    b = bench("hello world", portion=portion)
    body = {"prompt": ["hé", "a"], "echo": True, "logprobs": 1, "seed": 3, "n": 2}
    whole = choices(await b.complete(**body))
    response = await b.complete(**body, stream=True, stream_options={"include_usage": True})
    *data, done = [line.removeprefix("data: ") for line in response.text.split("\n") if line]
    *chunks, last = map(json.loads, data)
    assert done == "[DONE]" and last["choices"] == []
    assert last["usage"]["completion_tokens"] == 12
    assert all(chunk["usage"] is None for chunk in chunks)
    for choice in whole:
        mine = [c["choices"][0] for c in chunks if c["choices"][0]["index"] == choice["index"]]
        assert "".join(part["text"] for part in mine) == choice["text"]
        assert [part["finish_reason"] for part in mine[:-1]] == [None] * (len(mine) - 1)
        assert mine[-1]["finish_reason"] == "stop"
        for name, values in choice["logprobs"].items():
            assert [entry for part in mine for entry in part["logprobs"][name]] == values
