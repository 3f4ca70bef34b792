"""The exported folder is what serving loads: same logits, same tokens, same defaults."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from tokenizers import Tokenizer

from serving.models import checkpoint
from serving.models.config import DecoderConfig
from serving.models.generation_defaults import GenerationDefaults
from serving.models.tokenizer import Tokenizer as ServingTokenizer
from training.attention import packed_attention
from training.conversation import END, encode_prompt, user
from training.export import SERVING_DEFAULTS, export
from training.generate import Sampling, generate
from training.step import decoder_from, initial_params


@pytest.fixture(scope="module")
def model(recipe):
    config = recipe.model.decoder_config()
    # bfloat16 values in float32, so that the export's rounding changes nothing
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(jnp.float32), initial_params(config, 7))
    return params, config


@pytest.fixture(scope="module")
def folder(model, tokenizer: Tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model"
    export(*model, tokenizer, path)
    return path


@nnx.jit
def logits(decoder, tokens):
    places = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
    return decoder.logits(decoder(tokens, places, packed_attention(jnp.ones_like(tokens)), None)[0])


def test_serving_loads_the_folder_with_identical_logits(model, folder) -> None:
    params, config = model
    loaded_config = DecoderConfig.from_folder(folder)
    assert loaded_config == config
    tokens = jnp.asarray(np.random.default_rng(0).integers(0, config.vocab_size, size=(2, 32)))
    loaded = checkpoint.load(folder, loaded_config, jnp.float32)
    np.testing.assert_array_equal(logits(loaded, tokens), logits(decoder_from(params, config), tokens))


def test_serving_reads_the_tokenizer_and_the_defaults(folder, tokenizer: Tokenizer) -> None:
    served = ServingTokenizer.from_folder(folder)
    assert served.encode("Hello, 42!") == tokenizer.encode("Hello, 42!").ids
    assert served.eos_token == END
    defaults = GenerationDefaults.from_folder(folder)
    assert (defaults.temperature, defaults.top_p) == (SERVING_DEFAULTS.temperature, SERVING_DEFAULTS.top_p)
    assert defaults.max_tokens == SERVING_DEFAULTS.max_new_tokens
    assert tuple(defaults.eos_token_ids) == (tokenizer.token_to_id(END),)


def test_the_configuration_names_a_plain_llama(folder) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["rope_theta"] == 10_000.0


def test_cached_generation_is_greedy_decoding_of_the_whole_sequence(model, tokenizer: Tokenizer) -> None:
    params, config = model
    prompts = [encode_prompt([user(text)], tokenizer) for text in ("Hi", "What is your name?")]
    greedy = Sampling(temperature=0.0, repetition_penalty=1.0, max_new_tokens=6)
    replies = generate(params, config, prompts, greedy, end_token=-1)
    decoder = decoder_from(params, config)
    for prompt, reply in zip(prompts, replies, strict=True):
        assert len(reply) == 6
        scores = logits(decoder, jnp.asarray([prompt + reply]))[0, len(prompt) - 1 : -1]
        chosen = np.take_along_axis(np.asarray(scores), np.array(reply)[:, None], axis=1)[:, 0]
        np.testing.assert_allclose(chosen, scores.max(axis=1), atol=1e-4)


def test_a_prompt_without_room_for_the_reply_is_refused(model) -> None:
    params, config = model
    with pytest.raises(ValueError, match="context holds 128"):
        generate(params, config, [[5] * 100], Sampling(max_new_tokens=50), end_token=2)
