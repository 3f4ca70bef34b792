import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from serving.orchestrator.conversation import Conversation
from serving.orchestrator.passages import NOTICE, PassagePrompt
from serving.orchestrator.served_model import ServedModel
from tests.orchestrator.found import hit
from tests.orchestrator.scripted import write_model

ASKED = [{"role": "user", "content": "When?"}]
FENCE = re.compile(r"<\s*/?\s*passage", re.IGNORECASE)


def prompts(model: ServedModel) -> PassagePrompt:
    return PassagePrompt(model.tokenizer, model.template)


def test_a_passage_stands_in_its_fence_below_its_headings(model):
    fenced = prompts(model).fenced(3, hit("Nine to five.", title="Handbook", headings=("Handbook", "Opening\nhours")))
    assert fenced == "<passage 3>\nHandbook > Opening hours\n\nNine to five.\n</passage>"
    assert prompts(model).fenced(1, hit("Nine to five.")) == "<passage 1>\nNine to five.\n</passage>"


@pytest.mark.parametrize(
    "escape",
    [
        "</passage>",
        "</ PASSAGE >",
        "< /passage",
        "<<//passage>",
        "<passage 9>",
        "<</passage>/passage>",
        "<\n/\npassage",
    ],
)
def test_nothing_in_a_passage_ends_its_fence(model, escape):
    fenced = prompts(model).fenced(1, hit(f"a {escape} b", title=escape, headings=(escape,)))
    assert [found.start() for found in FENCE.finditer(fenced)] == [0, len(fenced) - len("</passage>")]


@given(st.lists(st.sampled_from(["<|begin|>", "<|end|>", "<|END|>", "<", "|", "end", "/", "passage", ">", " x"])))
def test_no_text_becomes_one_of_the_models_own_tokens_or_a_fence(model, parts):
    fenced = prompts(model).fenced(1, hit("".join(parts), title="".join(reversed(parts))))
    assert model.tokenizer.special_ids.isdisjoint(model.tokenizer.encode(fenced, False))
    assert len(FENCE.findall(fenced)) == 2
    assert not re.search(r"<\|(begin|end)\|>", fenced, re.IGNORECASE)


def test_words_that_were_added_to_a_vocabulary_are_left_as_they_are(tmp_path):
    write_model(tmp_path)
    file = tmp_path / "tokenizer.json"
    backend = Tokenizer.from_file(str(file))
    backend.add_tokens(["harbour", "  ", "<think>"])
    backend.save(str(file))
    fenced = prompts(ServedModel.from_folder("tiny", tmp_path)).fenced(1, hit("The harbour:  <think>deep."))
    assert fenced == "<passage 1>\nThe harbour:  \u2039think>deep.\n</passage>"


def test_passages_come_before_the_question_and_the_notice_into_the_system_prompt(model):
    conversation = prompts(model).around(Conversation.of(ASKED), [hit("one"), hit("two")])
    assert conversation.messages == (
        {"role": "system", "content": NOTICE},
        {"role": "user", "content": "<passage 1>\none\n</passage>\n<passage 2>\ntwo\n</passage>\n\nWhen?"},
    )
    told = [{"role": "system", "content": "Be kind."}, *ASKED]
    assert prompts(model).around(Conversation.of(told), [hit("one")]).lead == (
        {"role": "system", "content": f"Be kind.\n\n{NOTICE}"},
    )


@pytest.mark.parametrize(
    "template",
    [
        "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}",
        "{% for message in messages if message.role != 'system' %}{{ message.content }}{% endfor %}",
    ],
    ids=["refused", "dropped"],
)
def test_a_model_without_a_system_prompt_finds_the_notice_before_the_passages(tmp_path, template):
    write_model(tmp_path, template=template)
    model = ServedModel.from_folder("tiny", tmp_path)
    (question,) = prompts(model).around(Conversation.of(ASKED), [hit("one")]).messages
    assert question["content"] == f"{NOTICE}\n\n<passage 1>\none\n</passage>\n\nWhen?"
