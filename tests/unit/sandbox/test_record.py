"""The record's file."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from devstack.sandbox.entry import Entry
from devstack.sandbox.record import BrokenRecord, Record


def entry(record: Record, kind: str = "charge", **metadata: str) -> Entry:
    """Make the next line."""
    at, seq = 1_800_000_000.123456, record.next_seq
    return Entry(seq, at, "stripe", kind, f"ch_{seq}", "pi_1", 100, "usd", metadata, None)


def opened(path: Path) -> Record:
    """Open a record and read it through."""
    record = Record(path)
    list(record.open())
    return record


async def written(path: Path, count: int) -> None:
    """Write a record of so many lines."""
    record = opened(path)
    for _ in range(count):
        record.append(entry(record), {"n": record.next_seq})
    await record.close()


async def test_lines_are_on_disk_once_durable(tmp_path: Path) -> None:
    """After `durable` the file holds the line, whole and as JSON."""
    record = opened(tmp_path / "record")
    record.append(entry(record, payment_id="pay_1"), {"x": 1})
    await record.durable()

    line = json.loads((tmp_path / "record").read_bytes())

    assert line == {
        "seq": 1, "at": "2027-01-15T08:00:00.123456Z", "psp": "stripe", "kind": "charge",
        "reference": "ch_1", "payment_reference": "pi_1", "amount": 100, "currency": "usd",
        "metadata": {"payment_id": "pay_1"}, "idempotency_key": None, "detail": {"x": 1},
    }  # fmt: skip
    await record.close()


async def test_concurrent_lines_share_a_sync(tmp_path: Path) -> None:
    """A hundred lines appended together cost a few writes, in their order."""
    batches: list[bytes] = []

    class CountingRecord(Record):
        def _write(self, batch: bytes) -> None:
            batches.append(batch)
            super()._write(batch)

    record = CountingRecord(tmp_path / "record")
    list(record.open())

    async def one() -> None:
        record.append(entry(record), {})
        await record.durable()

    await asyncio.gather(*(one() for _ in range(100)))
    await record.close()

    assert len(batches) <= 2
    again = opened(tmp_path / "record")
    assert [line.seq for line in again.entries] == list(range(1, 101))
    assert again.entries == record.entries
    await again.close()


@pytest.mark.parametrize("torn", [b'{"seq":4,"at"', b"\0\0\0\n", b'{"seq":9}\n'])
async def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    """What a crash left of the last line is dropped, and the next line takes its place."""
    path = tmp_path / "record"
    await written(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole + torn)

    record = opened(path)

    assert (record.next_seq, path.read_bytes()) == (4, whole)
    record.append(entry(record), {})
    await record.close()
    assert len(path.read_bytes().splitlines()) == 4


async def test_a_broken_middle_is_not_hidden(tmp_path: Path) -> None:
    """A bad line that is not the last one stops the start, naming its place."""
    path = tmp_path / "record"
    await written(path, 3)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"rubbish\n" + lines[2])

    with pytest.raises(BrokenRecord, match=":2 is no line"):
        opened(path)


async def test_one_process_at_a_time(tmp_path: Path) -> None:
    """A record in use cannot be opened again."""
    record = opened(tmp_path / "record")

    with pytest.raises(BlockingIOError):
        opened(tmp_path / "record")
    await record.close()


async def test_lines_come_in_order(tmp_path: Path) -> None:
    """A line out of its turn is a bug, and refused."""
    record = opened(tmp_path / "record")
    line = entry(record)
    record.append(line, {})

    with pytest.raises(ValueError, match="not the next"):
        record.append(line, {})
    await record.close()


async def test_a_disk_that_refuses_is_told(tmp_path: Path) -> None:
    """When the disk refuses, the failure is called and nobody is told that all is well."""
    failures: list[OSError] = []

    def refuse(batch: bytes) -> None:
        raise OSError(28, "no space left")

    class FullRecord(Record):
        def _write(self, batch: bytes) -> None:
            refuse(batch)

    record = FullRecord(tmp_path / "record", failures.append)
    list(record.open())
    record.append(entry(record), {})

    with pytest.raises(OSError, match="no space"):
        await record.durable()
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("metadata", "kinds", "after", "limit", "found"),
    [
        ({}, None, 0, 10, [1, 2, 3, 4]),
        ({}, {"charge"}, 0, 10, [1, 2, 4]),
        ({}, None, 2, 1, [3]),
        ({"payment_id": "b"}, None, 0, 10, [2, 3]),
        ({"payment_id": "b"}, None, 2, 10, [3]),
        ({"payment_id": "b"}, {"charge"}, 0, 10, [2]),
        ({"payment_id": "b", "attempt": "2"}, None, 0, 10, [3]),
        ({"payment_id": "nobody"}, None, 0, 10, []),
    ],
)
async def test_finding(
    tmp_path: Path,
    metadata: Mapping[str, str],
    kinds: set[str] | None,
    after: int,
    limit: int,
    found: list[int],
) -> None:
    """Lines are found by metadata, kind and place, also those appended after the first search."""
    record = opened(tmp_path / "record")
    record.append(entry(record, payment_id="a"), {})
    record.append(entry(record, payment_id="b", attempt="1"), {})
    record.find({"payment_id": "b"}, None, 0, 10)
    record.append(entry(record, "refund", payment_id="b", attempt="2"), {})
    record.append(entry(record), {})

    assert [line.seq for line in record.find(metadata, kinds, after, limit)] == found
    await record.close()
