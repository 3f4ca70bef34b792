"""What a retriever is asked, and what it answers: plain values, no SQL, no indexes, no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Mode = Literal["dense", "bm25", "hybrid"]
Status = Literal["pending", "ready", "failed"]


class NotFound(Exception):
    """The tenant has no such collection or document."""


class Conflict(Exception):
    """What is there already does not agree with what is asked, such as a collection of another encoder."""


class InvalidRetrieval(ValueError):
    """Something given is not of the kind that is accepted; the message says which, and what is."""


@dataclass(frozen=True, slots=True)
class Collection:
    """One tenant's documents under a name. `encoder` is whose vectors they have."""

    name: str
    encoder: str
    dimensions: int
    created: float  # seconds since 1970
    pending: int = 0  # documents that wait to be read
    ready: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A document as it is handed in.

    `media_type` says what it is, and where empty its id's ending does; `source` says where it is from, and where empty
    that is its id.
    """

    id: str
    content: bytes
    media_type: str = ""
    source: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What becomes of an upload: it waits to be read, or the very same document is there already."""

    id: str
    status: Literal["pending", "unchanged"]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is listed. `error` says why it failed."""

    id: str
    status: Status
    error: str | None
    source: str
    media_type: str
    title: str
    metadata: Mapping[str, Any]
    bytes: int
    chunks: int
    updated: float  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for. `filter` is a condition on metadata as docs/retrieval.md describes it, or None."""

    text: str
    top_k: int = 10
    mode: Mode = "hybrid"
    filter: Any = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found: its document's id, its own, its text, and how well it answers.

    `position` counts the document's chunks from 0; `page` is where it begins, where there are pages.
    """

    document: str
    chunk: int
    text: str
    score: float
    source: str
    title: str
    headings: tuple[str, ...]
    page: int | None
    position: int
    metadata: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RetrieverDescription:
    """What a gateway must know of a retriever before it sends work there."""

    encoder: str  # whose vectors new collections get
    dimensions: int
    document_bytes: int  # of the largest document that is taken


@dataclass(frozen=True, slots=True)
class RetrieverStats:
    """The retriever's gauges and counters (counters since it started)."""

    waiting: int = 0  # documents that are still to be read
    index_bytes: int = 0  # of all loaded indexes
    documents: int = 0  # handed in
    searches: int = 0  # answered
    search_seconds: float = 0.0  # that these took


@dataclass(frozen=True, slots=True)
class InCollection:
    """A call about a tenant's collection; about all of them where the name is empty."""

    tenant: str
    collection: str = ""


@dataclass(frozen=True, slots=True)
class Adding:
    """A call that hands documents in."""

    tenant: str
    collection: str
    uploads: tuple[Upload, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A call for documents by id, those after `after`, at most `limit`."""

    tenant: str
    collection: str
    after: str = ""
    limit: int = 100


@dataclass(frozen=True, slots=True)
class OneDocument:
    """A call about one document."""

    tenant: str
    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Searching:
    """A call for the passages that answer a query."""

    tenant: str
    collection: str
    query: Query


@dataclass(frozen=True, slots=True)
class Collections:
    """A tenant's collections, by name."""

    items: tuple[Collection, ...]


@dataclass(frozen=True, slots=True)
class Receipts:
    """One for each upload, in their order."""

    items: tuple[Receipt, ...]


@dataclass(frozen=True, slots=True)
class Documents:
    """Documents by id."""

    items: tuple[Document, ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """Passages, best first."""

    items: tuple[Hit, ...]
