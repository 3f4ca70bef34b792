"""What clients are told when a request cannot be served."""

import pytest

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
HI = {"messages": [{"role": "user", "content": "hi"}]}


def error_of(response, status: int = 400) -> dict:
    assert response.status_code == status, response.text
    assert response.headers["x-request-id"].startswith("req_")
    assert int(response.headers["openai-processing-ms"]) >= 0
    assert response.json().keys() == {"error"}
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return error


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"temperature": 3}, "temperature", "less than or equal to 2; given 3"),
        ({"temperature": "hot"}, "temperature", 'given "hot"'),
        ({"top_p": -0.1}, "top_p", "given -0.1"),
        ({"n": 0}, "n", "given 0"),
        ({"n": 129}, "n", "given 129"),
        ({"max_tokens": -1}, "max_tokens", "given -1"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"seed": 2**63}, "seed", "given 9223372036854775808"),
        ({"stop": list("abcde")}, "stop", "at most 4 items"),
        ({"stop": ["a", ""]}, "stop[1]", "at least 1 character"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5", "given 101"),
        ({"logit_bias": {"x": 1}}, "logit_bias.x", 'given "x"'),
        ({"stream_options": {"include_usage": True}}, "stream_options", "stream: true"),
        ({"prompt_logprobs": 1, "stream": True}, "prompt_logprobs", "stream: true"),
        ({"top_logprobs": 2}, "top_logprobs", "logprobs: true"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "given 21"),
        ({"messages": []}, "messages", "at least 1 item"),
        ({"messages": "hi"}, "messages", 'given "hi"'),
        ({"messages": [{"role": "king", "content": "hi"}]}, "messages[0].role", 'given "king"'),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "only an assistant"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content", "given 5"),
        ({"tools": [{"type": "function"}]}, "tools", "does not support"),
        ({"tool_choice": "required"}, "tool_choice", "'none' or 'auto'"),
        ({"response_format": {"type": "json_object"}}, "response_format.type", "'text'"),
        ({"modalities": ["audio"]}, "modalities[0]", "'text'"),
        ({"guided_json": {"type": "object"}}, "guided_json", "does not support"),
        ({"chat_template": "{{ 1 }}"}, "chat_template", "does not support"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs", "messages has a field of its own"),
        ({"continue_final_message": True, "add_generation_prompt": True}, "continue_final_message", "excludes"),
        ({"truncate_prompt_tokens": 0}, "truncate_prompt_tokens", "-1"),
        ({"bad_words": [""]}, "bad_words[0]", "at least 1 character"),
        ({"allowed_token_ids": []}, "allowed_token_ids", "at least 1 item"),
    ],
)
async def test_a_wrong_field_is_named_with_what_was_given(bench, fields, param, said):
    error = error_of(await bench().chat(**fields))
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", param, None)
    assert said in error["message"]


@pytest.mark.parametrize(
    ("fields", "param", "said"),
    [
        ({"logprobs": 21}, "logprobs", "given 21"),
        ({"best_of": 2}, "best_of", "n of them"),
        ({"suffix": "end"}, "suffix", "does not support"),
        ({"prompt_embeds": "AAAA"}, "prompt_embeds", "does not support"),
        ({"prompt": ""}, "prompt", "empty"),
        ({"prompt": ["a"] * 100, "n": 21}, "n", "2100 replies; up to 2048"),
    ],
)
async def test_a_wrong_field_of_a_completion_is_named(bench, fields, param, said):
    error = error_of(await bench().complete(**fields))
    assert error["param"] == param and said in error["message"]


async def test_what_is_not_text_is_named_by_its_type(bench):
    parts = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    error = error_of(await bench().chat(messages=[{"role": "user", "content": parts}]))
    assert error["param"] == "messages[0].content"
    assert 'part 1 is of type "image_url"; only text is supported' in error["message"]


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True, "metadata": {"a": "b"}, "service_tier": "auto", "user": "me", "safety_identifier": "x"},
        {"prompt_cache_key": "k", "verbosity": "low", "modalities": ["text"], "parallel_tool_calls": True},
        {"tools": [], "tool_choice": "auto", "response_format": {"type": "text"}, "reasoning_effort": "low"},
        {"unheard_of": [1, 2]},
        dict.fromkeys(("temperature", "top_p", "n", "stop", "stream", "seed", "logit_bias", "tools", "max_tokens")),
    ],
)
async def test_harmless_fields_and_nulls_are_accepted(bench, fields):
    assert (await bench().chat(**fields)).status_code == 200


async def test_the_context_that_is_exceeded_is_given_in_numbers(bench):
    b = bench()
    error = error_of(await b.chat(max_tokens=200))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages")
    length = len(b.ids("<|begin|>[user]hi\n[assistant]"))
    assert f"128 tokens. However, you requested {length + 200} tokens ({length} in the messages" in error["message"]
    error = error_of(await b.complete(prompt=["a", "b" * 128]))
    assert (error["code"], error["param"]) == ("context_length_exceeded", "prompt[1]")
    assert b.replica.requests == []


@pytest.mark.parametrize("path", [CHAT, TEXT])
async def test_an_unknown_model(bench, path):
    error = error_of(await bench().http.post(path, json=HI | {"prompt": "hi", "model": "gpt-9"}), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "'gpt-9'" in error["message"] and "'tiny'" in error["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "not valid JSON: EOF while parsing"),
        (b"", "must be a JSON object"),
        (b"[]", "given a list of 0"),
        (b'"hi"', 'given "hi"'),
        (b"null", "must be a JSON object"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"messages": "\xff"}', "not valid JSON: invalid unicode"),
        (b"[" * 50_000, "recursion limit"),
        (b'{"messages": ' + b"[" * 40_000, "recursion limit"),
        (b'{"temperature": NaN}', "not valid JSON"),
        (b'{"seed":' + b"9" * 6000 + b"}", "not valid JSON"),
        (b'{"model":"\\ud800"}', "not valid JSON"),
        (b'{"chat_template_kwargs": {"\\ud800": "\\udfff"}}', "not valid JSON"),
        (b'{"temperature":1e999,"messages":[{"role":"user","content":"hi"}]}', "temperature: input should be a finite"),
    ],
)
async def test_a_broken_body(bench, body, said):
    response = await bench().http.post(CHAT, content=body, headers={"content-type": "application/json"})
    error = error_of(response)
    assert error["type"] == "invalid_request_error"
    assert said in error["message"]


async def test_a_body_of_another_type(bench):
    for headers in ({"content-type": "text/plain"}, {}):
        response = await bench().http.post(CHAT, content=b'{"messages": []}', headers=headers)
        assert "content-type: application/json" in error_of(response)["message"]


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/nothing"), ("POST", "/v1/nothing"), ("POST", "/nothing")])
async def test_nothing_there(bench, method, path):
    error = error_of(await bench().http.request(method, path), 404)
    assert f"{method} {path}" in error["message"]


@pytest.mark.parametrize(("method", "path", "allow"), [("GET", CHAT, "POST"), ("DELETE", "/v1/models", "GET")])
async def test_a_method_that_is_not_allowed(bench, method, path, allow):
    response = await bench().http.request(method, path)
    assert allow in error_of(response, 405)["message"]
    assert response.headers["allow"] == allow


async def test_a_body_beyond_the_limit(bench):
    b = bench(max_body_bytes=2000)
    error = error_of(await b.http.post(CHAT, content=b"x" * 2001), 413)
    assert "2000 bytes" in error["message"]

    sent = 0

    async def endless():
        nonlocal sent
        while True:
            sent += 500
            yield b"x" * 500

    headers = {"content-type": "application/json"}
    assert "2000 bytes" in error_of(await b.http.post(CHAT, content=endless(), headers=headers), 413)["message"]
    assert sent <= 3000
    assert (await b.chat()).status_code == 200
