"""The one Alembic environment of all services; `chassis.database.upgrade` calls it.

A migration reads the app role with `op.get_context().opts["app_role"]` to grant it what it needs.
"""

from alembic import context
from sqlalchemy import NullPool, create_engine, text

url: str = context.config.attributes["owner_url"]
engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
with engine.connect() as connection:
    # Two deployments at once: the second waits, then finds nothing to do. A no-op on CockroachDB.
    connection.execute(text("select pg_advisory_xact_lock(hashtext('paymesh.migrate'))"))
    context.configure(connection=connection, app_role=context.config.attributes["app_role"])
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
