"""Which backend an engine takes."""

import dataclasses

import jax.numpy as jnp
import pytest

from serving.engine.attention.choice import choose
from serving.engine.attention.gpu import GPUAttention
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.attention.tpu import TPUAttention
from tests.engine.attention.test_gpu import demand


@pytest.mark.parametrize(
    ("name", "platform", "backend"),
    [
        ("auto", "cpu", ReferenceAttention()),
        ("auto", "gpu", GPUAttention()),
        ("auto", "tpu", TPUAttention()),
        ("gpu", "gpu", GPUAttention()),
        ("reference", "tpu", ReferenceAttention()),
    ],
)
def test_the_platform_s_own_unless_told_otherwise(name, platform, backend):
    assert choose(name, platform, demand()) == (backend, [])


def test_auto_takes_the_reference_where_the_kernels_cannot_and_says_why():
    backend, notes = choose("auto", "gpu", demand(dtype=jnp.float32))
    assert backend == ReferenceAttention()
    assert notes == [
        "attention takes the reference's way instead of the gpu's: dtype is float32; its kernels accept bfloat16 and "
        "float16"
    ]


@pytest.mark.parametrize(
    ("name", "platform", "changes", "message"),
    [
        ("tpu", "cpu", {}, "attention tpu needs a TPU; on cpu devices accepted are auto and reference"),
        ("tpu", "gpu", {}, "attention tpu needs a TPU; on gpu devices accepted are auto and reference and gpu"),
        ("gpu", "gpu", {"head_dim": 80}, "attention gpu: head_dim is 80; its kernels accept 16, 32, 64, 128"),
    ],
)
def test_a_backend_that_cannot_run_is_refused(name, platform, changes, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        choose(name, platform, demand(**changes))


def test_what_is_left_to_the_reference_is_said():
    windows = dataclasses.replace(demand().config, windows=(64, None, 64, None), attention_soft_cap=50.0)
    sinks = dataclasses.replace(demand().config, attention_sinks=True)
    of = {
        (name, config): choose(name, name, dataclasses.replace(demand(), config=config))[1]
        for name in ("gpu", "tpu")
        for config in (windows, sinks)
    }
    assert of["gpu", windows] == [
        "windows are unknown to the GPU's decode kernel: the rows of 2 of 4 layers take the reference's way",
        "soft caps are unknown to cuDNN: prompts take the reference's way",
    ]
    assert of["gpu", sinks] == ["attention sinks are unknown to the GPU's kernels: all layers take the reference's way"]
    assert of["tpu", windows] == []
    assert of["tpu", sinks] == ["attention sinks are unknown to the TPU's kernel: all layers take the reference's way"]
