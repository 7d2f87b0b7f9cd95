"""docs/reference/data-protection.md says of every column that can hold a secret what is in it."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import ARRAY, JSON, LargeBinary, String

from edge_auth import private as edge_private
from payment_svc import private as payment_private
from psp_gateway import private as psp_private
from tests.tidy.test_tidy import ROOT, SERVICES

PAGE = ROOT / "docs" / "reference" / "data-protection.md"
PRIVATE = {
    "payment_svc": payment_private.PRIVATE,
    "psp_gateway": psp_private.PRIVATE,
    "edge_auth": edge_private.PRIVATE,
}
_ONE = re.compile(r"^\| `([a-z_]+\.[a-z_]+\.[a-z_]+)` \|", re.MULTILINE)
_MANY = re.compile(r"^\| `([a-z_]+\.[a-z_]+)` \| ([a-z0-9_, ]+) \|$", re.MULTILINE)


def columns() -> Iterator[str]:
    """List all columns that hold text, JSON or bytes."""
    for service in SERVICES:
        for table in importlib.import_module(f"{service}.tables").METADATA.tables.values():
            for column in table.columns:
                if isinstance(column.type, String | LargeBinary | JSON | ARRAY):
                    yield f"{service}.{table.name}.{column.name}"


def classified(page: Path = PAGE) -> list[str]:
    """List the columns of the page."""
    text = page.read_text()
    many = [f"{table}.{name}" for table, names in _MANY.findall(text) for name in names.split(", ")]
    return [*_ONE.findall(text), *many]


def section(name: str) -> str:
    """Read a section of the page."""
    return PAGE.read_text().partition(f"## {name}\n")[2].partition("\n## ")[0]


def test_every_column_is_classified_once() -> None:
    """A new one belongs into one of the page's tables; one that is gone belongs in none."""
    assert sorted(classified()) == sorted(columns())


def test_the_page_calls_encrypted_what_is_encrypted() -> None:
    """What the code encrypts and wraps is in the first table, and nothing else."""
    wanted = {
        f"{service}.{where.table}.{where.column}"
        for service, private in PRIVATE.items()
        for where in private
    } | {f"{service}.data_keys.wrapped" for service in PRIVATE}

    assert set(_ONE.findall(section("Encrypted"))) == wanted


def test_what_is_empty_is_what_rewrap_empties() -> None:
    """The old columns are those whose values move."""
    wanted = {
        f"{service}.{where.table}.{assignment.split(' = ')[0].strip()}"
        for service, private in PRIVATE.items()
        for where in private
        for assignment in where.cleared.split(",")
    }

    assert set(_ONE.findall(section("Empty"))) == wanted
