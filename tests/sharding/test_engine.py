"""The engine on eight devices gives the tokens that it gives on one."""

import dataclasses
import functools
import queue

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from serving.engine.attention.backend import AttentionBackend
from serving.engine.attention.reference import ReferenceAttention
from serving.engine.engine import Engine
from serving.engine.loading import Loaded, placed, plan_layout
from serving.engine.lowering import abstract_decoder, abstract_state, lower_step, paging, step_program
from serving.engine.options import EngineOptions
from serving.engine.request import Delta, EngineDescription, GenerationRequest, SamplingParams
from serving.engine.runner import Runner
from serving.engine.step import StepShape
from serving.models.config import DecoderConfig, ExpertsConfig
from serving.models.decoder import Decoder
from sharding.collectives import collectives
from sharding.mesh import ShardingError

DENSE = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=4, heads=8, kv_heads=2, head_dim=8, mlp_size=64, max_position=128
)
WINDOWS = DecoderConfig(
    vocab_size=97, hidden_size=32, layers=4, heads=4, kv_heads=4, head_dim=8, mlp_size=64, max_position=128,
    windows=(8, None, 8, None), attention_sinks=True, tied_embeddings=True,
)  # fmt: skip
EXPERTS = DecoderConfig(
    vocab_size=96, hidden_size=32, layers=2, heads=8, kv_heads=8, head_dim=4, mlp_size=64, max_position=128,
    experts=ExpertsConfig(count=4, per_token=2, mlp_size=32, normalised=True, biased=True),
)  # fmt: skip
PAGES, PAGE = 40, 8
REFERENCE = ReferenceAttention()


def decoder_of(config: DecoderConfig) -> Decoder:
    """A decoder whose weights are large enough for scores that differ."""
    decoder = Decoder(config, rngs=nnx.Rngs(0))
    state = nnx.map_state(lambda _, variable: variable.replace(variable.get_value() * 2), nnx.state(decoder))
    nnx.update(decoder, state)
    return decoder


def requests() -> list[GenerationRequest]:
    """More of them than rows; two share the beginning of their prompts, one draws at random."""
    start = tuple(np.arange(20) * 7 % 90)
    prompts = [(*start, 3, 5), (*start, 8), (1, 2, 3), tuple(np.arange(50) * 11 % 90), (4,)]
    return [
        GenerationRequest(
            f"{index}",
            tuple(map(int, prompt)),
            SamplingParams(max_tokens=10, temperature=0.0 if index != 2 else 1.0, seed=index, ignore_eos=True),
        )
        for index, prompt in enumerate(prompts)
    ]


def replies(
    decoder: Decoder, mesh: str, devices: list, attention: AttentionBackend = REFERENCE, **options
) -> dict[str, list[int]]:
    """What an engine on this mesh replies to the requests, all at once, with no more programs than that takes."""
    chosen = EngineOptions(
        mesh=mesh, max_rows=2, page_size=PAGE, pages=PAGES, decode_steps=2, compile_threads=1, **options
    )
    layout = plan_layout(decoder.config, chosen, devices)
    laid = placed(decoder, jnp.float32, layout)
    runner = Runner(laid, chosen, layout, attention, pages=PAGES, max_context=128, step_tokens=2 * PAGE)
    programs = runner.programs

    def enough(done: int, total: int) -> None:
        if done == programs.ESSENTIAL:
            programs.cancel()

    programs.start(enough)
    programs.wait_essential()
    description = EngineDescription(
        model="tiny", max_context=128, vocab_size=decoder.config.vocab_size, max_rows=2, page_size=PAGE, pages=PAGES,
        dtype="float32", platform="cpu", fingerprint="", eos_token_ids=(),
    )  # fmt: skip
    return drain(Engine(Loaded(runner, description, runner.step_tokens), chosen), requests())


def drain(engine: Engine, wanted: list[GenerationRequest]) -> dict[str, list[int]]:
    """Runs requests to their ends; returns the tokens of each."""
    arrived: queue.SimpleQueue[list[Delta]] = queue.SimpleQueue()
    engine.start(lambda deltas, stats: arrived.put(deltas))
    for request in wanted:
        engine.submit(request)
    tokens: dict[str, list[int]] = {request.id: [] for request in wanted}
    open_ids = set(tokens)
    while open_ids:
        for delta in arrived.get(timeout=120):
            assert not delta.error
            tokens[delta.id] += delta.tokens
            if delta.finish_reason:
                open_ids.discard(delta.id)
    engine.stop()
    return tokens


@functools.cache
def of_one_device(config: DecoderConfig) -> dict[str, list[int]]:
    """The replies of an engine without a mesh to speak of."""
    return replies(decoder_of(config), "", jax.devices()[:1])


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize(
    ("config", "mesh", "micro_batches"),
    [
        (DENSE, "tensor=4", 0),  # each kv head twice
        (DENSE, "pipeline=4", 1),
        (WINDOWS, "pipeline=2,tensor=4", 0),  # an odd vocabulary, which is kept whole
        (EXPERTS, "expert=4,tensor=2", 0),
        (EXPERTS, "pipeline=2,expert=2,tensor=2", 2),
    ],
)
def test_replies_are_those_of_one_device(config, mesh, micro_batches):
    """Prompts in chunks, a shared beginning, more requests than rows, a seeded draw, several decode steps at once."""
    got = replies(decoder_of(config), mesh, jax.devices(), micro_batches=micro_batches)
    assert got == of_one_device(config)


def test_without_a_mesh_the_model_is_cut_as_far_as_its_heads_allow():
    narrow = dataclasses.replace(DENSE, heads=6, kv_heads=3)
    layout = plan_layout(narrow, EngineOptions(), jax.devices())
    assert str(layout.spec) == "tensor=2"
    assert layout.stage_config.layers == narrow.layers


def test_the_mesh_of_the_options_is_refused_with_its_arithmetic():
    with pytest.raises(
        ShardingError, match=r"num_hidden_layers is 4, which pipeline=3 does not divide: 4 = 3 x 1 \+ 1"
    ):
        plan_layout(DENSE, EngineOptions(mesh="pipeline=3"), jax.devices())


def test_keys_and_values_lie_with_their_heads_and_layers():
    options = EngineOptions(mesh="pipeline=2,tensor=4", max_rows=2, page_size=PAGE, pages=PAGES)
    layout = plan_layout(DENSE, options, jax.devices())
    whole = (DENSE.layers * (PAGES + 1), PAGE, 4, DENSE.head_dim)  # two kv heads, held twice each
    assert layout.config.kv_heads == 4
    keys = layout.sharding(REFERENCE.axes.keys)
    assert keys.shard_shape(whole) == (whole[0] // 2, PAGE, 1, DENSE.head_dim)


@pytest.mark.usefixtures("quick_compiler")
@pytest.mark.parametrize("mesh", ["tensor=8", "pipeline=2,tensor=4"])
def test_a_step_gathers_scores_and_never_the_head_that_they_come_from(mesh):
    rows, blocks = 4, 2
    options = EngineOptions(mesh=mesh, max_rows=rows, page_size=PAGE)
    layout = plan_layout(DENSE, options, jax.devices())
    pages = paging(PAGES, PAGE, DENSE.max_position, REFERENCE)
    program, weights = step_program(abstract_decoder(layout, jnp.float32), options, layout, pages)
    state = abstract_state(layout, rows, pages, jnp.float32)
    sent = {}
    for shape in (StepShape(rows, 0), StepShape(rows, blocks)):
        compiled = lower_step(program, shape, weights, state).compile()
        sent[shape.blocks] = {one.bytes for one in collectives(compiled.as_text()) if one.kind == "all-gather"}
    scores = 4 * DENSE.vocab_size
    assert sent == {0: {rows * scores}, blocks: {rows * scores, PAGE * scores}}, "the second with a page's logprobs"
