"""The encoder's thread: vectors alone and in company, requests that are dropped, a batch that fails."""

import threading
from concurrent.futures import CancelledError

import numpy as np
import pytest

from serving.encoder.batcher import BatchShape
from serving.encoder.embedder import Embedder
from serving.encoder.request import EncoderDescription, EncoderStats
from serving.process.compiled_programs import CompiledPrograms
from tests.golden_encoders import TEXTS, VECTORS

DESCRIPTION = EncoderDescription("sums", 2, 16, 1000, False, "cpu", "f00d")
SHAPES = [ONE := BatchShape(16, 1, 16), FOUR := BatchShape(64, 4, 16)]
WORDS = [text for text in TEXTS if len(text) < 40]


class Sums:
    """Programs whose vectors are a text's sum and length; a batch waits for `go`, and one that holds 666 fails."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.batches: list[BatchShape] = []
        self.begun = threading.Event()

    def compile(self, shape: BatchShape):
        def program(tokens, lengths):
            self.batches.append(shape)
            self.begun.set()
            assert self.go.wait(10)
            if 666 in tokens:
                raise RuntimeError("a poisoned text")
            ends = np.cumsum(lengths)
            sums = [tokens[end - length : end].sum() for end, length in zip(ends, lengths, strict=True)]
            return np.stack([sums, lengths], axis=1).astype(np.float32)

        return program


@pytest.fixture
def sums():
    """A started embedder of sums, its programs, and the stats that it published."""
    made = Sums()
    programs = CompiledPrograms(SHAPES, made.compile, 1, essential=len(SHAPES))
    programs.start(lambda done, total: None)
    programs.wait_all()
    embedder, published = Embedder(DESCRIPTION, None, programs), []
    embedder.start(published.append)
    yield embedder, made, published
    made.go.set()
    embedder.stop()


def test_vectors_of_a_real_encoder_are_the_same_alone_and_in_company(loaded):
    loaded.start(lambda stats: None)
    texts = [text.ids for text in loaded.tokenizer.encode(WORDS)]
    alone = [loaded.submit([text]) for text in texts]
    together = loaded.submit(texts * 3).result(60)
    vectors = np.concatenate([result.result(60) for result in alone])
    np.testing.assert_allclose(together, np.tile(vectors, (3, 1)), atol=1e-6)
    theirs = VECTORS["bert"][[TEXTS.index(text) for text in WORDS]]
    np.testing.assert_allclose(vectors, theirs, atol=1e-4)
    assert (loaded.description.model, loaded.description.dimensions, loaded.description.max_tokens) == ("tiny", 32, 40)
    loaded.wait_warm()
    loaded.stop()


def test_a_request_of_many_batches_gets_its_vectors_in_its_own_order(sums):
    embedder, made, published = sums
    made.go.set()
    texts = [tuple(range(1, 8 + number % 10)) for number in range(30)]
    vectors = embedder.submit(texts).result(10)
    assert vectors.tolist() == [[sum(ids), len(ids)] for ids in texts]
    assert {*made.batches} == {ONE, FOUR} and len(made.batches) < 15
    embedder.stop()
    tokens, places = sum(map(len, texts)), sum(shape.tokens for shape in made.batches)
    assert published[-1] == EncoderStats(0, len(made.batches), 30, tokens, padding=places - tokens)


def test_a_cancelled_request_is_computed_no_further(sums):
    embedder, made, published = sums
    dropped = embedder.submit([(1,)] * 100)
    assert made.begun.wait(10)
    kept = embedder.submit([(2, 3)])
    assert dropped.cancel()
    made.go.set()
    assert kept.result(10).tolist() == [[5, 2]]
    assert len(made.batches) == 2
    embedder.stop()
    assert published[-1].waiting == 0


def test_a_batch_that_fails_ends_all_and_says_why(sums):
    embedder, made, published = sums
    bad = embedder.submit([(666,)])
    assert made.begun.wait(10)
    waiting = embedder.submit([(1,)])
    made.go.set()
    for result in (bad, waiting):
        with pytest.raises(RuntimeError, match="a poisoned text"):
            result.result(10)
    embedder.stop()
    assert str(embedder.failed) == "a poisoned text" and len(published) == 1
    with pytest.raises(RuntimeError, match="the encoder has ended"):
        embedder.submit([(1,)])


def test_stop_cancels_what_waits(sums):
    embedder, made, _ = sums
    running, waiting = embedder.submit([(1,)]), embedder.submit([(2,)] * 9)
    assert made.begun.wait(10)
    stopping = threading.Thread(target=embedder.stop)
    stopping.start()
    made.go.set()
    stopping.join()
    assert running.result(0).tolist() == [[1, 1]] or running.cancelled()
    with pytest.raises(CancelledError):
        waiting.result(10)
