"""Columns as PostgreSQL's array literals: `{a,b}`.

A batch of 1,000 is some 25,000 values. The driver's own array dumper, in Python, would cost a
quarter of a service's CPU; joining text costs a tenth of that, and PostgreSQL parses it in C. A
column without any value is the empty array: `unnest` of several fills it up with NULL.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime


def plain(values: Iterable[object]) -> str:
    """Write numbers, UUIDs, truth values, names: what holds no comma, brace, quote or space.

    None is NULL.
    """
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def known(values: Iterable[object]) -> str:
    """Write what `plain` does, where nothing is None."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Sequence[str]) -> str:
    """Write texts, whatever they hold; NUL apart, which PostgreSQL does not keep."""
    joined = '","'.join(values)
    if "\\" in joined or joined.count('"') != 2 * len(values) - 2:
        return "{" + ",".join(map(_quoted, values)) + "}"
    return '{"' + joined + '"}'


def some_texts(values: Sequence[str | None]) -> str:
    """Write texts of which any may be missing: None is NULL, and an empty one is not."""
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def digests(values: Iterable[bytes]) -> str:
    """Write bytes."""
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def times(values: Sequence[datetime | None]) -> str:
    """Write times; most of a batch are the same, and writing one costs as much as comparing ten."""
    if not any(values):
        return "{}"
    written: dict[datetime | None, str] = {None: "NULL"}
    return "{" + ",".join([written.get(v) or written.setdefault(v, f'"{v}"') for v in values]) + "}"


def _quoted(value: str) -> str:
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'
