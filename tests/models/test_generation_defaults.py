"""generation_config.json: what is read, what is neutral, and what is refused."""

import json

import pytest

from serving.models.folder import ModelFolderError
from serving.models.generation_defaults import GenerationDefaults


def test_a_model_that_says_nothing_gets_neutral_values(tmp_path):
    defaults = GenerationDefaults.from_folder(tmp_path)
    assert defaults == GenerationDefaults()
    assert (defaults.temperature, defaults.top_p, defaults.top_k, defaults.max_tokens) == (1.0, 1.0, 0, None)


def test_what_the_authors_chose_is_read(tmp_path):
    chosen = {"temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.05, "repetition_penalty": 1.1}
    content = {
        **chosen,
        "max_new_tokens": 256,
        "eos_token_id": [3, 5],
        "transformers_version": "5.0",
        "do_sample": True,
    }
    (tmp_path / "generation_config.json").write_text(json.dumps(content))
    expected = GenerationDefaults(**chosen, max_tokens=256, eos_token_ids=(3, 5))
    assert GenerationDefaults.from_folder(tmp_path) == expected


def test_null_and_minus_one_mean_off(tmp_path):
    (tmp_path / "generation_config.json").write_text('{"temperature": null, "top_k": -1, "max_new_tokens": null}')
    assert GenerationDefaults.from_folder(tmp_path) == GenerationDefaults()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"temperature": "hot"}', "temperature is 'hot'; accepted is a number from 0 to 100"),
        ('{"top_p": 1.5}', "top_p is 1.5; accepted is a number from 0 to 1"),
        ('{"top_k": true}', "top_k is True"),
        ('{"top_k": 2.5}', "top_k is 2.5; accepted is a whole number"),
        ("[1]", "holds a list; accepted is a JSON object"),
        ("{", "cannot be read as JSON"),
    ],
)
def test_a_wrong_value_is_named_with_its_file_and_what_is_accepted(tmp_path, content, message):
    (tmp_path / "generation_config.json").write_text(content)
    with pytest.raises(ModelFolderError, match=message) as error:
        GenerationDefaults.from_folder(tmp_path)
    assert str(tmp_path / "generation_config.json") in str(error.value)
