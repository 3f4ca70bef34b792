"""A stand-in for the JAX encoder, for tests of everything around it: a vector is its text's first ids.

The server around it is the product's own (serving.encoder.server), and so is the tokenizer, of a golden encoder.

    python tests/fleet/echo_encoder.py --listen unix:/tmp/echo.sock
"""

import argparse
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from serving.encoder.request import EncoderDescription, EncoderStats, TokenIds, Vectors
from serving.encoder.server import serve_process
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.process.progress import StartupProgress

GOLDEN = Path(__file__).parents[1] / "oracles" / "golden_encoders"
DIMENSIONS = 4
STUCK, POISON = 91, 90
"""Texts that begin with these ids are never answered, and make the encoder fail."""


class EchoEncoder:
    """Answers at once, but for texts that begin with STUCK."""

    def __init__(self, dimensions: int = DIMENSIONS, vocabulary: int = 92, fingerprint: str = "echo") -> None:
        self.description = EncoderDescription("echo", dimensions, 16, vocabulary, True, "cpu", fingerprint)
        self.tokenizer = EncoderTokenizer.from_folder(GOLDEN / "bert", EmbeddingRecipe("mean", True, max_tokens=16))
        self.failed: BaseException | None = None
        self._stuck: set[Future[Vectors]] = set()
        self._stats = EncoderStats()

    def start(self, publish: Callable[[EncoderStats], None]) -> None:
        self._publish = publish

    def submit(self, texts: Sequence[TokenIds]) -> Future[Vectors]:
        result: Future[Vectors] = Future()
        first = texts[0][0]
        if first == POISON:
            self.failed = RuntimeError("a poisoned text")
            result.set_exception(self.failed)
        elif first == STUCK:
            self._stuck.add(result)
            result.add_done_callback(self._release)
        else:
            width = self.description.dimensions
            result.set_result(np.array([[*ids, *[0] * width][:width] for ids in texts], np.float32))
        self._note()
        return result

    def stop(self) -> None:
        for result in list(self._stuck):
            result.cancel()

    def _release(self, result: Future[Vectors]) -> None:
        self._stuck.discard(result)
        self._note()

    def _note(self) -> None:
        self._stats = self._stats.after(waiting=len(self._stuck), places=DIMENSIONS, texts=1, tokens=1)
        self._publish(self._stats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--exit-with-parent", action="store_true")
    parser.add_argument("--stuck", action="store_true", help="load for ever")
    parser.add_argument("--dimensions", type=int, default=DIMENSIONS)
    parser.add_argument("--vocabulary", type=int, default=92)
    parser.add_argument("--fingerprint", default="echo")
    arguments = parser.parse_args()

    def load(report: Callable[[StartupProgress], None]) -> EchoEncoder:
        report(StartupProgress("loading", message="echo"))
        if arguments.stuck:
            threading.Event().wait()
        return EchoEncoder(arguments.dimensions, arguments.vocabulary, arguments.fingerprint)

    serve_process(arguments.listen, load, exit_with_parent=arguments.exit_with_parent)


if __name__ == "__main__":
    main()
