"""Collections, documents, uploads and chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _parent(table: str, of: str) -> tuple[sa.Column, sa.ForeignKeyConstraint]:
    column = f"{of.removesuffix('s')}_id"
    return (
        sa.Column(column, sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint([column], [f"{of}.id"], name=f"fk_{table}_{column}_{of}", ondelete="CASCADE"),
    )


def upgrade() -> None:
    """From an empty database."""
    op.create_table(
        "collections",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("uid", sa.String(32), nullable=False),
        sa.Column("encoder", sa.String(256), nullable=False),
        sa.Column("dimensions", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_collections"),
        sa.UniqueConstraint("tenant", "name", name="uq_collections_tenant"),
        sa.UniqueConstraint("uid", name="uq_collections_uid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "documents",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        *_parent("documents", "collections"),
        sa.Column("key", sa.String(1024), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(256), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_documents"),
        sa.UniqueConstraint("collection_id", "key", name="uq_documents_collection_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "uploads",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        *_parent("uploads", "collections"),
        *_parent("uploads", "documents"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("media_type", sa.String(256), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_uploads"),
        sa.UniqueConstraint("document_id", name="uq_uploads_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_uploads_collection_id", "uploads", ["collection_id", "id"])
    op.create_table(
        "chunks",
        sa.Column("id", _ID, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(256), nullable=False),
        *_parent("chunks", "collections"),
        *_parent("chunks", "documents"),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("headings", sa.JSON(), nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("digest", sa.BigInteger(), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chunks"),
        sa.UniqueConstraint("document_id", "position", name="uq_chunks_document_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_chunks_collection_id", "chunks", ["collection_id", "id"])
