"""What config.json and sentence-transformers' files say of an encoder, and what is said where they ask for too much."""

import dataclasses
import json

import pytest

from serving.models.config import UnsupportedModelError
from serving.models.encoder_config import EncoderConfig
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.folder import ModelFolderError

BERT = {
    "model_type": "bert",
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
ENCODER = EncoderConfig.from_json(BERT)
TRANSFORMER = {"type": "sentence_transformers.models.Transformer", "path": ""}
POOLING = {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}
NORMALIZE = {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}


def write(folder, **files):
    """Files by name; `__` stands for a folder's end, and `.json` is added."""
    for name, content in files.items():
        path = folder / (name.replace("__", "/") + ".json")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def test_bert_s_fields_and_defaults():
    assert (ENCODER.head_dim, ENCODER.max_tokens, ENCODER.token_types, ENCODER.layout) == (8, 64, 2, "bert")
    assert (ENCODER.norm_eps, ENCODER.activation) == (1e-12, "gelu")


def test_roberta_counts_positions_from_the_padding_token_on():
    config = EncoderConfig.from_json(BERT | {"model_type": "xlm-roberta", "pad_token_id": 1, "type_vocab_size": 1})
    assert (config.first_position, config.max_tokens, config.token_types) == (2, 62, 1)


def test_mpnet_has_distances_and_no_segments():
    config = EncoderConfig.from_json(BERT | {"model_type": "mpnet"})
    assert (config.relative_buckets, config.token_types, config.layout, config.max_tokens) == (32, 0, "mpnet", 62)


def test_distilbert_has_names_of_its_own():
    fields = {
        "vocab_size": 100,
        "dim": 32,
        "n_layers": 2,
        "n_heads": 4,
        "hidden_dim": 48,
        "max_position_embeddings": 64,
    }
    config = EncoderConfig.from_json(fields | {"model_type": "distilbert"})
    same = dataclasses.replace(ENCODER, token_types=0, layout="distilbert")
    assert config == same
    with pytest.raises(UnsupportedModelError, match="activation is 'silu'"):
        EncoderConfig.from_json(fields | {"model_type": "distilbert", "activation": "silu"})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"model_type": "t5"}, "model_type is 't5'; accepted is 'bert' or 'roberta' or 'xlm-roberta'"),
        ({"hidden_act": "silu"}, "hidden_act is 'silu'; accepted is 'gelu' or 'gelu_new'"),
        (
            {"position_embedding_type": "relative_key"},
            "position_embedding_type is 'relative_key'; accepted is 'absolute'",
        ),
        ({"is_decoder": True}, "is_decoder is True; accepted is False"),
        ({"num_attention_heads": 5}, r"hidden_size \(32\) is not a multiple of num_attention_heads \(5\)"),
        ({"intermediate_size": None}, "intermediate_size is missing"),
        ({"model_type": "mpnet", "relative_attention_num_buckets": 6}, "accepted is a multiple of 4"),
    ],
)
def test_what_is_not_supported_is_named(fields, message):
    with pytest.raises(UnsupportedModelError, match=f"config.json: .*{message}"):
        EncoderConfig.from_json(BERT | fields)


def test_a_folder_without_sentence_transformers_files_is_pooled_by_the_mean(tmp_path):
    assert EmbeddingRecipe.from_folder(tmp_path, ENCODER) == EmbeddingRecipe("mean", normalised=False, max_tokens=64)


def test_every_file_has_its_say(tmp_path):
    write(
        tmp_path,
        modules=[TRANSFORMER, POOLING, NORMALIZE],
        **{"1_Pooling__config": {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}},
        sentence_bert_config={"max_seq_length": 40, "do_lower_case": True},
        config_sentence_transformers={"prompts": {"query": "query: "}, "default_prompt_name": "query"},
    )
    recipe = EmbeddingRecipe.from_folder(tmp_path, ENCODER)
    assert recipe == EmbeddingRecipe("cls", normalised=True, max_tokens=40, prompt="query: ", lowercase=True)


@pytest.mark.parametrize(
    ("encoder", "tokenizer", "limit"),
    [(None, 50, 50), (None, 1e30, 64), (30, 50, 30), (500, None, 64), (None, None, 64)],
)
def test_the_limit_is_the_file_s_else_the_tokenizer_s_and_never_beyond_the_positions(
    tmp_path, encoder, tokenizer, limit
):
    write(tmp_path, sentence_bert_config={"max_seq_length": encoder}, tokenizer_config={"model_max_length": tokenizer})
    assert EmbeddingRecipe.from_folder(tmp_path, ENCODER).max_tokens == limit


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {"modules": [TRANSFORMER, POOLING, {"type": "x.Dense", "path": "2_Dense"}]},
            "lists Transformer, Pooling, Dense",
        ),
        ({"modules": [{**TRANSFORMER, "path": "0_Transformer"}, POOLING]}, "path is '0_Transformer'; accepted is ''"),
        ({"1_Pooling__config": {"pooling_mode_max_tokens": True}}, "1_Pooling/config.json: the pooling is 'max'"),
        ({"1_Pooling__config": {"pooling_mode": ["cls", "mean"]}}, r"the pooling is \['cls', 'mean'\]; accepted is"),
        ({"1_Pooling__config": {"pooling_mode": "mean", "include_prompt": False}}, "include_prompt is False"),
        ({"config_sentence_transformers": {"default_prompt_name": "q"}}, "default_prompt_name is 'q'; accepted is the"),
        ({"sentence_bert_config": {"max_seq_length": "long"}}, "sentence_bert_config.json: max_seq_length is 'long'"),
    ],
)
def test_a_recipe_that_is_not_supported_is_named_with_its_file(tmp_path, files, message):
    write(tmp_path, **{"modules": [TRANSFORMER, POOLING], "1_Pooling__config": {"pooling_mode": "mean"}} | files)
    with pytest.raises(UnsupportedModelError, match=message):
        EmbeddingRecipe.from_folder(tmp_path, ENCODER)


def test_a_list_of_modules_that_is_none_is_named(tmp_path):
    write(tmp_path, modules={"Transformer": 1})
    with pytest.raises(ModelFolderError, match="modules.json: needs a list of modules"):
        EmbeddingRecipe.from_folder(tmp_path, ENCODER)
