"""Offline batch evaluation: both ways give the same replies, and the one with a shared prefix reads less."""

import pytest

from benchmarks.offline import measure, questions, table
from serving.engine.jetstream import JetStreamEngine
from serving.engine.options import EngineOptions
from serving.models.folder import EMBEDDED_MODEL

OPTIONS = EngineOptions(max_rows=4, max_context=256, page_size=16, pages=64, step_tokens=32, decode_steps=4)
COUNT, TOKENS = 6, 8


@pytest.fixture(scope="module")
def engine():
    loaded = JetStreamEngine.load(EMBEDDED_MODEL, OPTIONS)
    yield loaded
    loaded.stop()


def test_a_shared_beginning_is_read_once(engine):
    asked = questions(engine, EMBEDDED_MODEL, COUNT)
    ended = []
    apart, shared = measure(engine, engine.load_params(), asked, TOKENS, lambda: ended.append(1))
    assert len(ended) == 2 * COUNT
    assert apart.read == sum(len(question.prompt) for question in asked)
    once = (apart.read - shared.read) / (COUNT - 1)
    assert once > 60 and all(question.prompt[: int(once)] == asked[0].prompt[: int(once)] for question in asked)
    stops = engine.build_tokenizer(engine.get_tokenizer()).stop_tokens
    assert all(len(reply) == TOKENS or reply[-1] in stops for run in (apart, shared) for reply in run.replies)
    assert sum(one == other for one, other in zip(apart.replies, shared.replies, strict=True)) >= COUNT - 1
    assert [row.strip() for row in table(engine, asked, [apart, shared]).columns[1].cells] == [
        f"{apart.read:,}",
        f"{shared.read:,}",
    ]
    assert engine.available_pages == OPTIONS.pages
