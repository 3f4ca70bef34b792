"""How request fields become sampling parameters."""

import pytest

from serving.engine.request import SamplingParams
from serving.orchestrator.served_model import ServedModel
from tests.orchestrator.scripted import VOCABULARY, write_model


async def sampling_of(b, **fields) -> SamplingParams:
    response = await b.chat(max_tokens=8, seed=1, **fields)
    assert response.status_code == 200, response.text
    return b.replica.requests[-1].sampling


async def test_neutral_where_nobody_says_anything(bench):
    assert await sampling_of(bench()) == SamplingParams(max_tokens=8, seed=1)


async def test_the_models_own_defaults_hold_where_a_field_is_left_out(bench, tmp_path):
    config = {"temperature": 0.6, "top_p": 0.9, "top_k": 50, "min_p": 0.1, "repetition_penalty": 1.2}
    write_model(tmp_path, generation_config=config | {"max_new_tokens": 11})
    b = bench()
    model = ServedModel.from_folder("tiny", tmp_path)
    b = type(b)(model, b.replica.script, 10_000)
    given = await sampling_of(b)
    assert {name: getattr(given, name) for name in config} == config
    assert (await sampling_of(b, temperature=0, top_k=-1, top_p=1)) != given
    assert b.replica.requests[-1].sampling.temperature == 0
    assert b.replica.requests[-1].sampling.top_k == 0
    await b.chat()
    assert b.replica.requests[-1].sampling.max_tokens == 11


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("temperature", 0.7, 0.7),
        ("temperature", 1e-9, 0.0),
        ("top_p", 0.4, 0.4),
        ("top_p", 0, 1e-6),
        ("top_k", 7, 7),
        ("top_k", -1, 0),
        ("min_p", 0.2, 0.2),
        ("repetition_penalty", 1.3, 1.3),
        ("presence_penalty", -1.5, -1.5),
        ("frequency_penalty", 2, 2),
        ("logit_bias", {"5": -100, "268": 1.5}, {5: -100, 268: 1.5}),
        ("stop_token_ids", [7, 8], (7, 8)),
        ("allowed_token_ids", [9], (9,)),
        ("ignore_eos", True, True),
        ("min_tokens", 3, 3),
    ],
)
async def test_each_field_arrives(bench, field, value, expected):
    assert getattr(await sampling_of(bench(), **{field: value}), field) == expected


async def test_bad_words_of_one_token_are_banned_in_both_forms(bench):
    b = bench()
    hello, to, world = b.ids("hello")[0], b.ids(" to")[0], b.ids(" world")[0]
    bias = (await sampling_of(b, bad_words=["hello"], logit_bias={str(to): 4})).logit_bias
    assert bias == {hello: -1e9, to: 4}
    assert world not in bias
    refused = await b.chat(bad_words=["goodbye"])
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "bad_words"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("stop_token_ids", [VOCABULARY]),
        ("allowed_token_ids", [1, 9999]),
        ("logit_bias", {str(VOCABULARY): 1}),
        ("min_tokens", 9),
    ],
)
async def test_what_only_the_vocabulary_or_another_field_can_tell(bench, field, value):
    response = await bench().chat(max_tokens=8, **{field: value})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == field


async def test_salt_priority_and_truncation_reach_the_engine(bench):
    b = bench()
    await b.chat(cache_salt="s", priority=-3, truncate_prompt_tokens=4, max_tokens=2)
    request = b.replica.requests[-1]
    assert (request.salt, request.priority, len(request.prompt)) == ("s", -3, 4)


async def test_no_seed_draws_one_for_each_request(bench):
    b = bench()
    for _ in range(3):
        await b.chat()
    assert len({request.sampling.seed for request in b.replica.requests}) == 3


async def test_min_tokens_holds_back_only_so_many_stop_tokens(bench):
    b = bench()
    many = list(range(4, 20))
    assert (await sampling_of(b, stop_token_ids=many)).stop_token_ids == tuple(many)
    response = await b.chat(max_tokens=8, min_tokens=2, stop_token_ids=many)
    error = response.json()["error"]
    assert (response.status_code, error["param"]) == (400, "stop_token_ids")
    assert "16 stop tokens were given" in error["message"]
