"""Run by Alembic: migrates over the connection that `db.schema` gives it."""

from alembic import context

from db.tables import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
context.run_migrations()
