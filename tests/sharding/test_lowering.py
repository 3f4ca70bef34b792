"""A step program comes out the same from shapes as from arrays on devices."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from serving.engine.attention.reference import ReferenceAttention
from serving.engine.loading import placed
from serving.engine.lowering import abstract_decoder, abstract_state, lower_step, paging, step_program
from serving.engine.options import EngineOptions
from serving.engine.step import DeviceState, StepShape
from serving.models.config import DecoderConfig
from serving.models.decoder import Decoder
from sharding.layout import Layout
from sharding.mesh import MeshSpec
from sharding.rules import Rules

CONFIG = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=2, heads=4, kv_heads=2, head_dim=8, mlp_size=64, max_position=128
)
OPTIONS = EngineOptions(page_size=8)


@pytest.mark.parametrize("mesh", ["tensor=4", "pipeline=2,tensor=2"])
def test_shapes_make_the_program_that_arrays_make(mesh):
    layout = Layout.plan(CONFIG, MeshSpec.parse(mesh), Rules(), jax.devices())
    held = placed(Decoder(CONFIG, rngs=nnx.Rngs(0)), jnp.float32, layout)
    shapes = abstract_decoder(layout, jnp.float32)
    pages = paging(12, OPTIONS.page_size, 64, ReferenceAttention())
    empty = jax.jit(
        lambda: DeviceState.zeros(layout.config, 2, pages, jnp.float32),
        out_shardings=DeviceState.shardings(layout, pages.attention),
    )
    programs = []
    for decoder, state in ((held, empty()), (shapes, abstract_state(layout, 2, pages, jnp.float32))):
        program, weights = step_program(decoder, OPTIONS, layout, pages)
        programs.append(lower_step(program, StepShape(2, 4), weights, state).as_text())
    assert programs[0] == programs[1]
    assert "sharding" in programs[0]


def test_a_page_table_has_whole_spans():
    pages = paging(100, 16, 200, ReferenceAttention())
    assert (pages.pages, pages.page_size, pages.sequence_pages) == (100, 16, 16), "13 pages, in spans of 8"
