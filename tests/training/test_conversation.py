"""What is learned of a conversation, and that serving's chat template writes the very tokens of training."""

import json

import pytest
from tokenizers import Tokenizer

from serving.models.chat_template import ChatTemplate, ChatTemplateError
from serving.models.tool_calls import Call
from training.conversation import (
    END,
    Message,
    assistant,
    calling,
    encode_conversation,
    encode_prompt,
    encode_text,
    result,
    system,
    user,
)
from training.export import CHAT_TEMPLATE, tokenizer_config

MESSAGES = [
    system("Be kind."),
    user("Hi  there!\n\n12 + 3?"),
    assistant("It is 15."),
    user(" Ünïcode 你好 "),
    assistant("Yes\n"),
]

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Look up\n  the weather.",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": "Where"},
                    "days": {"type": ["integer", "null"]},
                    "unit": {"enum": ["celsius", 'the "other"', '"quoted"', 3, True]},
                    "note": {},
                },
                "required": ["city"],
            },
        },
    },
    {"type": "function", "function": {"name": "stop"}},
]
CALLS = [
    Call("get_weather", {"city": " Zürich\nWest", "days": 3, "unit": '"quoted"', "note": {"a": [1.5, None, "ü"]}}),
    Call("get_weather", {"city": "New York", "days": None, "note": ""}),
    Call("stop"),
]
WITH_TOOLS = [user("How warm?"), calling(*CALLS), result('{"temp": 21}'), assistant("It is 21 degrees.")]


def test_only_the_assistants_words_and_their_end_are_learned(tokenizer: Tokenizer) -> None:
    tokens = encode_conversation(MESSAGES, tokenizer)
    learned = [token for token, is_learned in zip(tokens.ids, tokens.weights, strict=True) if is_learned]
    end = tokenizer.token_to_id(END)
    first, second = (tokenizer.encode(text, add_special_tokens=False).ids for text in ("It is 15.", "Yes\n"))
    assert learned == [*first, end, *second, end]


def test_learn_all_leaves_out_the_bos_alone(tokenizer: Tokenizer) -> None:
    assert encode_conversation(MESSAGES, tokenizer, learn_all=True).weights.count(0) == 1
    assert encode_text("Plain text.", tokenizer).weights.count(0) == 1


def test_calls_are_learned_but_neither_tools_nor_results(tokenizer: Tokenizer) -> None:
    end = tokenizer.token_to_id(END)
    call, talk = (
        tokenizer.encode(text, add_special_tokens=False).ids
        for text in ("<|call|>get_weather\ncity: New York\ndays: 3", "It is 21 degrees.")
    )
    messages = [WITH_TOOLS[0], calling(Call("get_weather", {"city": "New York", "days": 3})), *WITH_TOOLS[2:]]
    tokens = encode_conversation(messages, tokenizer, tools=TOOLS)
    learned = [token for token, is_learned in zip(tokens.ids, tokens.weights, strict=True) if is_learned]
    assert learned == [*call, end, *talk, end]
    said = encode_conversation(messages, tokenizer, tools=TOOLS, learn_all=True)
    learned_ids = [token for token, is_learned in zip(said.ids, said.weights, strict=True) if is_learned]
    assert tokenizer.token_to_id("<|user|>") in learned_ids
    assert not {tokenizer.token_to_id("<|tools|>"), tokenizer.token_to_id("<|tool|>")} & set(learned_ids)
    assert len(learned_ids) == len(encode_conversation([*messages[:2], messages[3]], tokenizer, learn_all=True).ids) - 1


def test_whether_a_tool_is_called_counts_more_than_a_word(tokenizer: Tokenizer) -> None:
    tokens = encode_conversation(WITH_TOOLS, tokenizer, tools=TOOLS)
    heavy = [token for token, weight in zip(tokens.ids, tokens.weights, strict=True) if weight > 1]
    assert heavy == [tokenizer.token_to_id("<|call|>"), tokenizer.encode("It", add_special_tokens=False).ids[0]]
    assert max(encode_conversation(MESSAGES, tokenizer).weights) == 1


@pytest.fixture
def template(tmp_path, recipe) -> ChatTemplate:
    (tmp_path / "chat_template.jinja").write_text(CHAT_TEMPLATE.read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(recipe.model.decoder_config())))
    return ChatTemplate.from_folder(tmp_path)


@pytest.mark.parametrize("count", [2, 4])
def test_the_chat_template_writes_the_tokens_of_training(
    tokenizer: Tokenizer, template: ChatTemplate, count: int
) -> None:
    messages = MESSAGES[:count]
    rendered = template.render([{"role": m.role, "content": m.content} for m in messages], add_generation_prompt=True)
    assert tokenizer.encode(rendered, add_special_tokens=False).ids == encode_prompt(messages, tokenizer)


def test_without_a_generation_prompt_it_is_the_whole_conversation(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    turns = [{"role": m.role, "content": m.content} for m in MESSAGES]
    rendered = template.render(turns, add_generation_prompt=False)
    assert tokenizer.encode(rendered, add_special_tokens=False).ids == encode_conversation(MESSAGES, tokenizer).ids


def as_openai(message: Message) -> dict:
    calls = [{"type": "function", "function": {"name": c.name, "arguments": c.arguments}} for c in message.calls]
    return {"role": message.role, "content": message.content or None, **({"tool_calls": calls} if calls else {})}


@pytest.mark.parametrize("count", [1, 3])
def test_the_chat_template_writes_tools_and_calls_as_in_training(
    tokenizer: Tokenizer, template: ChatTemplate, count: int
) -> None:
    messages = WITH_TOOLS[:count]
    rendered = template.render([as_openai(m) for m in messages], tools=TOOLS, add_generation_prompt=True)
    assert tokenizer.encode(rendered, add_special_tokens=False).ids == encode_prompt(messages, tokenizer, TOOLS)
    assert rendered.startswith("<|bos|><|tools|>get_weather: Look up the weather.\ncity (string): Where\n")


def test_the_chat_template_refuses_arguments_that_are_text(template: ChatTemplate) -> None:
    call = {"type": "function", "function": {"name": "stop", "arguments": "{}"}}
    with pytest.raises(ChatTemplateError, match="arguments of stop are no object"):
        template.render([{"role": "assistant", "content": None, "tool_calls": [call]}], tools=TOOLS)


def test_content_parts_and_the_developer_role_are_read(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": " you"}]
    rendered = template.render([{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}])
    expected = encode_prompt([Message("system", "Be kind."), user("Hi you")], tokenizer)
    assert tokenizer.encode(rendered, add_special_tokens=False).ids == expected


def test_an_unknown_role_is_refused_by_name(template: ChatTemplate) -> None:
    with pytest.raises(ChatTemplateError, match="narrator"):
        template.render([{"role": "narrator", "content": "Once upon a time"}])
