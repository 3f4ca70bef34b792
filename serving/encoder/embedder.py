"""The encoder at work: one thread that computes what waits, a batch whenever the device is free."""

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from serving.encoder.batcher import Batch, Batcher, BatchShape
from serving.encoder.programs import packed
from serving.encoder.request import EncoderDescription, EncoderStats, TokenIds, Vectors
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.process.compiled_programs import CompiledPrograms


class Embedder:
    """An encoder's programs, and the texts that wait for them.

    `failed` is set once the thread has ended by an error; what waited then has ended with that error too.
    """

    def __init__(
        self, description: EncoderDescription, tokenizer: EncoderTokenizer, programs: CompiledPrograms[BatchShape]
    ):
        self.description = description
        self.tokenizer = tokenizer
        self.failed: BaseException | None = None
        self._programs = programs
        self._batcher = Batcher()
        self._jobs: dict[int, _Job] = {}
        self._numbers = itertools.count()
        self._stats = EncoderStats()
        self._stopped = False
        self._changed = threading.Condition()  # guards all of the above
        self._thread: threading.Thread | None = None

    def start(self, publish: Callable[[EncoderStats], None]) -> None:
        """Begin; `publish` is called on the thread after each batch, and when it failed."""
        self._thread = threading.Thread(target=self._run, args=(publish,), name="embedder", daemon=True)
        self._thread.start()

    def submit(self, texts: Sequence[TokenIds]) -> Future[Vectors]:
        """A vector for each of one or more texts, of 1 to max_tokens ids each. Thread-safe, returns at once.

        Cancelling the future drops the texts that still wait. Raises RuntimeError once the thread has ended.
        """
        job = _Job(texts, np.empty((len(texts), self.description.dimensions), np.float32), len(texts))
        with self._changed:
            if self.failed or self._stopped:
                raise RuntimeError("the encoder has ended")
            number = next(self._numbers)
            self._jobs[number] = job
            self._batcher.add(number, [len(ids) for ids in texts])
            self._changed.notify()
        job.result.add_done_callback(lambda result: self._drop(number) if result.cancelled() else None)
        return job.result

    def stop(self) -> None:
        """End the thread after the batch that it is at, and cancel what still waits."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()
        self._programs.cancel()
        for job in list(self._jobs.values()):
            job.result.cancel()

    def wait_warm(self) -> None:
        """Wait until every program is compiled. Raises what compiling raised."""
        self._programs.wait_all()

    def _run(self, publish: Callable[[EncoderStats], None]) -> None:
        try:
            while work := self._next():
                self._deliver(work, self._compute(work))
                publish(self._stats)
        except Exception as error:  # whatever broke, callers must hear of it
            with self._changed:
                self.failed = error
                jobs = list(self._jobs.values())
            for job in jobs:
                job.fail(error)
            publish(self._stats)

    def _next(self) -> "_Work | None":
        """The next batch, once there is one; None to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._batcher.waiting or self._stopped)
            if self._stopped:
                return None
            batch = self._batcher.next(self._programs.compiled)
            return _Work(batch, [self._jobs[number].texts[place] for number, place in batch.members])

    def _compute(self, work: "_Work") -> Vectors:
        """A vector for each text of a batch, and for those that fill its shape up."""
        tokens, lengths = packed(work.texts, work.batch.shape)
        return np.asarray(self._programs.compiled[work.batch.shape](tokens, lengths))

    def _deliver(self, work: "_Work", vectors: Vectors) -> None:
        finished = []
        with self._changed:
            for (number, place), vector in zip(work.batch.members, vectors, strict=False):
                job = self._jobs.get(number)
                if job is None:
                    continue  # it was cancelled meanwhile
                job.vectors[place] = vector
                job.missing -= 1
                if not job.missing:
                    finished.append(self._jobs.pop(number))
            self._stats = self._stats.after(
                waiting=self._batcher.waiting,
                places=work.batch.shape.tokens,
                texts=len(work.texts),
                tokens=sum(map(len, work.texts)),
            )
        for job in finished:
            job.finish()

    def _drop(self, number: int) -> None:
        with self._changed:
            self._jobs.pop(number, None)
            self._batcher.drop(number)


@dataclass(slots=True)
class _Work:
    """A batch and its texts."""

    batch: Batch
    texts: list[TokenIds]


class _Job:
    """A request on its way: the vectors that are there, and how many are missing."""

    __slots__ = ("missing", "result", "texts", "vectors")

    def __init__(self, texts: Sequence[TokenIds], vectors: Vectors, missing: int):
        self.texts = texts
        self.vectors = vectors
        self.missing = missing
        self.result: Future[Vectors] = Future()

    def finish(self) -> None:
        """All vectors are there."""
        if self.result.set_running_or_notify_cancel():
            self.result.set_result(self.vectors)

    def fail(self, error: BaseException) -> None:
        """None will come."""
        if self.result.set_running_or_notify_cancel():
            self.result.set_exception(error)
