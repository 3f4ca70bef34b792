import asyncio

import pytest

from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.prompt import (
    LONG_TEXT,
    ChatFormat,
    Prompt,
    chat_prompt,
    check_token_ids,
    encode,
    reply_budget,
    text_prompt,
    token_prompt,
    truncate,
)
from serving.orchestrator.served_model import ServedModel
from tests.orchestrator.scripted import write_model

TURNS = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hi"}]


def test_messages_go_through_the_models_own_template(model):
    prompt = asyncio.run(chat_prompt(model, TURNS, ChatFormat(), context=128))
    assert prompt.text == "<|begin|>[system]Be kind.\n[user]hi\n[assistant]"
    assert prompt.tokens == tuple(model.tokenizer.encode(prompt.text, False))
    assert prompt.tokens[0] == 0


def test_the_last_message_can_be_continued(model):
    turns = [*TURNS, {"role": "assistant", "content": "Hello, my"}]
    chat = ChatFormat(add_generation_prompt=False, continue_final_message=True)
    assert asyncio.run(chat_prompt(model, turns, chat, context=128)).text.endswith("[assistant]Hello, my")


def test_a_template_gets_its_own_variables(tmp_path):
    write_model(tmp_path, template="{{ mood }}: {{ messages[0].content }}")
    model = ServedModel.from_folder("tiny", tmp_path)
    prompt = asyncio.run(chat_prompt(model, TURNS, ChatFormat(variables={"mood": "glad"}), context=128))
    assert prompt.text == "glad: Be kind."


def test_a_templates_refusal_is_the_clients_to_read(tmp_path):
    write_model(tmp_path, template="{{ raise_exception('roles must alternate') }}")
    model = ServedModel.from_folder("tiny", tmp_path)
    with pytest.raises(InvalidRequest, match="roles must alternate") as refused:
        asyncio.run(chat_prompt(model, TURNS, ChatFormat(), context=128))
    assert refused.value.field == "messages"


def test_a_base_model_does_not_chat(tmp_path):
    write_model(tmp_path, template=None)
    model = ServedModel.from_folder("tiny", tmp_path)
    with pytest.raises(InvalidRequest, match="chat template"):
        asyncio.run(chat_prompt(model, TURNS, ChatFormat(), context=128))


@pytest.mark.parametrize("length", [5, LONG_TEXT + 5])
def test_long_texts_have_the_same_ids(model, length):
    text = ("hello world " * (length // 12 + 1))[:length]
    prompt = asyncio.run(text_prompt(model, text, context=LONG_TEXT, field="prompt"))
    assert model.tokenizer.decode(prompt.tokens) == text
    assert asyncio.run(encode(model, text, add_special_tokens=True)) == list(prompt.tokens)


@pytest.mark.parametrize("ids", [[264], [3, -1], [2**40]])
def test_ids_outside_the_vocabulary_are_named(ids):
    with pytest.raises(InvalidRequest, match=f"{ids[-1]}; accepted are 0 to 263") as refused:
        token_prompt(ids, 264, field="prompt[2]")
    assert refused.value.field == "prompt[2]"


def test_every_id_of_the_vocabulary_is_taken():
    assert token_prompt([0, 263], 264, field="prompt") == Prompt((0, 263))
    check_token_ids([], 264, field="stop_token_ids")


def test_an_empty_prompt_is_refused(model):
    with pytest.raises(InvalidRequest, match="prompt is empty"):
        asyncio.run(text_prompt(model, "", context=128, field="prompt"))
    with pytest.raises(InvalidRequest, match="prompt is empty"):
        token_prompt([], 264, field="prompt")


def test_truncation_keeps_the_end():
    prompt = Prompt((1, 2, 3, 4), "abcd")
    assert truncate(prompt, None, context=8, reply=2) is prompt
    assert truncate(prompt, 4, context=8, reply=2) is prompt
    assert truncate(prompt, 3, context=8, reply=2) == Prompt((2, 3, 4))
    assert truncate(prompt, -1, context=5, reply=3) == Prompt((3, 4))
    assert truncate(prompt, -1, context=5, reply=30) == Prompt((4,))


@pytest.mark.parametrize(
    ("asked", "default", "budget"), [(3, None, 3), (5, 2, 5), (None, None, 5), (None, 2, 2), (None, 100, 5)]
)
def test_the_reply_gets_what_was_asked_for_or_what_is_left(asked, default, budget):
    assert reply_budget(Prompt((1, 2, 3)), asked, default, 8, field="prompt") == budget


@pytest.mark.parametrize(("asked", "total"), [(6, 9), (None, 9)])
def test_what_does_not_fit_is_refused_with_the_numbers(asked, total):
    prompt = Prompt((1,) * (3 if asked else 8))
    with pytest.raises(InvalidRequest, match=f"maximum context length is 8 .* requested {total} tokens") as refused:
        reply_budget(prompt, asked, None, 8, field="messages")
    assert (refused.value.code, refused.value.field) == ("context_length_exceeded", "messages")


def test_a_reply_of_no_tokens_is_refused():
    with pytest.raises(InvalidRequest, match="max_tokens is 0; at least 1 is needed"):
        reply_budget(Prompt((1,)), 0, None, 8, field="prompt")


def test_what_no_context_could_hold_is_refused_unread(model):
    text = "a" * (LONG_TEXT + 1)
    with pytest.raises(InvalidRequest, match=f"is 128 tokens. However, you sent {len(text)} characters") as refused:
        asyncio.run(text_prompt(model, text, context=128, field="prompt"))
    assert (refused.value.code, refused.value.field) == ("context_length_exceeded", "prompt")
    with pytest.raises(InvalidRequest, match="is 128 tokens. However, you sent 129 messages"):
        asyncio.run(chat_prompt(model, TURNS[:1] * 129, ChatFormat(), context=128))
