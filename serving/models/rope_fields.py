"""The rotary embedding of a config.json: `rope_scaling`, or the newer `rope_parameters` that holds its theta too."""

import math
from collections.abc import Callable

from serving.models.fields import Fields
from serving.models.rope_config import (
    LinearScaling,
    Llama3Scaling,
    LongRopeScaling,
    RopeConfig,
    Scaling,
    YarnScaling,
)


def rope_section(fields: Fields) -> Fields:
    """Where a file says how positions are stretched; empty where it does not."""
    newer = fields.within("rope_parameters")
    return newer if newer.values else fields.within("rope_scaling")


def read_rope(fields: Fields, section: Fields, theta: float) -> RopeConfig:
    """The rope that `section` of the file describes; `theta` holds where the section has none.

    Raises UnsupportedModelError, for `dynamic` among others: its frequencies hang on each request's length, and keys
    are cached as they were turned.
    """
    kind = section.get("rope_type") or section.get("type", "default")
    if kind not in READERS:
        raise section.refusal("rope_type" if section.get("rope_type") else "type", " or ".join(SUPPORTED_ROPE_TYPES))
    share = section.number("partial_rotary_factor", fields.number("partial_rotary_factor", 1.0))
    scaling, magnitude = READERS[kind](fields, section, share)
    return RopeConfig(section.number("rope_theta", theta), scaling, share, magnitude)


def _default(fields: Fields, section: Fields, share: float) -> tuple[Scaling | None, float]:
    return None, 1.0


def _linear(fields: Fields, section: Fields, share: float) -> tuple[Scaling | None, float]:
    return LinearScaling(section.number("factor")), 1.0


def _llama3(fields: Fields, section: Fields, share: float) -> tuple[Scaling | None, float]:
    low, high = section.number("low_freq_factor"), section.number("high_freq_factor")
    return Llama3Scaling(section.number("factor"), low, high, _original_context(fields, section)), 1.0


def _yarn(fields: Fields, section: Fields, share: float) -> tuple[Scaling | None, float]:
    original = _original_context(fields, section)
    factor = section.number("factor", _max_position(fields) / original)
    scaling = YarnScaling(
        factor,
        original,
        section.number("beta_fast", 32.0),
        section.number("beta_slow", 1.0),
        section.flag("truncate", True),
    )

    def magnitude(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0

    weights = section.optional_number("mscale"), section.optional_number("mscale_all_dim")
    usual = magnitude(weights[0]) / magnitude(weights[1]) if all(weights) else magnitude(1.0)
    return scaling, section.number("attention_factor", usual)


def _longrope(fields: Fields, section: Fields, share: float) -> tuple[Scaling | None, float]:
    original = _original_context(fields, section)
    head_dim = fields.count("head_dim", fields.count("hidden_size") // fields.count("num_attention_heads"))
    pairs = int(head_dim * share) // 2
    scaling = LongRopeScaling(section.numbers("short_factor", pairs), section.numbers("long_factor", pairs), original)
    factor = section.number("factor", _max_position(fields) / original)
    usual = math.sqrt(1 + math.log(factor) / math.log(original)) if factor > 1 else 1.0
    return scaling, section.number("attention_factor", usual)


def _original_context(fields: Fields, section: Fields) -> int:
    """The context before it was stretched. Phi-3 writes it outside the section, and that goes first."""
    key = "original_max_position_embeddings"
    return fields.count(key, section.count(key, _max_position(fields)))


def _max_position(fields: Fields) -> int:
    return fields.count("max_position_embeddings", 2048)


READERS: dict[str, Callable[[Fields, Fields, float], tuple[Scaling | None, float]]] = {
    "default": _default,
    "linear": _linear,
    "llama3": _llama3,
    "yarn": _yarn,
    "longrope": _longrope,
    "su": _longrope,  # what LongRoPE was called in the first Phi-3 files
}
SUPPORTED_ROPE_TYPES = tuple(READERS)
