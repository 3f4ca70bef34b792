"""What is learned of a conversation, and that serving's chat template writes the very tokens of training."""

import json

import pytest
from tokenizers import Tokenizer

from serving.models.chat_template import ChatTemplate, ChatTemplateError
from training.conversation import END, Message, assistant, encode_conversation, encode_prompt, encode_text, system, user
from training.export import CHAT_TEMPLATE, tokenizer_config

MESSAGES = [
    system("Be kind."),
    user("Hi  there!\n\n12 + 3?"),
    assistant("It is 15."),
    user(" Ünïcode 你好 "),
    assistant("Yes\n"),
]


def test_only_the_assistants_words_and_their_end_are_learned(tokenizer: Tokenizer) -> None:
    tokens = encode_conversation(MESSAGES, tokenizer)
    learned = [token for token, is_learned in zip(tokens.ids, tokens.learned, strict=True) if is_learned]
    end = tokenizer.token_to_id(END)
    first, second = (tokenizer.encode(text, add_special_tokens=False).ids for text in ("It is 15.", "Yes\n"))
    assert learned == [*first, end, *second, end]


def test_learn_all_leaves_out_the_bos_alone(tokenizer: Tokenizer) -> None:
    assert encode_conversation(MESSAGES, tokenizer, learn_all=True).learned.count(False) == 1
    assert encode_text("Plain text.", tokenizer).learned.count(False) == 1


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


def test_content_parts_and_the_developer_role_are_read(tokenizer: Tokenizer, template: ChatTemplate) -> None:
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": " you"}]
    rendered = template.render([{"role": "developer", "content": "Be kind."}, {"role": "user", "content": parts}])
    expected = encode_prompt([Message("system", "Be kind."), user("Hi you")], tokenizer)
    assert tokenizer.encode(rendered, add_special_tokens=False).ids == expected


def test_an_unknown_role_is_refused_by_name(template: ChatTemplate) -> None:
    with pytest.raises(ChatTemplateError, match="narrator"):
        template.render([{"role": "narrator", "content": "Once upon a time"}])
