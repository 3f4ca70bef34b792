"""The official `openai` client's embeddings against a real server, whose encoder is the one that comes along."""

import base64
import re
from collections.abc import Iterator

import httpx
import numpy as np
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

from serving.api.wire.embeddings import MAX_INPUTS
from serving.models.encoder_folder import DEFAULT_NAME
from tests.golden_encoders import GOLDEN, TEXTS, VECTORS

REFERENCE = VECTORS[DEFAULT_NAME]
SHORT = TEXTS[:-1]  # the last is beyond the limit
HELLO = [101, 7592, 102]  # [CLS] hello [SEP]


@pytest.fixture(scope="module")
def client(server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=600) as client:
        yield client


@pytest.fixture
def embed(client):
    """A request for embeddings by the default encoder."""

    def create(given, **fields):
        return client.embeddings.create(**({"model": DEFAULT_NAME, "input": given} | fields))

    return create


def vectors(answer) -> np.ndarray:
    return np.array([entry.embedding for entry in answer.data])


def test_vectors_are_those_of_sentence_transformers_in_the_order_of_the_texts(embed):
    answer = embed(SHORT)
    np.testing.assert_allclose(vectors(answer), REFERENCE[:-1], atol=1e-4)
    assert [entry.index for entry in answer.data] == list(range(len(SHORT)))
    assert {entry.object for entry in answer.data} == {"embedding"}
    assert (answer.object, answer.model) == ("list", DEFAULT_NAME)


def test_numbers_and_base64_are_the_same_vectors(embed, client, server):
    numbers = embed(SHORT[1], encoding_format="float")
    assert embed(SHORT[1]).data[0].embedding == numbers.data[0].embedding  # the client asks for base64 by itself
    body = {"input": SHORT[1], "encoding_format": "base64"}
    raw = httpx.post(f"{server.url}/v1/embeddings", json=body).json()
    decoded = np.frombuffer(base64.b64decode(raw["data"][0]["embedding"]), "<f4")
    assert decoded.tolist() == numbers.data[0].embedding


def test_token_ids_stand_for_the_text_that_they_are_read_from(embed):
    text = embed("hello")
    assert text.usage.prompt_tokens == text.usage.total_tokens == 3
    for given in (HELLO, [HELLO]):
        ids = embed(given)
        np.testing.assert_allclose(vectors(ids), vectors(text), atol=1e-6)
        assert ids.usage.prompt_tokens == 3
    assert embed([HELLO, [*HELLO[:2], 2088, 102]]).usage.prompt_tokens == 7


def test_fewer_dimensions_are_cut_and_have_the_length_1(embed):
    whole, cut = vectors(embed(SHORT[:2])), vectors(embed(SHORT[:2], dimensions=100))
    assert cut.shape == (2, 100)
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1, atol=1e-6)
    lengths = np.linalg.norm(whole[:, :100], axis=1, keepdims=True)
    np.testing.assert_allclose(cut, whole[:, :100] / lengths, atol=1e-6)


def test_what_is_too_long_is_an_error_unless_it_may_be_cut_off(embed):
    with pytest.raises(openai.BadRequestError) as refused:
        embed(TEXTS[-2:])
    error = refused.value
    assert (error.param, error.code) == ("input", "context_length_exceeded")
    assert error.body["message"].startswith("input[1] has 602 tokens; this encoder's maximum is 256")
    answer = embed(TEXTS[-1], extra_body={"truncate_prompt_tokens": -1})
    np.testing.assert_allclose(vectors(answer)[0], REFERENCE[-1], atol=1e-4)  # sentence-transformers cuts it off too
    assert answer.usage.prompt_tokens == 256


@pytest.mark.parametrize(
    ("given", "fields", "param", "message"),
    [
        ("", {}, "input", "it is empty"),
        ([], {}, "input", "it is empty"),
        (["a", ""], {}, "input", r"input\[1\] is empty"),
        ([[1], []], {}, "input", r"input\[1\] is empty"),
        (["a", 1], {}, "input", "accepted are a string, a list of strings, a list of token ids, or"),
        ([1.5], {}, "input", "accepted are a string"),
        (None, {}, "input", "accepted are a string"),
        (["a"] * (MAX_INPUTS + 1), {}, "input", "2049 inputs are too many; accepted are up to 2048"),
        ([30522], {}, "input", "token id 30522; accepted are 0 to 30521"),
        ([1] * 257, {}, "input", r"input\[0\] has 257 tokens; this encoder's maximum is 256"),
        ("a", {"dimensions": 385}, "dimensions", "dimensions is 385; this encoder has 1 to 384"),
        ("a", {"dimensions": 0}, "dimensions", "greater than or equal to 1"),
        ("a", {"encoding_format": "hex"}, "encoding_format", "'float' or 'base64'"),
        ("a", {"truncate_prompt_tokens": 5}, "truncate_prompt_tokens", "-1"),
    ],
)
def test_what_cannot_be_served_is_named(server, given, fields, param, message):
    answer = httpx.post(f"{server.url}/v1/embeddings", json={"input": given} | fields)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert re.search(message, error["message"]), error["message"]


def test_the_most_inputs_that_are_accepted(embed):
    answer = embed([f"text {number % 7}" for number in range(MAX_INPUTS)])
    got = vectors(answer)
    assert got.shape == (MAX_INPUTS, 384)
    np.testing.assert_allclose(got[7:14], got[:7], atol=1e-6)
    assert np.abs(got[0] - got[1]).max() > 0.01


def test_it_is_listed_beside_the_chat_model_and_does_not_chat(client, server, embed):
    chat, encoder = client.models.list().data
    assert (encoder.id, encoder.model_extra["task"]) == (DEFAULT_NAME, "embed")
    assert encoder.model_extra["max_model_len"] == 256
    assert chat.model_extra["task"] == "generate"
    assert client.models.retrieve(DEFAULT_NAME).id == DEFAULT_NAME
    with pytest.raises(openai.NotFoundError, match=f"this server has '{DEFAULT_NAME}'"):
        embed("a", model=chat.id)
    with pytest.raises(openai.NotFoundError, match=f"this server has '{chat.id}'"):
        client.chat.completions.create(model=DEFAULT_NAME, messages=[{"role": "user", "content": "hi"}])


def test_requests_are_counted(server, embed):
    def counts() -> dict[str, float]:
        families = text_string_to_metric_families(server.get("/metrics").text)
        return {
            s.name + s.labels.get("outcome", ""): s.value
            for family in families
            for s in family.samples
            if family.name.startswith("tradewind:") and s.labels.get("model_name") == DEFAULT_NAME
        }

    before = counts()
    embed([HELLO] * 5)
    grown = {name: value - before[name] for name, value in counts().items()}
    assert grown["tradewind:embedding_texts_total"] == 5
    assert grown["tradewind:embedding_tokens_total"] == 15
    assert grown["tradewind:embedding_requests_totalsuccess"] == 1
    assert grown["tradewind:embedding_request_seconds_count"] == 1
    assert before.keys() >= {"tradewind:encoder_texts_waiting", "tradewind:encoder_padding_total"}


def test_another_encoder_and_none(start_server):
    folder = GOLDEN / "roberta"
    server = start_server("--embeddings", "--encoder-model", str(folder), "--encoder-batch-tokens", "64")
    server.wait_for("embeddings by roberta: 32 dimensions, texts of 64 tokens")
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none") as client:
        answer = client.embeddings.create(model="roberta", input=TEXTS[:3])
    scale = np.abs(VECTORS["roberta"]).max()
    np.testing.assert_allclose(vectors(answer), VECTORS["roberta"][:3], atol=1e-4 * scale)
    server.stop()
    without = start_server()
    refused = httpx.post(f"{without.url}/v1/embeddings", json={"input": "a"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "started without an encoder" in refused.json()["error"]["message"]
    assert len(without.get("/v1/models").json()["data"]) == 1
