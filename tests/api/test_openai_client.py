"""The official `openai` client against a real server."""

import asyncio
import math
from collections.abc import Iterator

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

STORY = [{"role": "user", "content": "Tell me a story about a dog and a boat."}]
ENDLESS = {"ignore_eos": True}
LIKELIEST = {"repetition_penalty": 1}  # whatever the model's own defaults, greedy takes the likeliest token


@pytest.fixture(scope="module")
def client(server) -> Iterator[openai.OpenAI]:
    """A client that reports every failure at once."""
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def name(client) -> str:
    """The model that chats."""
    model, *_ = client.models.list().data
    return model.id


@pytest.fixture
def chat(client, name):
    """A chat completion, greedy and short unless told otherwise."""

    def create(**fields):
        defaults = {"model": name, "messages": STORY, "max_tokens": 32, "temperature": 0}
        return client.chat.completions.create(**(defaults | fields))

    return create


@pytest.fixture
def complete(client, name):
    """A text completion, greedy and short unless told otherwise."""

    def create(**fields):
        defaults = {"model": name, "prompt": "The dog and the boat", "max_tokens": 16, "temperature": 0}
        return client.completions.create(**(defaults | fields))

    return create


def text_of(stream) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def metrics_of(server) -> dict[tuple[str, str | None], float]:
    """Samples by name and finish reason."""
    families = text_string_to_metric_families(server.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if "le" not in sample.labels]
    return {(sample.name, sample.labels.get("finished_reason")): sample.value for sample in samples}


def test_models(client, name):
    model = client.models.retrieve(name)
    assert (model.id, model.object) == (name, "model")
    assert model.created > 1_700_000_000
    assert model.model_extra["max_model_len"] >= 256


def test_an_answer(chat, name):
    answer = chat()
    (choice,) = answer.choices
    assert answer.id.startswith("chatcmpl-") and answer.model == name and answer.object == "chat.completion"
    assert answer._request_id.startswith("req_")
    assert choice.message.role == "assistant" and choice.message.content
    assert choice.finish_reason in ("stop", "length")
    assert answer.usage.completion_tokens <= 32
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.system_fingerprint == chat(max_tokens=1).system_fingerprint


def test_greedy_answers_repeat(chat):
    assert chat().choices[0].message.content == chat().choices[0].message.content


def test_a_stream_has_the_order_of_the_protocol(chat):
    chunks = list(chat(stream=True))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert (deltas[0].role, deltas[0].content) == ("assistant", "")
    assert all(delta.role is None and delta.content for delta in deltas[1:-1])
    assert deltas[-1].content is None
    reasons = [chunk.choices[0].finish_reason for chunk in chunks]
    assert reasons[:-1] == [None] * (len(chunks) - 1) and reasons[-1] in ("stop", "length")
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert all(chunk.usage is None for chunk in chunks)


def test_a_stream_says_what_the_whole_answer_says(chat):
    assert text_of(chat(stream=True)) == chat().choices[0].message.content


def test_usage_of_a_stream(chat):
    *chunks, last = chat(stream=True, stream_options={"include_usage": True})
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    usage, whole = last.usage, chat().usage
    assert last.choices == []
    assert (usage.prompt_tokens, usage.completion_tokens) == (whole.prompt_tokens, whole.completion_tokens)


def test_a_repeated_prompt_is_found_in_the_cache(chat):
    messages = [{"role": "user", "content": "Please remember this sentence. " * 4}]
    chat(messages=messages, max_tokens=1)
    usage = chat(messages=messages, max_tokens=1).usage
    assert 0 < usage.prompt_tokens_details.cached_tokens <= usage.prompt_tokens
    salted = chat(messages=messages, max_tokens=1, extra_body={"cache_salt": "another tenant"}).usage
    assert salted.prompt_tokens_details.cached_tokens == 0


@pytest.mark.parametrize("stream", [False, True])
def test_stop_strings(chat, stream):
    text = chat().choices[0].message.content
    stop = text[len(text) // 2 :][:3]
    answer = chat(stop=["never said by anyone", stop], stream=stream)
    assert (text_of(answer) if stream else answer.choices[0].message.content) == text[: text.index(stop)]
    if not stream:
        assert answer.choices[0].finish_reason == "stop"
        kept = chat(stop=stop, extra_body={"include_stop_str_in_output": True})
        assert kept.choices[0].message.content == text[: text.index(stop) + len(stop)]


def test_stop_token_ids(chat):
    whole = chat(extra_body={"return_token_ids": True}).choices[0]
    ids = whole.model_extra["token_ids"]
    stop = ids[len(ids) // 2]
    cut = chat(extra_body={"return_token_ids": True, "stop_token_ids": [stop]}).choices[0]
    assert cut.finish_reason == "stop"
    assert cut.model_extra["token_ids"] == ids[: ids.index(stop) + 1]


def test_max_tokens_and_min_tokens(chat):
    answer = chat(max_tokens=20, extra_body=ENDLESS)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 20)
    assert chat(max_tokens=40, extra_body={"min_tokens": 40}).usage.completion_tokens == 40


def test_choices_and_seeds(chat):
    sampled = {"temperature": 1, "seed": 11}
    one = chat(**sampled)
    three = chat(n=3, **sampled)
    texts = [choice.message.content for choice in three.choices]
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert texts[0] == one.choices[0].message.content
    assert len(set(texts)) > 1
    assert texts == [choice.message.content for choice in chat(n=3, **sampled).choices]
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    streamed = ["", "", ""]
    for chunk in chat(n=3, stream=True, **sampled):
        streamed[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert streamed == texts


def test_without_a_seed_answers_differ(chat):
    assert len({chat(temperature=1).choices[0].message.content for _ in range(4)}) > 1


def test_sampling_fields_reach_the_sampler(chat):
    greedy = chat().choices[0].message.content
    assert chat(temperature=1, extra_body={"top_k": 1}).choices[0].message.content == greedy
    assert chat(temperature=1, top_p=0).choices[0].message.content == greedy
    assert chat(temperature=1, extra_body={"min_p": 1}).choices[0].message.content == greedy
    ids = chat(max_tokens=1, extra_body={"return_token_ids": True}).choices[0].model_extra["token_ids"]
    biased = chat(max_tokens=1, logit_bias={str(ids[0]): -100}, extra_body={"return_token_ids": True})
    assert biased.choices[0].model_extra["token_ids"] != ids
    only = chat(max_tokens=4, extra_body={"allowed_token_ids": ids, "return_token_ids": True} | ENDLESS)
    assert only.choices[0].model_extra["token_ids"] == ids * 4


def test_logprobs_of_a_chat(chat):
    answer = chat(logprobs=True, top_logprobs=3, extra_body=LIKELIEST)
    content = answer.choices[0].logprobs.content
    assert len(content) == answer.usage.completion_tokens
    assert all(len(entry.top_logprobs) == 3 for entry in content)
    for entry in content:  # greedy: the token is the likeliest, by the very same number
        best = entry.top_logprobs[0]
        assert (entry.token, entry.logprob) == (best.token, best.logprob)
        assert entry.logprob <= 0 and sum(math.exp(top.logprob) for top in entry.top_logprobs) <= 1.0001
    data = b"".join(bytes(entry.bytes) for entry in content)
    assert data.decode(errors="replace").startswith(answer.choices[0].message.content)


def test_scores_of_a_prompt_are_those_of_its_generation(complete):
    """What lm-evaluation-harness relies on: echo scores a text as the model scored it when it wrote it."""
    written = complete(logprobs=1, extra_body={"return_token_ids": True} | ENDLESS | LIKELIEST).choices[0]
    prompt, reply = written.model_extra["prompt_token_ids"], written.model_extra["token_ids"]
    (scored,) = complete(prompt=[prompt + reply], max_tokens=1, logprobs=1, echo=True, seed=1234).choices
    logprobs = scored.logprobs
    assert len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(prompt) + len(reply) + 1
    assert logprobs.token_logprobs[0] is None
    continuation = slice(len(prompt), -1)
    assert logprobs.token_logprobs[continuation] == pytest.approx(written.logprobs.token_logprobs, abs=1e-3)
    tops = logprobs.top_logprobs[continuation]
    assert [max(top.values()) for top in tops] == logprobs.token_logprobs[continuation]  # all greedy, exactly


def test_several_prompts_at_once(complete):
    prompts = ["One dog", "Two boats", "Three birds"]
    together = complete(prompt=prompts, n=2).choices
    assert [choice.index for choice in together] == list(range(6))
    for index, prompt in enumerate(prompts):
        alone = complete(prompt=prompt).choices[0].text
        assert [together[2 * index].text, together[2 * index + 1].text] == [alone, alone]


def test_echo_and_a_streamed_completion(complete):
    whole = complete(echo=True).choices[0].text
    assert whole.startswith("The dog and the boat")
    assert "".join(chunk.choices[0].text for chunk in complete(echo=True, stream=True)) == whole


@pytest.mark.parametrize(
    ("fields", "kind", "param", "code"),
    [
        ({"temperature": 3}, openai.BadRequestError, "temperature", None),
        ({"messages": []}, openai.BadRequestError, "messages", None),
        ({"messages": [{"role": "user", "content": "long " * 5000}]}, openai.BadRequestError, "messages", "context"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, openai.BadRequestError, "tools", None),
        ({"model": "gpt-9"}, openai.NotFoundError, "model", "model_not_found"),
    ],
)
def test_errors_have_their_classes(chat, fields, kind, param, code):
    with pytest.raises(kind) as failed:
        chat(**fields)
    error = failed.value
    assert (error.param, error.type) == (param, "invalid_request_error")
    assert error.code == ("context_length_exceeded" if code == "context" else code)
    assert error.request_id.startswith("req_")


def test_nothing_is_an_unprocessable_entity(client, chat):
    with pytest.raises(openai.BadRequestError):
        chat(max_tokens="many")
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="m", input="text")


def test_a_client_that_hangs_up_frees_its_rows(server, chat):
    aborted = ("vllm:request_success_total", "abort")
    before = metrics_of(server)[aborted]
    stream = chat(stream=True, n=4, max_tokens=200, temperature=1, extra_body=ENDLESS)
    next(stream)
    assert metrics_of(server)["vllm:num_requests_running", None] > 0
    stream.close()
    now = metrics_of(server)
    while now[aborted] < before + 4 or now["vllm:num_requests_running", None]:
        now = metrics_of(server)
    assert now[aborted] == before + 4


async def test_64_streams_at_once_are_all_right_and_none_starves(server, name, chat):
    things = ("dogs", "boats", "trees", "hats")
    questions = [f"Tell me about {count} {thing}." for count in range(2, 6) for thing in things]
    alone = [
        chat(messages=[{"role": "user", "content": question}], max_tokens=48, extra_body=ENDLESS)
        for question in questions
    ]
    expected = [answer.choices[0].message.content for answer in alone]
    happenings: list[str] = []

    async def read(client: openai.AsyncOpenAI, number: int) -> str:
        text = ""
        stream = await client.chat.completions.create(
            model=name,
            messages=[{"role": "user", "content": questions[number % 16]}],
            max_tokens=48,
            temperature=0,
            stream=True,
            extra_body=ENDLESS,
        )
        async for chunk in stream:
            if not text and chunk.choices[0].delta.content:
                happenings.append("begun")
            text += chunk.choices[0].delta.content or ""
        happenings.append("ended")
        return text

    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0, timeout=300) as client:
        texts = await asyncio.gather(*(read(client, number) for number in range(64)))
    assert texts == expected * 4
    assert happenings.count("begun") == 64
    last_to_begin = max(place for place, what in enumerate(happenings) if what == "begun")
    assert happenings[:last_to_begin].count("ended") < 32
