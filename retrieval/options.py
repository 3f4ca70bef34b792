"""What a person may choose about retrieval: plain values.

The metadata of each field is written in pydantic's words (`description`, `ge`, `le`), as in `serving.engine.options`,
so that settings validate and document the very same class without this room importing pydantic.
"""

from dataclasses import dataclass, field


def _option(default, description: str, **limits):
    return field(default=default, metadata={"description": description, **limits})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalOptions:
    """The options of ingest, indexes and search."""

    document_bytes: int = _option(32 * 2**20, "Bytes of the largest document that is taken.", ge=1)
    parse_seconds: float = _option(
        60.0, "Seconds that parsing a document may take; then it counts as unreadable.", gt=0
    )
    chunk_tokens: int = _option(200, "Tokens of a chunk at most, its headings included.", ge=16, le=8192)
    chunk_overlap: int = _option(40, "Tokens that a chunk repeats of the one before it, where a section is cut.", ge=0)
    embed_batch: int = _option(64, "Chunks that go to the encoder at once.", ge=1)
    candidates: int = _option(100, "Chunks that each kind of search brings to the fusion of both.", ge=1, le=10_000)
    recall: float = _option(
        0.99, "Share of the ten nearest chunks that an approximate index must find, measured when built.", gt=0, le=1
    )
    index_memory: int = _option(2 * 2**30, "Bytes of all loaded indexes together; the longest unused go first.", ge=0)
    index_idle: float = _option(900.0, "Seconds after which an unused index leaves memory.", gt=0)
