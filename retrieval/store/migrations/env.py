"""Where alembic finds the connection and the tables. `retrieval.store.database` runs it."""

from alembic import context

from retrieval.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table="retrieval_schema",  # others may keep their own tables in the same database
    render_as_batch=True,
)
context.run_migrations()
