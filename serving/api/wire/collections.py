"""/v1/collections: requests and answers."""

from typing import Annotated, Any, Literal

from pydantic import Field
from typing_extensions import TypedDict

from serving.api.wire.fields import Body

MAX_DOCUMENTS = 1000
"""In one request."""

LISTED = 100
MAX_LISTED = 500

FILTER = {
    "description": "A condition on metadata: a comparison (eq ne gt gte lt lte in nin exists), or several joined by "
    'and, or, not. {"type": "eq", "key": "year", "value": 2020}',
    "type": ["object", "null"],
}


class CreateCollection(Body):
    """A collection that is to be there."""

    name: str = Field(description="Letters, digits, '.', '_' and '-', up to 128, the first a letter or digit.")


class NewDocument(Body):
    """A text that is to be found."""

    id: str = Field(description="Up to 1,024 characters; a document of the same id is replaced.")
    text: str
    metadata: dict[str, Any] | None = Field(
        None, description="Names with strings, numbers, booleans, null, or lists of these, for filters."
    )
    media_type: str | None = Field(None, description="What the text is, such as text/markdown; text/plain if left out.")
    source: str | None = Field(None, description="Where it is from, such as its address; its id if left out.")


class NewDocuments(Body):
    """Documents that are taken in, all or none."""

    documents: Annotated[list[NewDocument], Field(min_length=1, max_length=MAX_DOCUMENTS)]


class SearchRequest(Body):
    """What to look for."""

    query: str
    top_k: int | None = Field(None, ge=1, le=100, description="Passages at most; 10 if left out.")
    mode: Literal["dense", "bm25", "hybrid"] | None = Field(
        None, description="By meaning, by words, or by both (hybrid, if left out)."
    )
    filter: Annotated[Any, Field(json_schema_extra=FILTER)] = None


class DocumentCounts(TypedDict):
    """How many documents are where."""

    pending: int
    ready: int
    failed: int


class CollectionCard(TypedDict):
    """One collection."""

    id: str
    object: Literal["collection"]
    created_at: int
    encoder: str
    dimensions: int
    documents: DocumentCounts
    max_document_bytes: int


class CollectionList(TypedDict):
    """All collections of this key."""

    object: Literal["list"]
    data: list[CollectionCard]


class Deleted(TypedDict):
    """What is no more."""

    id: str
    object: Literal["collection.deleted", "document.deleted"]
    deleted: Literal[True]


class ReceiptCard(TypedDict):
    """What becomes of a document: it waits to be read, or the very same one is there already."""

    id: str
    object: Literal["document.receipt"]
    status: Literal["pending", "unchanged"]


class ReceiptList(TypedDict):
    """One for each document, in their order."""

    object: Literal["list"]
    data: list[ReceiptCard]


class DocumentCard(TypedDict):
    """One document; `error` says why it failed."""

    id: str
    object: Literal["document"]
    status: Literal["pending", "ready", "failed"]
    error: str | None
    source: str
    media_type: str
    title: str
    metadata: dict[str, Any]
    bytes: int
    chunks: int
    updated_at: int


class DocumentList(TypedDict):
    """Documents by id. Where there are more, `last_id` is what the next request gives as `after`."""

    object: Literal["list"]
    data: list[DocumentCard]
    has_more: bool
    last_id: str | None


class SearchHit(TypedDict):
    """A passage; `page` is null where its document has no pages."""

    object: Literal["passage"]
    document_id: str
    chunk_id: int
    text: str
    score: float
    source: str
    title: str
    headings: list[str]
    page: int | None
    position: int
    metadata: dict[str, Any]


class SearchResults(TypedDict):
    """Passages, best first."""

    object: Literal["list"]
    data: list[SearchHit]
