"""Request traces of real services, as sessions of one turn, scaled to the machine at hand.

Two formats are read, plain or gzipped:

- Azure LLM inference traces: CSV of TIMESTAMP, ContextTokens, GeneratedTokens
  (https://github.com/Azure/AzurePublicDataset)
- Mooncake traces: JSON lines of timestamp (milliseconds), input_length, output_length, hash_ids, where every hash id
  stands for a block of 512 tokens and equal ids for equal beginnings (https://github.com/kvcache-ai/Mooncake)
"""

import csv
import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from serving.bench.errors import BenchError
from serving.bench.workload import Segment, Session, Turn

BLOCK_TOKENS = 512  # of a Mooncake hash id
AZURE_FIELDS = {"TIMESTAMP", "ContextTokens", "GeneratedTokens"}
MOONCAKE_FIELDS = {"timestamp", "input_length", "output_length"}


@dataclass(frozen=True, slots=True)
class TracedRequest:
    """One row: seconds after the first row, token counts, and the blocks of its prompt where the trace knows them."""

    arrival: float
    input_tokens: int
    output_tokens: int
    blocks: tuple[int, ...] = ()


def read_trace(file: Path) -> list[TracedRequest]:
    """The rows in order of arrival. Raises BenchError, naming the line, for what is neither format."""
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise BenchError(f"the trace {file} cannot be read: {error}") from None
    read = _read_mooncake if text.lstrip().startswith("{") else _read_azure
    rows, line = [], 0
    try:
        for line, row in read(text):  # noqa: B007 - the line is named when the next one is wrong
            rows.append(row)
    except (ValueError, LookupError, TypeError) as error:
        raise BenchError(f"{file}: line {line + 1} is wrong: {error!r}; see {__name__} for the formats") from None
    if not rows:
        raise BenchError(f"the trace {file} has no requests")
    rows.sort(key=lambda row: row.arrival)
    first = rows[0].arrival
    return [TracedRequest(row.arrival - first, row.input_tokens, row.output_tokens, row.blocks) for row in rows]


@dataclass(frozen=True, slots=True)
class Replay:
    """A trace as a workload, with all times and all token counts multiplied."""

    file: Path
    time_scale: float = 1.0
    length_scale: float = 1.0

    def sessions(self, seed: int) -> Iterator[Session]:
        """Each row as a session of one turn; nothing is left to chance.

        A block of the trace becomes a segment of its own, so that prompts share beginnings as they did in the trace.
        """
        for number, row in enumerate(read_trace(self.file)):
            tokens = max(1, round(row.input_tokens * self.length_scale))
            segments = tuple(_segments(row.blocks, tokens, self.length_scale)) or (Segment(f"row {number}", tokens),)
            turn = Turn(segments, max(1, round(row.output_tokens * self.length_scale)))
            yield Session((turn,), arrival=row.arrival * self.time_scale)


def _segments(blocks: Sequence[int], tokens: int, scale: float) -> Iterator[Segment]:
    """The blocks, at `BLOCK_TOKENS * scale` tokens each and `tokens` together. Roundings do not add up."""
    ends = [min(round(BLOCK_TOKENS * scale * i), tokens) for i in range(len(blocks))] + [tokens]
    for block, (begin, end) in zip(blocks, pairwise(ends), strict=True):
        if end > begin:
            yield Segment(f"block {block}", end - begin)


def _read_mooncake(text: str) -> Iterator[tuple[int, TracedRequest]]:
    for line, content in enumerate(text.splitlines(), start=1):
        if content.strip():
            row = json.loads(content)
            arrival, read, written = row["timestamp"] / 1000, row["input_length"], row["output_length"]
            yield line, TracedRequest(arrival, int(read), int(written), tuple(row.get("hash_ids", ())))


def _read_azure(text: str) -> Iterator[tuple[int, TracedRequest]]:
    reader = csv.DictReader(io.StringIO(text))
    if missing := AZURE_FIELDS - set(reader.fieldnames or ()):
        raise ValueError(f"there is no {', '.join(sorted(missing))}, nor are these JSON lines")
    for row in reader:
        # Ticks of 100 ns: one digit more than Python's clock knows.
        moment = datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC).timestamp()
        yield reader.line_num, TracedRequest(moment, int(row["ContextTokens"]), int(row["GeneratedTokens"]))
