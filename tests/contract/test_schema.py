"""tables.py says what the migrations make, in every service."""

import importlib

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tests.servers import PostgresServer
from tests.tidy.test_tidy import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_tables_equal_the_migrated_schema(postgres: PostgresServer, service: str) -> None:
    """Nothing is in one and not in the other."""
    metadata = importlib.import_module(f"{service}.tables").METADATA
    url = postgres.fresh_database(service).owner_url
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []
