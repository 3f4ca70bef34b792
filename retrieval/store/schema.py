"""The tables. A change here wants a migration beside it; a test compares both.

Chunks are never altered and their ids never used again: a document that changes gets new ones. So two sets of ids say
all that an index has to catch up with. The tenant stands on every row, and every query asks for it.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

NAME = 256  # characters of names, and of documents' keys four times as many

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column:
    # SQLite counts up by itself only in a column of exactly this type.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True)


def _parent(table: str) -> Column:
    return Column(
        f"{table.removesuffix('s')}_id", BigInteger, ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False
    )


def _tenant() -> Column:
    return Column("tenant", String(NAME), nullable=False)


collections = Table(
    "collections",
    metadata,
    _id(),
    _tenant(),
    Column("name", String(NAME), nullable=False),
    Column("uid", String(32), nullable=False, unique=True),  # names the index's folder, never used again
    Column("encoder", String(NAME), nullable=False),  # whose vectors these are
    Column("dimensions", Integer, nullable=False),
    Column("version", BigInteger, nullable=False),  # grows with every change of documents
    Column("created", Float, nullable=False),  # seconds since 1970, here and below
    UniqueConstraint("tenant", "name"),
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    _id(),
    _tenant(),
    _parent("collections"),
    Column("key", String(4 * NAME), nullable=False),
    Column("status", String(16), nullable=False),  # pending, ready or failed
    Column("error", Text),  # why it failed
    Column("source", Text, nullable=False),
    Column("media_type", String(NAME), nullable=False),
    Column("title", Text, nullable=False),
    Column("metadata", JSON, nullable=False),
    Column(
        "recipe", String(64), nullable=False
    ),  # digest of all that its chunks were made from; empty before the first
    Column("bytes", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("updated", Float, nullable=False),
    UniqueConstraint("collection_id", "key"),
    sqlite_autoincrement=True,
)

uploads = Table(  # what was accepted and is still to be read, one at most for each document
    "uploads",
    metadata,
    _id(),
    _tenant(),
    _parent("collections"),
    Column("document_id", BigInteger, ForeignKey("documents.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("source", Text, nullable=False),
    Column("media_type", String(NAME), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("attempts", Integer, nullable=False),  # to read it that have not ended, as far as is known
    Index("ix_uploads_collection_id", "collection_id", "id"),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    _id(),
    _tenant(),
    _parent("collections"),
    _parent("documents"),
    Column("position", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("headings", JSON, nullable=False),
    Column("page", Integer),
    Column("tokens", Integer, nullable=False),
    Column("digest", BigInteger, nullable=False),  # of encoder and embedded text
    Column("vector", LargeBinary, nullable=False),  # float32, little-endian, of length 1
    UniqueConstraint("document_id", "position"),
    Index("ix_chunks_collection_id", "collection_id", "id"),
    sqlite_autoincrement=True,
)
