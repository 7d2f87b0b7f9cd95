"""tables.py says what the migrations make, in every service."""

import importlib
import re

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from tests.servers import PostgresServer
from tests.tidy.test_tidy import SERVICES


def _is_no_month(name: str | None, kind: str, _: object) -> bool:
    """Leave the tables of single months out: their parents are compared."""
    return kind != "table" or not re.fullmatch(r"(entries|transactions)_(first|[\d_]+)", name or "")


@pytest.mark.parametrize("service", SERVICES)
def test_tables_equal_the_migrated_schema(postgres: PostgresServer, service: str) -> None:
    """Nothing is in one and not in the other."""
    metadata = importlib.import_module(f"{service}.tables").METADATA
    url = postgres.fresh_database(service).owner_url
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))

    with engine.connect() as connection:
        options = {"compare_type": True, "include_name": _is_no_month}
        context = MigrationContext.configure(connection, opts=options)
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []
