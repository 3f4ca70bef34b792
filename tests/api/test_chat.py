import json

import pytest

from serving.engine.request import Delta
from serving.fleet.replica import ReplicaUnavailable


def events(response) -> list:
    """The data of a stream's events; [DONE] stays text."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    data = [line.removeprefix("data: ") for line in lines]
    return [json.loads(item) if item != "[DONE]" else item for item in data]


async def test_a_whole_answer(bench):
    b = bench("hello world")
    response = await b.chat()
    assert response.status_code == 200
    answer = response.json()
    assert answer.pop("id").startswith("chatcmpl-")
    prompt_tokens = len(b.ids("<|begin|>[user]hi\n[assistant]"))
    assert answer == {
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "tiny",
        "system_fingerprint": "fp_f00d",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello world", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": 3,
            "total_tokens": prompt_tokens + 3,
            "prompt_tokens_details": {"cached_tokens": 3},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_the_order_of_a_stream(bench):
    b = bench("hello world")
    out = events(await b.chat(stream=True))
    assert out[-1] == "[DONE]"
    chunks = out[:-1]
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "hello"},
        {"content": " world"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    heads = {(c["id"], c["created"], c["model"], c["object"], c["system_fingerprint"]) for c in chunks}
    assert len(heads) == 1 and heads.pop()[1:] == (1_700_000_000, "tiny", "chat.completion.chunk", "fp_f00d")
    assert not any("usage" in chunk for chunk in chunks)


async def test_usage_in_a_stream_only_when_asked_for(bench):
    b = bench("hello world")
    out = events(await b.chat(stream=True, stream_options={"include_usage": True}))
    *chunks, last, done = out
    assert done == "[DONE]"
    assert [chunk["usage"] for chunk in chunks] == [None] * 4
    assert last["choices"] == [] and last["usage"]["completion_tokens"] == 3
    out = events(await b.chat(stream=True, stream_options={"continuous_usage_stats": True}))
    assert [chunk["usage"]["completion_tokens"] for chunk in out[:-1]] == [0, 1, 2, 3]


async def test_choices_of_a_stream(bench):
    b = bench("hello")
    out = events(await b.chat(stream=True, n=3))[:-1]
    for index in range(3):
        mine = [c["choices"][0] for c in out if c["choices"][0]["index"] == index]
        assert [choice["delta"].get("role") for choice in mine] == ["assistant", None, None]
        assert "".join(choice["delta"].get("content", "") for choice in mine) == "hello"
        assert mine[-1]["finish_reason"] == "stop"
    assert len({request.sampling.seed for request in b.replica.requests}) == 3


async def test_a_lost_engine_ends_the_stream_with_an_error(bench):
    b = bench(lambda request: [Delta(request.id, (70,)), ReplicaUnavailable("the engine ended", 3)])
    out = events(await b.chat(stream=True))
    assert "[DONE]" not in out
    assert out[-1] == {
        "error": {
            "message": "the engine ended",
            "type": "service_unavailable_error",
            "param": None,
            "code": "server_is_overloaded",
        }
    }


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_lost_before_the_first_token_is_a_503(bench, stream):
    response = await bench(lambda request: [ReplicaUnavailable("the engine ended", 3)]).chat(stream=stream)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "3"
    assert response.json()["error"]["code"] == "server_is_overloaded"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_bug_tells_the_client_nothing(bench, stream, caplog):
    def broken(request):
        yield Delta(request.id, (70,))
        yield ValueError("secret detail")

    response = await bench(broken).chat(stream=stream)
    assert "secret detail" not in response.text
    assert "The server had an error" in response.text
    assert response.status_code == (200 if stream else 500)
    assert "secret detail" in caplog.text


async def test_logprobs_name_tokens_with_their_bytes(bench):
    b = bench("hé", eos=False)
    answer = (await b.chat(logprobs=True, top_logprobs=2, max_tokens=3)).json()
    content = answer["choices"][0]["logprobs"]["content"]
    assert [(entry["token"], entry["bytes"]) for entry in content] == [
        ("h", [104]),
        ("bytes:\\xc3", [0xC3]),
        ("bytes:\\xa9", [0xA9]),
    ]
    assert content[0]["logprob"] == content[0]["top_logprobs"][0]["logprob"] == -0.5
    assert [len(entry["top_logprobs"]) for entry in content] == [2, 2, 2]
    assert b.replica.requests[0].sampling.logprobs == 2
    plain = (await b.chat(logprobs=True, max_tokens=3)).json()["choices"][0]["logprobs"]["content"]
    assert [entry["top_logprobs"] for entry in plain] == [[], [], []]


async def test_a_streams_logprobs_are_those_of_the_whole(bench):
    b = bench("hé lo")
    whole = (await b.chat(logprobs=True, top_logprobs=1)).json()["choices"][0]["logprobs"]["content"]
    out = events(await b.chat(logprobs=True, top_logprobs=1, stream=True))[:-1]
    parts = [c["choices"][0]["logprobs"] for c in out]
    assert [entry for part in parts if part for entry in part["content"]] == whole


async def test_minus_infinity_can_be_written(bench):
    answer = await bench("a", logprob=float("-inf")).chat(logprobs=True)
    assert answer.json()["choices"][0]["logprobs"]["content"][0]["logprob"] == -9999.0


async def test_prompt_logprobs_and_token_ids(bench):
    b = bench("ab", eos=False)
    answer = (await b.chat(prompt_logprobs=1, return_token_ids=True, max_tokens=2)).json()
    prompt = list(b.replica.requests[0].prompt)
    assert answer["prompt_token_ids"] == prompt
    assert answer["choices"][0]["token_ids"] == b.ids("ab")
    assert answer["prompt_logprobs"][0] is None
    assert answer["prompt_logprobs"][1][str(prompt[1])] == {"logprob": -0.5, "rank": 1, "decoded_token": "["}
    assert len(answer["prompt_logprobs"]) == len(prompt)
    out = events(await b.chat(return_token_ids=True, max_tokens=2, stream=True))[:-1]
    assert [c.get("prompt_token_ids") for c in out] == [prompt, None, None, None]
    assert [token for c in out for token in c["choices"][0].get("token_ids", [])] == b.ids("ab")


async def test_tokens_can_be_named_by_id(bench):
    b = bench("a")
    answer = (await b.chat(logprobs=True, return_tokens_as_token_ids=True)).json()
    assert answer["choices"][0]["logprobs"]["content"][0]["token"] == f"token_id:{b.ids('a')[0]}"


async def test_echo_and_continuation(bench):
    b = bench(" world")
    turns = [{"role": "user", "content": "greet"}, {"role": "assistant", "content": "hello"}]
    answer = (await b.chat(messages=turns, continue_final_message=True, echo=True)).json()
    assert answer["choices"][0]["message"]["content"] == "hello world"
    assert b.model.tokenizer.decode(b.replica.requests[0].prompt).endswith("[assistant]hello")
    answer = (await b.chat(messages=turns[:1], echo=True)).json()
    assert answer["choices"][0]["message"]["content"] == " world"


async def test_what_is_said_of_messages_reaches_the_template(bench):
    b = bench()
    turns = [
        {"role": "developer", "content": [{"type": "text", "text": "Be"}, {"type": "text", "text": "kind."}]},
        {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}]},
        {"role": "tool", "content": "42", "tool_call_id": "c"},
        {"role": "user", "content": "hi", "name": "Ann"},
    ]
    assert (await b.chat(messages=turns)).status_code == 200
    text = b.model.tokenizer.decode(b.replica.requests[0].prompt)
    assert text == "[system]Be\nkind.\n[assistant]\n[tool]42\n[user]hi\n[assistant]"


async def test_max_tokens_by_either_name(bench):
    b = bench()
    await b.chat(max_tokens=5)
    await b.chat(max_tokens=5, max_completion_tokens=6)
    await b.chat()
    room = 128 - len(b.replica.requests[0].prompt)
    assert [request.sampling.max_tokens for request in b.replica.requests] == [5, 6, room]


async def test_the_reply_ends_at_max_tokens(bench):
    choice = (await bench("hello world").chat(max_tokens=1)).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hello", "length")


async def test_stop_strings_end_the_reply(bench):
    b = bench("hello world")
    answer = (await b.chat(stop=[" wor"])).json()
    assert answer["choices"][0]["message"]["content"] == "hello"
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert b.replica.cancelled == [b.replica.requests[0].id]
    answer = (await b.chat(stop=" wor", include_stop_str_in_output=True)).json()
    assert answer["choices"][0]["message"]["content"] == "hello wor"
