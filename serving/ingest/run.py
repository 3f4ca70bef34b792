"""From a place to a collection: list, send, and wait until everything is read."""

import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from serving.ingest.collection import CollectionClient, Refused, ServerError
from serving.ingest.sources import Found, Skipped, SourceError, Unreadable, listed

BATCH_FILES = 64
BATCH_BYTES = 4 * 2**20  # of one request's files, unless it is one
POLL = 0.25  # seconds between two questions whether a document is read
FAILURES_SHOWN = 50
INTERRUPTED = 130


@dataclass
class Outcome:
    """What became of everything that was there."""

    indexed: int = 0
    unchanged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # by why
    failed: dict[str, str] = field(default_factory=dict)  # why, by id

    @property
    def settled(self) -> int:
        """Documents of which no more is to be expected."""
        return self.indexed + self.unchanged + len(self.failed)


def ingest(location: str, name: str, url: str, api_key: str, console: Console) -> int:
    """Bring what is at `location` into a collection; returns the process's exit status.

    That is 1 when a document failed or nothing could be done, and 130 after Ctrl-C.
    """
    outcome = Outcome()
    try:
        found = list(_found(location, outcome))
        with CollectionClient(url, api_key, name) as client:
            try:
                largest = client.create()
            except Refused as refusal:
                raise ServerError(str(refusal)) from None
            _Ingest(client, outcome, largest, console).run(found)
    except KeyboardInterrupt:
        console.print(
            "\nStopped. The server goes on with what it has; the same command again sends the rest.", soft_wrap=True
        )
        return INTERRUPTED
    except (SourceError, ServerError) as error:
        console.print(str(error), style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    _report(outcome, name, console)
    return 1 if outcome.failed else 0


def _found(location: str, outcome: Outcome) -> Iterator[Found]:
    for item in listed(location):
        match item:
            case Found():
                yield item
            case Skipped():
                outcome.skipped[item.why] += 1
            case Unreadable():
                outcome.failed[item.name] = item.why


class _Ingest:
    def __init__(self, client: CollectionClient, outcome: Outcome, largest: int, console: Console) -> None:
        self._client = client
        self._outcome = outcome
        self._largest = largest
        self._waiting: deque[str] = deque()  # ids, in the order in which the server reads them
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)

    def run(self, found: Sequence[Found]) -> None:
        """Send everything, and return when the server has read it."""
        already = self._outcome.settled
        with self._progress:
            self._bar = self._progress.add_task("Sending", total=already + len(found), completed=already)
            for batch in _batches(found):
                self._send(batch)
                self._settle()
            self._progress.update(self._bar, description="Reading")
            while self._settle():
                time.sleep(POLL)

    def _send(self, batch: Sequence[Found]) -> None:
        documents = []
        for item in batch:
            if item.size > self._largest:
                self._outcome.failed[item.id] = f"it has {item.size:,} bytes; accepted are {self._largest:,}"
                continue
            try:
                documents.append((item.id, item.read()))
            except OSError as error:
                self._outcome.failed[item.id] = error.strerror or str(error)
        if documents:
            self._hand_in(documents)

    def _hand_in(self, documents: Sequence[tuple[str, bytes]]) -> None:
        try:
            receipts = self._client.add(documents)
        except Refused as refusal:
            if len(documents) == 1:
                self._outcome.failed[documents[0][0]] = str(refusal)
                return
            for document in documents:  # one of them is to blame
                self._hand_in([document])
            return
        for receipt in receipts:
            if receipt["status"] == "unchanged":
                self._outcome.unchanged += 1
            else:
                self._waiting.append(receipt["id"])

    def _settle(self) -> bool:
        """Take note of the documents that are read by now; True while others wait."""
        while self._waiting:
            document = self._client.document(self._waiting[0])
            if document is not None and document["status"] == "pending":
                break
            id = self._waiting.popleft()
            if document is None:
                self._outcome.failed[id] = "somebody deleted it meanwhile"
            elif document["status"] == "failed":
                self._outcome.failed[id] = document["error"]
            else:
                self._outcome.indexed += 1
            self._progress.update(self._bar, completed=self._outcome.settled)
        self._progress.update(self._bar, completed=self._outcome.settled)
        return bool(self._waiting)


def _batches(found: Sequence[Found]) -> Iterator[Sequence[Found]]:
    batch: list[Found] = []
    size = 0
    for item in found:
        if batch and (len(batch) == BATCH_FILES or size + item.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def _report(outcome: Outcome, name: str, console: Console) -> None:
    for id, why in list(outcome.failed.items())[:FAILURES_SHOWN]:
        said = why if id in why else f"{id}: {why}"
        console.print(f"failed: {said}", style="red", markup=False, highlight=False, soft_wrap=True)
    if len(outcome.failed) > FAILURES_SHOWN:
        console.print(f"... and {len(outcome.failed) - FAILURES_SHOWN} more", style="red")
    skipped = "".join(f", {count} skipped ({why})" for why, count in sorted(outcome.skipped.items()))
    console.print(
        f"{name}: {outcome.indexed} indexed, {outcome.unchanged} unchanged, {len(outcome.failed)} failed{skipped}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
