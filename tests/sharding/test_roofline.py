"""Least times, by hand. The model is Llama 3 8B: 8.03e9 parameters, of which the embedding's 0.53e9 are not read."""

import pytest

from serving.models.shapes import published_shape
from serving.plan.parameters import parameters
from sharding.footprint import Footprint
from sharding.mesh import MeshSpec
from sharding.roofline import Bound, Work, first_token_seconds
from sharding.rules import Rules
from sharding.topology import Topology

EMBEDDING = 128_256 * 4096
READ = 2 * (8_030_261_248 - EMBEDDING)  # 15.01 GB in bfloat16
PER_TOKEN = 2 * 32 * 8 * 128 * 2  # bytes of keys and values: 128 KiB
MULTIPLIED = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14_336)  # elements for a token, 6.98e9
H100 = Topology.parse("h100:1")


def llama(mesh: str = "tensor=1") -> Footprint:
    config = published_shape("llama3-8b")
    return Footprint.of(config, parameters(config), MeshSpec.parse(mesh), Rules())


def test_a_decode_step_reads_weights_and_contexts():
    work = Work.of(llama(), rows=16, context=8192)
    assert work.weight_bytes == READ == 15_009_849_344
    assert work.kv_bytes == 16 * 8192 * PER_TOKEN == 17_179_869_184
    attention = 2 * 2 * 32 * 128 * 32 * 8192  # scores and values: 32 heads of 128 in 32 layers
    assert work.flops == 16 * (2 * (MULTIPLIED + EMBEDDING) + attention)
    assert work.sent_bytes == 0


def test_on_one_h100_it_waits_for_memory():
    bound = Bound.of(Work.of(llama(), rows=16, context=8192), H100)
    assert bound.weights == pytest.approx(4.481e-3, rel=1e-3)
    assert bound.cache == pytest.approx(5.128e-3, rel=1e-3)
    assert bound.compute == pytest.approx(0.312e-3, rel=1e-2)
    assert bound.seconds == bound.weights + bound.cache
    assert bound.by == "memory"
    assert 1 / bound.seconds == pytest.approx(104.1, rel=1e-3), "tokens a second of each stream"


def test_a_prompt_alone_waits_for_compute():
    """512 tokens x 2 x 6.98e9 = 7.147e12 operations, scores of one token 0.001e12, attention over 1 + 2 + ... + 512
    keys 0.069e12: 7.217e12 at 989.4e12 a second are 7.294 ms, the weights 4.48 ms."""
    work = Work.of(llama(), rows=0, context=1, start=0, end=512)
    assert work.flops == 2 * (512 * MULTIPLIED + EMBEDDING) + 2 * 2 * 32 * 128 * 32 * (512 * 513 // 2)
    assert Bound.of(work, H100).by == "compute"
    assert first_token_seconds(llama(), H100, prompt=512, chunk=512, rows=0, context=1) == pytest.approx(
        7.294e-3, rel=1e-3
    )


def test_in_smaller_chunks_a_prompt_reads_the_weights_more_often():
    """Four chunks of 128: each is bound by the weights' 4.48 ms and the keys so far."""
    seconds = first_token_seconds(llama(), H100, prompt=512, chunk=128, rows=0, context=1)
    keys = (128 + 256 + 384 + 512) * PER_TOKEN
    assert seconds == pytest.approx((4 * READ + keys) / 3350e9)


def test_others_contexts_are_read_with_every_chunk():
    alone = Work.of(llama(), rows=0, context=1, start=512, end=1024)
    beside = Work.of(llama(), rows=15, context=8192, start=512, end=1024)
    assert beside.kv_bytes - alone.kv_bytes == 15 * 8192 * PER_TOKEN
    assert alone.kv_bytes == 1024 * PER_TOKEN
    assert beside.weight_bytes == alone.weight_bytes


def test_tensor_parallel_devices_share_the_work_and_send():
    slice_ = Topology.parse("v6e:2x4")
    work = Work.of(llama("tensor=8"), rows=16, context=8192)
    assert work.kv_bytes == 16 * 8192 * PER_TOKEN / 8
    assert work.weight_bytes == pytest.approx(READ / 8, rel=1e-3), "norms are whole everywhere"
    sum_, scores = 16 * 4096 * 2, 16 * 128_256 * 2
    assert work.sent_bytes == 65 * sum_ * 2 * 7 // 8 + scores * 7 // 8
    assert Bound.of(work, slice_).links == work.sent_bytes / 200e9


def test_a_pipeline_reads_all_weights_one_after_the_other():
    """A decode step goes through as one micro-batch: what two stages save in space they do not save in time."""
    one, two = (Work.of(llama(mesh), rows=16, context=8192) for mesh in ("tensor=1", "pipeline=2"))
    assert two.kv_bytes == one.kv_bytes
    assert two.flops == one.flops + 2 * 16 * EMBEDDING, "both stages are counted with the scores"
    assert two.weight_bytes == pytest.approx(one.weight_bytes + 2 * EMBEDDING)
    assert two.sent_bytes == 4 * 16 * 4096 * 2, "on to the next stage in two ticks, and the result to all"


def test_a_pipelines_chunks_go_through_in_micro_batches():
    """15 rows and one that reads, 32 blocks of 16: micro-batches of 4 rows and 8 blocks are too short to be worth their
    weights, two halves make three ticks instead of the four that two whole batches would be long."""
    whole = Work.of(llama(), rows=15, context=8192, start=0, end=512)
    staged = Work.of(llama("pipeline=2"), rows=15, context=8192, start=0, end=512)
    attention_and_layers = whole.flops - 2 * 16 * EMBEDDING
    assert staged.flops == pytest.approx(1.5 * (attention_and_layers / 2 + 2 * 16 * EMBEDDING))


def test_a_window_spares_the_cache():
    config = published_shape("gemma3-27b")
    windowed = Footprint.of(config, parameters(config), MeshSpec(), Rules())
    layer = 2 * 16 * 128 * 2
    full = sum(window is None for window in config.windows)
    assert (full, len(config.windows)) == (10, 62)
    read = Work.of(windowed, rows=1, context=8192).kv_bytes
    assert read == layer * (10 * 8192 + 52 * 1024)
    assert windowed.kv_bytes == 62 * layer, "but pages are kept for all"
