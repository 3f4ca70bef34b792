"""config.json as it is published, family by family, and what is refused."""

import pytest

from serving.models.config import AttentionSpec, DecoderConfig, ExpertsConfig, UnsupportedModelError
from serving.models.families import SUPPORTED_ARCHITECTURES
from serving.models.rope_config import LinearScaling, LongRopeScaling, RopeConfig, YarnScaling

SIZES = {
    "vocab_size": 32000,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "max_position_embeddings": 8192,
}


def read(architecture: str, **values: object) -> DecoderConfig:
    return DecoderConfig.from_json({"architectures": [architecture], **SIZES, **values})


def refusal(architecture: str = "LlamaForCausalLM", **values: object) -> str:
    with pytest.raises(UnsupportedModelError) as error:
        read(architecture, **values)
    return str(error.value)


def test_llama():
    config = read("LlamaForCausalLM", rope_theta=500000.0, num_key_value_heads=None, head_dim=None)
    assert (config.kv_heads, config.head_dim, config.rope.theta) == (8, 8, 500000.0)
    assert config.attention_spec(3) == AttentionSpec(scale=8**-0.5)
    assert not config.attention_bias and config.experts is None


@pytest.mark.parametrize(("window", "windows"), [(4096, (4096,) * 4), (None, ()), (8192, ())])
def test_mistrals_window_is_in_every_layer_or_in_none(window, windows):
    assert read("MistralForCausalLM", sliding_window=window).windows == windows


def test_mixtral():
    config = read("MixtralForCausalLM", num_local_experts=8, num_experts_per_tok=2, sliding_window=None)
    assert config.experts == ExpertsConfig(8, 2, 128, normalised=True, stored_as="mixtral")
    assert config.rope.theta == 1_000_000


def test_qwen2_has_biases_on_query_key_and_value_alone():
    config = read("Qwen2ForCausalLM", use_sliding_window=False, sliding_window=4096, max_window_layers=2)
    assert (config.attention_bias, config.attention_out_bias, config.windows) == (True, False, ())
    config = read("Qwen2ForCausalLM", use_sliding_window=True, sliding_window=4096, max_window_layers=3)
    assert config.windows == (None, None, None, 4096)


def test_qwen3_moe():
    config = read(
        "Qwen3MoeForCausalLM",
        head_dim=128,
        num_experts=16,
        num_experts_per_tok=4,
        moe_intermediate_size=96,
        norm_topk_prob=True,
        mlp_only_layers=[],
        decoder_sparse_step=1,
    )
    assert config.experts == ExpertsConfig(16, 4, 96, normalised=True)
    assert (config.query_key_norm, config.head_dim) == ("per_head", 128)


def test_gemma2():
    config = read("Gemma2ForCausalLM", head_dim=16, hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=144)
    assert config.windows == (4096, None, 4096, None)
    assert config.attention_spec(0) == AttentionSpec(scale=1 / 12, window=4096, soft_cap=50.0)
    assert (config.logit_soft_cap, config.embedding_scale, config.tied_embeddings) == (30.0, 8.0, True)


GEMMA3 = {"head_dim": 16, "sliding_window": 512, "sliding_window_pattern": 2}
GEMMA3_ROPES = (
    RopeConfig(10_000.0),
    RopeConfig(1_000_000.0, LinearScaling(8.0)),
) * 2


@pytest.mark.parametrize(
    "ropes",
    [
        {
            "rope_theta": 1_000_000,
            "rope_local_base_freq": 10_000,
            "rope_scaling": {"rope_type": "linear", "factor": 8.0},
        },
        {
            "rope_parameters": {
                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000},
                "sliding_attention": {"rope_type": "default", "rope_theta": 10_000},
            }
        },
        {"rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ],
)
def test_gemma3s_layers_have_windows_and_ropes_of_two_kinds(ropes):
    config = read("Gemma3ForCausalLM", **GEMMA3, **ropes)
    assert config.windows == (512, None, 512, None)
    assert config.ropes == GEMMA3_ROPES
    assert config.attention_spec(0).soft_cap is None


def test_a_window_as_long_as_the_context_leaves_gemma3_its_ropes():
    config = read("Gemma3ForCausalLM", **{**GEMMA3, "sliding_window": 8192})
    assert config.windows == () and config.ropes[0].theta == 10_000


def test_gemma3s_text_half_leaves_out_what_is_usual():
    text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 6, "sliding_window": 1024}
    config = DecoderConfig.from_json({"architectures": ["Gemma3ForConditionalGeneration"], "text_config": text})
    assert (config.heads, config.kv_heads, config.head_dim, config.vocab_size) == (8, 4, 256, 262_208)
    assert config.windows == (1024,) * 5 + (None,)


def test_phi3s_long_rope():
    factors = {"short_factor": [1.0] * 3, "long_factor": [2.0] * 3, "type": "su"}
    config = read(
        "Phi3ForCausalLM",
        rope_scaling=factors,
        partial_rotary_factor=0.75,
        original_max_position_embeddings=4096,
        sliding_window=262144,
    )
    assert config.rope.scaling == LongRopeScaling((1.0,) * 3, (2.0,) * 3, 4096)
    assert config.rope.magnitude == pytest.approx((1 + 1 / 12) ** 0.5)  # twice the context: 1 + ln 2 / ln 4096
    assert config.fused_projections and config.windows == ()


def test_smollm3s_fourth_layer_does_not_turn():
    config = read("SmolLM3ForCausalLM", rope_theta=5_000_000.0)
    assert [rope and rope.theta for rope in config.ropes] == [5_000_000.0] * 3 + [None]
    assert read("SmolLM3ForCausalLM", no_rope_layers=[0, 1, 1, 0]).rope_of(0) is None


def test_olmo2():
    config = read("Olmo2ForCausalLM")
    assert (config.norms, config.query_key_norm) == ("after", "all_heads")


def test_gpt_oss():
    yarn = {"rope_type": "yarn", "factor": 32.0, "original_max_position_embeddings": 4096, "truncate": False}
    config = read(
        "GptOssForCausalLM",
        head_dim=64,
        num_local_experts=32,
        num_experts_per_tok=4,
        rope_theta=150000,
        rope_scaling={**yarn, "beta_fast": 32.0, "beta_slow": 1.0},
        swiglu_limit=7.0,
        sliding_window=128,
        quantization_config={"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]},
    )
    assert config.rope.scaling == YarnScaling(32.0, 4096, whole_pairs=False)
    assert config.rope.magnitude == pytest.approx(1.34657359)
    assert config.experts == ExpertsConfig(32, 4, 128, normalised=True, biased=True, stored_as="mxfp4")
    assert config.windows == (128, None, 128, None) and config.attention_sinks


def test_an_unknown_architecture_is_named_with_all_that_are_known():
    message = refusal("MambaForCausalLM")
    assert "architecture is MambaForCausalLM" in message
    assert all(known in message for known in SUPPORTED_ARCHITECTURES)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hidden_size": None}, "config.json: hidden_size is missing"),
        ({"num_hidden_layers": "4"}, "num_hidden_layers is '4'; accepted is a whole number from 1"),
        ({"rms_norm_eps": -1}, "rms_norm_eps is -1; accepted is a number above 0"),
        ({"attention_bias": 1}, "attention_bias is 1; accepted is true or false"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; accepted is 'silu' or 'gelu_pytorch_tanh'"),
        ({"num_key_value_heads": 3}, "num_attention_heads (8) is not a multiple of num_key_value_heads (3)"),
        ({"head_dim": 15}, "15 channels of a head turn"),
        ({"quantization_config": {"quant_method": "awq"}}, "accepted are unquantised weights"),
        ({"rope_scaling": {"type": "dynamic", "factor": 2.0}}, "rope_scaling.type is 'dynamic'; accepted is default"),
        ({"rope_scaling": {"type": "linear"}}, "rope_scaling.factor is missing"),
        ({"rope_scaling": [8]}, "rope_scaling is [8]; accepted is an object"),
        (
            {"rope_parameters": {"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0]}},
            "rope_parameters.short_factor is [1.0]; accepted is a list of 4 numbers",
        ),
    ],
)
def test_what_cannot_be_read_names_the_field_and_what_is_accepted(values, message):
    assert message in refusal(**values)


@pytest.mark.parametrize(
    ("architecture", "values", "message"),
    [
        ("Qwen3MoeForCausalLM", {"mlp_only_layers": [0]}, "mlp_only_layers is [0]; accepted is []"),
        ("Qwen3MoeForCausalLM", {"num_experts": 4}, "num_experts_per_tok (8) is more than there are experts (4)"),
        ("Gemma3ForCausalLM", {"use_bidirectional_attention": True}, "accepted is False"),
        ("Gemma2ForCausalLM", {"layer_types": ["linear_attention"] * 4}, "a list of sliding_attention and full"),
        (
            "Gemma2ForCausalLM",
            {"layer_types": ["full_attention", "sliding_attention"]},
            "2 layers are told their window",
        ),
        ("GptOssForCausalLM", {"quantization_config": {"quant_method": "awq"}}, "accepted is 'mxfp4'"),
        ("GptOssForCausalLM", {"swiglu_limit": 10.0}, "swiglu_limit is 10.0; accepted is 7.0"),
    ],
)
def test_what_a_family_cannot_do_is_refused(architecture, values, message):
    assert message in refusal(architecture, **values)
