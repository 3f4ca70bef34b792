"""From a Hugging Face config.json to a DecoderConfig: one small function a family.

`docs/model-families.md` says how to add one. Keys and their defaults are those that `transformers` gives each family's
configuration.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, get_args

from serving.models.config import Activation, DecoderConfig, ExpertsConfig, Quantisation, UnsupportedModelError
from serving.models.fields import Fields
from serving.models.rope_fields import read_rope, rope_section

ACTIVATIONS: dict[str, Activation] = {"silu": "silu", "gelu_pytorch_tanh": "gelu_tanh"}
QUANTISATION, QUANT_METHOD = "quantization_config", "qwix"
SLIDING, FULL = "sliding_attention", "full_attention"


def read_config(config: dict[str, Any]) -> DecoderConfig:
    """Reads a parsed config.json. Raises UnsupportedModelError, which names the field and what is accepted."""
    architecture = (config.get("architectures") or ["(none named)"])[0]
    if architecture not in FAMILIES:
        raise UnsupportedModelError(
            f"config.json: architecture is {architecture}; accepted are {', '.join(SUPPORTED_ARCHITECTURES)}"
        )
    fields, quantised = _without_own_quantisation(Fields(config))
    return replace(FAMILIES[architecture](fields), quantised=quantised)


def _without_own_quantisation(fields: Fields) -> tuple[Fields, Quantisation | None]:
    """The fields without what `serving.models.quantised` says of weights that it wrote, and that."""
    section = fields.within(QUANTISATION)
    if section.get("quant_method") != QUANT_METHOD:
        return fields, None
    if section.get("weights") not in get_args(Quantisation):
        raise section.refusal("weights", " or ".join(get_args(Quantisation)))
    return fields.without(QUANTISATION), section.get("weights")


def _decoder(fields: Fields) -> DecoderConfig:
    """What all families write alike, which is all of Llama."""
    _refuse_quantised(fields)
    heads, hidden_size = fields.count("num_attention_heads"), fields.count("hidden_size")
    bias = fields.flag("attention_bias", False)
    key = "hidden_act" if fields.get("hidden_activation") is None else "hidden_activation"
    activation = fields.get(key, "silu")
    if activation not in ACTIVATIONS:
        raise fields.refusal(key, " or ".join(map(repr, ACTIVATIONS)))
    return DecoderConfig(
        vocab_size=fields.count("vocab_size"),
        hidden_size=hidden_size,
        layers=fields.count("num_hidden_layers"),
        heads=heads,
        kv_heads=fields.count("num_key_value_heads", heads),
        head_dim=fields.count("head_dim", hidden_size // heads),
        mlp_size=fields.count("intermediate_size"),
        max_position=fields.count("max_position_embeddings", 2048),
        norm_eps=fields.number("rms_norm_eps", 1e-6),
        rope=read_rope(fields, rope_section(fields), fields.number("rope_theta", 10_000.0)),
        tied_embeddings=fields.flag("tie_word_embeddings", False),
        attention_bias=bias,
        attention_out_bias=bias,
        mlp_bias=fields.flag("mlp_bias", False),
        activation=ACTIVATIONS[activation],
    )


def _refuse_quantised(fields: Fields) -> None:
    if fields.get(QUANTISATION):
        raise UnsupportedModelError(
            "config.json: quantization_config is set; accepted are unquantised weights and those that "
            "`tradewind convert --quantise` wrote"
        )


def _sliding(fields: Fields, slides: Callable[[int], bool]) -> tuple[bool, ...]:
    """Which layers have a window: those that the file's `layer_types` name, else those that `slides` says."""
    layers = range(fields.count("num_hidden_layers"))
    kinds = fields.get("layer_types") or [SLIDING if slides(layer) else FULL for layer in layers]
    if not isinstance(kinds, list) or not all(kind in (SLIDING, FULL) for kind in kinds):
        raise fields.refusal("layer_types", f"a list of {SLIDING} and {FULL}")
    return tuple(kind == SLIDING for kind in kinds)


def _windows(fields: Fields, sliding: tuple[bool, ...]) -> tuple[int | None, ...]:
    """The window of every layer; empty where none has one that is shorter than the model's context."""
    window = fields.optional_count("sliding_window")
    if window is None or window >= fields.count("max_position_embeddings", 2048) or not any(sliding):
        return ()
    return tuple(window if slides else None for slides in sliding)


def llama(fields: Fields) -> DecoderConfig:
    """Llama 2 and 3, SmolLM and SmolLM2 (arXiv 2307.09288, 2407.21783)."""
    return _decoder(fields)


def smollm3(fields: Fields) -> DecoderConfig:
    """SmolLM3: every fourth layer goes without rotation."""
    config = _decoder(fields.with_defaults(rope_theta=2_000_000.0, tie_word_embeddings=True))
    interval = fields.count("no_rope_layer_interval", 4)
    turns = fields.get("no_rope_layers") or [(layer + 1) % interval != 0 for layer in range(config.layers)]
    if not isinstance(turns, list):
        raise fields.refusal("no_rope_layers", "a list with 0 for each layer that does not turn, 1 for each that does")
    ropes = tuple(config.rope if turn else None for turn in turns)
    slides = fields.flag("use_sliding_window", False)
    windows = _windows(fields, _sliding(fields, lambda layer: not turns[layer])) if slides else ()
    return replace(config, ropes=ropes, windows=windows)


def mistral(fields: Fields) -> DecoderConfig:
    """Mistral 7B: a sliding window in every layer, where the file sets one (arXiv 2310.06825)."""
    return _always_sliding(fields.with_defaults(sliding_window=4096, max_position_embeddings=131_072))


def _always_sliding(fields: Fields) -> DecoderConfig:
    config = _decoder(fields)
    return replace(config, windows=_windows(fields, (True,) * config.layers))


def mixtral(fields: Fields) -> DecoderConfig:
    """Mixtral: Mistral with experts (arXiv 2401.04088)."""
    fields = fields.with_defaults(max_position_embeddings=131_072, rms_norm_eps=1e-5, rope_theta=1_000_000.0)
    config = _always_sliding(fields)
    experts = ExpertsConfig(
        count=fields.count("num_local_experts", 8),
        per_token=fields.count("num_experts_per_tok", 2),
        mlp_size=config.mlp_size,
        normalised=True,
        stored_as="mixtral",
    )
    return replace(config, experts=experts)


def qwen2(fields: Fields) -> DecoderConfig:
    """Qwen 2 and 2.5: biases on query, key and value (arXiv 2407.10671, 2412.15115)."""
    return replace(_qwen(fields), attention_bias=True, attention_out_bias=False)


def qwen3(fields: Fields) -> DecoderConfig:
    """Qwen 3: norms on every head's query and key (arXiv 2505.09388)."""
    return replace(_qwen(fields.with_defaults(head_dim=128)), query_key_norm="per_head")


def _qwen(fields: Fields) -> DecoderConfig:
    """The layers from `max_window_layers` on may have a window."""
    fields = fields.with_defaults(sliding_window=4096, max_position_embeddings=32_768)
    first = fields.count("max_window_layers", 28, least=0)
    slides = fields.flag("use_sliding_window", False)
    windows = _windows(fields, _sliding(fields, lambda layer: layer >= first)) if slides else ()
    return replace(_decoder(fields), windows=windows)


def qwen3_moe(fields: Fields) -> DecoderConfig:
    """Qwen3-MoE: Qwen 3 with experts in every layer, and a window in every layer or in none."""
    fields.accept("mlp_only_layers", [])
    fields.accept("decoder_sparse_step", 1)
    experts = ExpertsConfig(
        count=fields.count("num_experts", fields.optional_count("num_local_experts") or 128),
        per_token=fields.count("num_experts_per_tok", 8),
        mlp_size=fields.count("moe_intermediate_size", 768),
        normalised=fields.flag("norm_topk_prob", False),
    )
    fields = fields.without("layer_types").without("max_window_layers").with_defaults(max_window_layers=0)
    return replace(qwen3(fields), experts=experts)


def phi3(fields: Fields) -> DecoderConfig:
    """Phi-3, Phi-3.5-mini and Phi-4: fused projections, LongRoPE in the long-context ones (arXiv 2404.14219)."""
    fields = fields.with_defaults(
        max_position_embeddings=4096, original_max_position_embeddings=4096, rms_norm_eps=1e-5
    )
    return replace(_always_sliding(fields), fused_projections=True)


def olmo2(fields: Fields) -> DecoderConfig:
    """OLMo 2: norms after attention and MLP, and over all heads' queries and keys (arXiv 2501.00656)."""
    return replace(_decoder(fields.with_defaults(rms_norm_eps=1e-5)), norms="after", query_key_norm="all_heads")


def gemma2(fields: Fields) -> DecoderConfig:
    """Gemma 2: soft caps, a window in every other layer, norms around attention and MLP (arXiv 2408.00118)."""
    fields = fields.with_defaults(
        sliding_window=4096,
        max_position_embeddings=8192,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
    )
    return replace(_gemma(fields), windows=_windows(fields, _sliding(fields, lambda layer: layer % 2 == 0)))


def gemma3(fields: Fields) -> DecoderConfig:
    """Gemma 3, text: five layers with a window and a rope of their own to one without (arXiv 2503.19786)."""
    fields = fields.with_defaults(sliding_window=4096, max_position_embeddings=131_072, rope_theta=1_000_000.0)
    pattern = fields.count("sliding_window_pattern", 6)
    sliding = _sliding(fields, lambda layer: (layer + 1) % pattern != 0)
    by_kind = fields.within("rope_parameters")
    local = read_rope(fields, by_kind.within(SLIDING), fields.number("rope_local_base_freq", 10_000.0))
    whole = by_kind.within(FULL) if by_kind.values else fields.within("rope_scaling")
    config = replace(_gemma(fields), rope=read_rope(fields, whole, fields.number("rope_theta")))
    ropes = tuple(local if slides else config.rope for slides in sliding)
    return replace(config, query_key_norm="per_head", windows=_windows(fields, sliding), ropes=ropes)


def _gemma(fields: Fields) -> DecoderConfig:
    """What Gemma 2 and 3 share."""
    fields.accept("use_bidirectional_attention", False)
    config = _decoder(
        fields.with_defaults(hidden_activation="gelu_pytorch_tanh", head_dim=256, tie_word_embeddings=True)
    )
    return replace(
        config,
        norms="around",
        norm_offset=1.0,
        embedding_scale=config.hidden_size**0.5,
        attention_scale=fields.number("query_pre_attn_scalar", 256.0) ** -0.5,
        attention_soft_cap=fields.optional_number("attn_logit_softcapping"),
        logit_soft_cap=fields.optional_number("final_logit_softcapping"),
    )


def gemma3_with_images(fields: Fields) -> DecoderConfig:
    """The text half of Gemma 3's larger models, whose files leave out what is as in Gemma 3 4B."""
    _refuse_quantised(fields)
    return gemma3(
        fields.within("text_config").with_defaults(
            vocab_size=262_208, num_attention_heads=8, num_key_value_heads=4, head_dim=256
        )
    )


def gpt_oss(fields: Fields) -> DecoderConfig:
    """gpt-oss: experts with biases, attention sinks, a window in every other layer (arXiv 2508.10925)."""
    fields.accept("swiglu_limit", 7.0)
    fields.accept("swiglu_alpha", 1.702)
    fields = fields.with_defaults(
        sliding_window=128,
        max_position_embeddings=131_072,
        rms_norm_eps=1e-5,
        rope_theta=150_000.0,
        head_dim=64,
        attention_bias=True,
    )
    quantisation = fields.within(QUANTISATION)
    if quantisation.values:
        quantisation.with_defaults(quant_method="unnamed").accept("quant_method", "mxfp4")
    experts = ExpertsConfig(
        count=fields.count("num_local_experts", 128),
        per_token=fields.count("num_experts_per_tok", 4),
        mlp_size=fields.count("intermediate_size"),
        normalised=True,
        biased=True,
        stored_as="mxfp4" if quantisation.values else "fused",
    )
    return replace(
        _decoder(fields.without(QUANTISATION)),
        activation="clamped_swiglu",
        attention_sinks=True,
        windows=_windows(fields, _sliding(fields, lambda layer: layer % 2 == 0)),
        experts=experts,
    )


FAMILIES: dict[str, Callable[[Fields], DecoderConfig]] = {
    "LlamaForCausalLM": llama,
    "MistralForCausalLM": mistral,
    "MixtralForCausalLM": mixtral,
    "Qwen2ForCausalLM": qwen2,
    "Qwen3ForCausalLM": qwen3,
    "Qwen3MoeForCausalLM": qwen3_moe,
    "Gemma2ForCausalLM": gemma2,
    "Gemma3ForCausalLM": gemma3,
    "Gemma3ForConditionalGeneration": gemma3_with_images,
    "Phi3ForCausalLM": phi3,
    "SmolLM3ForCausalLM": smollm3,
    "Olmo2ForCausalLM": olmo2,
    "GptOssForCausalLM": gpt_oss,
}
SUPPORTED_ARCHITECTURES = tuple(FAMILIES)
