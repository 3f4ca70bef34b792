"""Which tokens have a role, and which ids end a reply."""

import json

import pytest

from serving.models.folder import ModelFolderError
from serving.models.special_tokens import eos_token_ids, special_tokens


@pytest.fixture
def write(tmp_path):
    def write_file(name: str, content: object) -> None:
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

    return write_file


def test_tokens_are_strings_or_objects_and_nothing_else_counts(tmp_path, write):
    write("special_tokens_map", {"bos_token": "<a>", "pad_token": {"content": "<pad>", "lstrip": False}})
    write("tokenizer_config", {"bos_token": {"content": "<s>"}, "eos_token": None, "add_bos_token": True})
    assert special_tokens(tmp_path) == {"bos_token": "<s>", "pad_token": "<pad>"}


@pytest.mark.parametrize(
    ("generation_config", "ids"),
    [({"eos_token_id": 2}, (2,)), ({"eos_token_id": [3, 5]}, (3, 5)), ({"eos_token_id": None}, (7,)), ({}, (7,))],
)
def test_generation_config_says_what_ends_a_reply_and_config_where_it_says_nothing(
    tmp_path, write, generation_config, ids
):
    write("config", {"eos_token_id": 7})
    write("generation_config", generation_config)
    assert eos_token_ids(tmp_path) == ids


def test_the_tokenizer_s_own_end_of_sequence_always_counts(tmp_path, write):
    write("config", {"eos_token_id": 7})
    write("tokenizer_config", {"eos_token": "<|im_end|>"})
    write("tokenizer", {"added_tokens": [{"id": 1, "content": "<s>"}, {"id": 9, "content": "<|im_end|>"}]})
    assert eos_token_ids(tmp_path) == (7, 9)
    write("config", {"eos_token_id": 9})
    assert eos_token_ids(tmp_path) == (9,)


def test_a_model_without_one_has_none(tmp_path):
    assert eos_token_ids(tmp_path) == ()


@pytest.mark.parametrize("value", ["</s>", [1, "</s>"], True, -1])
def test_a_wrong_id_is_named_with_its_file(tmp_path, write, value):
    write("config", {"eos_token_id": value})
    with pytest.raises(ModelFolderError, match="config.json: eos_token_id is .*accepted is a token id or a list"):
        eos_token_ids(tmp_path)
