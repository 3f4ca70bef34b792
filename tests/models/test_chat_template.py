"""Chat templates: the functions that models' templates use, continued messages, refusals, and an end to everything."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from serving.models.chat_template import ChatTemplate, ChatTemplateError
from serving.models.folder import ModelFolderError

CHATML = """\
{{- bos_token }}
{%- for message in messages %}
    {%- if message.role not in ["system", "user", "assistant"] %}
        {{- raise_exception("Unknown role: " + message.role) }}
    {%- endif %}
    {{- "<|im_start|>" + message.role + "\\n" + message.content | trim + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|im_start|>assistant\\n" }}
{%- endif %}
"""
USER = {"role": "user", "content": "Which way does it blow?"}
SYSTEM = {"role": "system", "content": "You are a sailor."}


def template(source: str = CHATML, **special_tokens: str) -> ChatTemplate:
    return ChatTemplate({"default": source}, special_tokens, now=lambda: datetime(2026, 3, 4, 5, 6))


def test_turns_are_written_as_the_model_was_trained_on_them():
    assert template(bos_token="<s>").render([SYSTEM, USER]) == (
        "<s><|im_start|>system\nYou are a sailor.<|im_end|>\n"
        "<|im_start|>user\nWhich way does it blow?<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    assert template().render([USER], add_generation_prompt=False).endswith("blow?<|im_end|>\n")


def test_a_final_message_is_left_open_with_the_spaces_that_it_ends_in():
    reply = {"role": "assistant", "content": "From the "}
    prompt = template().render([USER, reply], add_generation_prompt=False, continue_final_message=True)
    assert prompt.endswith("<|im_start|>assistant\nFrom the ")


def test_a_final_message_in_parts_is_left_open():
    reply = {"role": "assistant", "content": [{"type": "text", "text": "From "}, {"type": "text", "text": "the"}]}
    source = "{% for m in messages %}<{% for part in m.content %}{{ part.text }}{% endfor %}>{% endfor %}"
    assert template(source).render([reply], add_generation_prompt=False, continue_final_message=True) == "<From the"


@pytest.mark.parametrize(
    ("messages", "source", "arguments", "message"),
    [
        ([USER], CHATML, {"add_generation_prompt": True}, "exclude each other"),
        ([], CHATML, {}, "needs a message"),
        ([{"role": "assistant", "content": None}], CHATML, {}, "content ends in text"),
        ([USER], "nothing", {}, "leaves out the last message"),
    ],
)
def test_a_message_that_cannot_be_continued_is_refused(messages, source, arguments, message):
    with pytest.raises(ChatTemplateError, match=message):
        template(source).render(messages, **{"add_generation_prompt": False, **arguments}, continue_final_message=True)


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        ('{{ {"name": "café <b>", "n": [1, 2]} | tojson }}', '{"name": "café <b>", "n": [1, 2]}'),
        ('{{ {"b": 1, "a": 2} | tojson(indent=1, sort_keys=true) }}', '{\n "a": 2,\n "b": 1\n}'),
        ("{{ strftime_now('%d %b %Y') }}", "04 Mar 2026"),
        (
            "{% for c in 'abc' %}{% if c == 'b' %}{% continue %}{% endif %}{{ c }}{% break %}{% endfor %}",
            "a",
        ),
        ("{% for i in range(6) if i % 2 %}{{ i }}{{ '' if loop.last else '-' }}{% endfor %}", "1-3-5"),
        ("{% generation %}{{ messages[0].role }}{% endgeneration %}!", "user!"),
        ("{% macro turn(m) %}[{{ m.role ~ ':' ~ 1 }}]{% endmacro %}{{ turn(messages[0]) }}", "[user:1]"),
        ("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}", "1"),
        ("  {% if true %}\n  x\n  {% endif %}\ny", "  x\ny"),
        ("{{ mood }}", "calm"),
        ("{{ tools is none }}{{ documents is none }}", "TrueTrue"),
        ("{{ '-' * 3 }}{{ 2 ** 3 }}{{ [1] + [2] }}", "---8[1, 2]"),
    ],
)
def test_templates_find_what_transformers_gives_them(source, prompt):
    assert template(source).render([USER], mood="calm") == prompt


def test_a_template_for_tools_is_taken_where_there_are_tools():
    both = ChatTemplate({"default": "plain", "tool_use": "tools: {{ tools[0].name }}"})
    assert both.render([USER]) == "plain"
    assert both.render([USER], tools=[{"name": "wind"}]) == "tools: wind"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (CHATML, "refused the messages: Unknown role: pirate"),
        ("{{ messages[0].content.parts.first }}", "refused the messages: .*has no attribute 'parts'"),
        ("{{ messages.append(1) }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ nothing | tojson }}", "Undefined is not JSON serializable"),
    ],
)
def test_what_a_template_cannot_do_is_an_error_for_people(source, message):
    with pytest.raises(ChatTemplateError, match=message):
        template(source).render([{"role": "pirate", "content": "Arr"}])


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% for i in range(90000) %}{% for j in range(90000) %}{% endfor %}{% endfor %}",
        "{% set r = range(90000) %}{% for i in r %}{% for j in r if false %}{% endfor %}{% endfor %}",
        "{% for i in range(90000) %}{{ range(90000) | list | length }}{% endfor %}",
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% for m in messages recursive %}{{ loop(messages) }}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x='ab') %}{% for i in range(99) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{% for i in range(9000) %}{{ 'a' * 9000 }}{% endfor %}",
        "{{ 'a' * 10 ** 10 }}",
        "{{ 9 ** 99999999 }}",
    ],
)
def test_a_template_without_end_is_stopped(source):
    with pytest.raises(ChatTemplateError, match="loop turns|characters|power|recursion|Range too big"):
        template(source).render([USER])


def test_the_budget_is_for_one_render():
    long = template("{% for i in range(90000) %}{% endfor %}{{ messages | length }}")
    assert [long.render([USER]) for _ in range(2)] == ["1"] * 2


# --- folders ---


def write(folder: Path, name: str, content: object) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content))


def test_a_folder_without_a_template_has_none(tmp_path):
    assert ChatTemplate.from_folder(tmp_path) is None
    write(tmp_path, "tokenizer_config.json", {"bos_token": "<s>"})
    assert ChatTemplate.from_folder(tmp_path) is None


def test_a_folder_s_own_file_wins_over_the_tokenizer_s_configuration(tmp_path):
    write(tmp_path, "tokenizer_config.json", {"bos_token": "<s>", "chat_template": "{{ bos_token }} old"})
    assert ChatTemplate.from_folder(tmp_path).render([USER]) == "<s> old"
    write(tmp_path, "chat_template.jinja", "{{ bos_token }} new")
    write(tmp_path, "additional_chat_templates/tool_use.jinja", "tools")
    folder = ChatTemplate.from_folder(tmp_path)
    assert folder.source == "{{ bos_token }} new"
    assert folder.render([USER]) == "<s> new"
    assert folder.render([USER], tools=[{"name": "wind"}]) == "tools"


def test_named_templates_are_read_from_a_list(tmp_path):
    named = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]
    write(tmp_path, "tokenizer_config.json", {"chat_template": named})
    assert ChatTemplate.from_folder(tmp_path).render([USER], tools=[{}]) == "tools"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% for %}", "not valid Jinja: line 1"),
        (7, "chat_template is neither a string nor a list"),
        ([{"name": "rag", "template": "x"}], "no chat template is named default, only rag"),
    ],
)
def test_a_damaged_template_names_the_folder_and_what_is_wrong(tmp_path, template, message):
    write(tmp_path, "tokenizer_config.json", {"chat_template": template})
    with pytest.raises(ModelFolderError, match=message) as error:
        ChatTemplate.from_folder(tmp_path)
    assert str(tmp_path) in str(error.value)
