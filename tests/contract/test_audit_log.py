"""The audit log on PostgreSQL: append-only, sealed while it is written to, provable."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import psycopg
import pytest
from paymesh.audit.v1 import audit_log_service_pb2 as wire

from audit_log import messages
from audit_log.chain import Kind, Offence
from audit_log.reader import AuditLogReader, LineFilter, Verdict
from audit_log.record import ActorKind, Origin, record
from audit_log.sealer import HorizonBehind, seal_next
from audit_log.writing import add_alone, add_in
from chassis.database import Database, Transaction
from devstack.audit_log import files
from tests.servers import PostgresServer, ServiceDatabase

_BY = Origin(ActorKind.OPERATOR, "ann", is_verified=True, action="a.B/C", request_id="r")
_DEADLINE_S = 60


@pytest.fixture
def stored(postgres: PostgresServer) -> Iterator[ServiceDatabase]:
    """A database with the log."""
    with postgres.own_database("edge_auth") as made:
        yield made


@pytest.fixture(scope="module")
def untouched(postgres: PostgresServer) -> Callable[[str], ServiceDatabase]:
    """A database of each service, for those who can change nothing."""
    return cache(postgres.fresh_database)


@pytest.fixture
async def database(stored: ServiceDatabase) -> AsyncIterator[Database]:
    """It, opened as the app role."""
    opened = Database(stored.app_url)
    await opened.open()
    yield opened
    await opened.close()


async def _add(database: Database, *names: str) -> None:
    made = [record(_BY, "client", name, reason="why", after={"name": name}) for name in names]
    await add_alone(database, made)


async def _seal_all(database: Database) -> None:
    """Seal until nothing is left; other databases' transactions may hold the horizon up."""
    async with asyncio.timeout(_DEADLINE_S):
        while (await _verify(database))[1].open_count:
            await seal_next(database)


async def _verify(
    database: Database, known: dict[int, bytes] | None = None
) -> tuple[list[Offence], Verdict]:
    told = [one async for one in AuditLogReader(database).verify(known or {})]
    verdict = told[-1]
    assert isinstance(verdict, Verdict)
    return [one for one in told if isinstance(one, Offence)], verdict


def _as_owner(stored: ServiceDatabase, statement: str) -> int:
    with psycopg.connect(stored.owner_url, autocommit=True) as connection:
        return connection.execute(statement).rowcount  # type: ignore[arg-type]


@pytest.mark.parametrize("table", ["audit_log", "audit_seals"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {} SET at = now()",
        "DELETE FROM {}",
        "TRUNCATE {}",
        "DROP TABLE {}",
        "ALTER TABLE {} ADD COLUMN note text",
    ],
)
@pytest.mark.parametrize(
    "service", ["payment_svc", "ledger_svc", "wallet_svc", "psp_gateway", "edge_auth"]
)
def test_the_app_role_may_only_add_and_read(
    untouched: Callable[[str], ServiceDatabase], service: str, statement: str, table: str
) -> None:
    """In every service's database PostgreSQL itself refuses all else."""
    url = untouched(service).app_url

    with psycopg.connect(url) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement.format(table))  # type: ignore[arg-type]


async def test_a_log_is_sealed_and_sound(database: Database) -> None:
    """What is not sealed yet is told, then all is."""
    await _add(database, "one", "two")

    offences, verdict = await _verify(database)
    assert (offences, verdict.open_count, verdict.seal_count) == ([], 3, 0)

    await _seal_all(database)
    offences, verdict = await _verify(database)
    assert offences == []
    assert (verdict.line_count, verdict.open_count) == (3, 0)
    assert await seal_next(database) is None


async def test_a_change_and_its_line_are_one(database: Database) -> None:
    """Undone together; a transaction that fails leaves no line."""

    async def work(tx: Transaction) -> None:
        await add_in(tx, [record(_BY, "client", "undone")])
        await tx.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await database.run(work)

    assert await AuditLogReader(database).list_lines(LineFilter(object_id="undone"), 10) == []


async def test_no_seal_passes_a_transaction_under_way(
    stored: ServiceDatabase, database: Database
) -> None:
    """Who writes first and commits last is sealed all the same, in a seal after."""
    with psycopg.connect(stored.app_url) as slow:
        slow.execute("SELECT pg_current_xact_id()")  # it has its number, and waits
        await _add(database, "quick")
        assert await seal_next(database) is None or (await _verify(database))[1].open_count
        before = (await _verify(database))[1].open_count
        assert before >= 1
        said = record(_BY, "client", "slow")
        slow.execute(
            "INSERT INTO audit_log (actor_kind, actor_id, is_verified, action, request_id,"
            " object_kind, object_id, reason, before, after, hash)"
            " VALUES ('operator', 'ann', true, 'a.B/C', 'r', 'client', 'slow', '', '{}', '{}', %s)",
            [said.hash],
        )

    await _seal_all(database)
    offences, verdict = await _verify(database)
    assert (offences, verdict.line_count) == ([], 3)


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("UPDATE audit_log SET reason = 'another' WHERE object_id = 'two'", Kind.LINE_CHANGED),
        ("UPDATE audit_log SET actor_id = 'bob' WHERE object_id = 'two'", Kind.LINE_CHANGED),
        ("UPDATE audit_log SET after = '{}' WHERE object_id = 'two'", Kind.LINE_CHANGED),
        (
            "UPDATE audit_log SET at = at - interval '1 day' WHERE object_id = 'two'",
            Kind.LINE_CHANGED,
        ),
        ("UPDATE audit_log SET hash = sha256('') WHERE object_id = 'two'", Kind.LINE_CHANGED),
        ("DELETE FROM audit_log WHERE object_id = 'two'", Kind.LINE_MISSING),
        ("DELETE FROM audit_seals WHERE number = 1", Kind.SEAL_MISSING),
        ("UPDATE audit_seals SET at = now() WHERE number = 1", Kind.SEAL_CHANGED),
        (
            "UPDATE audit_seals SET sequences = sequences[2:], digests = digests[2:]"
            " WHERE number = 1",
            Kind.SEAL_CHANGED,
        ),
    ],
)
async def test_what_the_owner_changes_is_found(
    stored: ServiceDatabase, database: Database, statement: str, kind: Kind
) -> None:
    """Also by who owns the database."""
    await _add(database, "one", "two")
    await _seal_all(database)
    await _add(database, "three")
    await _seal_all(database)

    assert _as_owner(stored, statement) == 1

    assert kind in {offence.kind for offence in (await _verify(database))[0]}


async def test_an_old_line_slipped_in_is_found(stored: ServiceDatabase, database: Database) -> None:
    """With another's transaction number it lies behind a seal that does not name it."""
    await _add(database, "one")
    await _seal_all(database)

    slipped = record(_BY, "client", "slipped")
    _as_owner(
        stored,
        "INSERT INTO audit_log (xid, actor_kind, actor_id, is_verified, action, request_id,"
        " object_kind, object_id, reason, before, after, hash) SELECT xid, 'operator', 'ann', true,"
        " 'a.B/C', 'r', 'client', 'slipped', '', '{}', '{}',"
        f" '\\x{slipped.hash.hex()}' FROM audit_log WHERE object_id = 'one'",
    )

    (offence,) = (await _verify(database))[0]
    assert offence.kind is Kind.LINE_INSERTED


async def test_a_cut_tail_is_found_by_who_kept_a_seal(
    stored: ServiceDatabase, database: Database
) -> None:
    """The newest seals and lines are missed by nobody else."""
    await _add(database, "one")
    await _seal_all(database)
    last = (await _verify(database))[1]
    number = last.last_number
    _as_owner(stored, f"DELETE FROM audit_seals WHERE number = {number}")
    _as_owner(stored, "DELETE FROM audit_log WHERE object_id = 'one'")

    assert Kind.SEAL_MISSING in {
        one.kind for one in (await _verify(database, {number: last.last_hash}))[0]
    }


async def test_a_database_that_counts_anew_is_told(
    stored: ServiceDatabase, database: Database
) -> None:
    """As after a restore from a dump: nothing is sealed wrongly."""
    await _add(database, "one")
    await _seal_all(database)
    _as_owner(stored, "UPDATE audit_seals SET horizon = horizon + 1000000000")

    with pytest.raises(HorizonBehind):
        await seal_next(database)


async def test_batches_never_cut_a_transaction_in_two(database: Database) -> None:
    """Seals of few lines cover all of them, a large transaction whole."""
    await _add(database, *(f"many-{n}" for n in range(7)))
    for n in range(6):
        await _add(database, f"single-{n}")

    async with asyncio.timeout(_DEADLINE_S):
        while (await _verify(database))[1].open_count:
            seal = await seal_next(database, lines_max=3)
            assert seal is None or len(seal.sequences) in (1, 2, 3, 7)

    offences, verdict = await _verify(database)
    assert (offences, verdict.line_count) == ([], 14)


def _writer(stored: ServiceDatabase, number: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.audit_writer", stored.app_url, str(number)]
    # Who is not read from stands still after some hundred lines, and does not fill the log.
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, pipesize=4096)


async def test_many_writers_and_sealers_leave_one_sound_chain(
    stored: ServiceDatabase, database: Database
) -> None:
    """Four writers in processes of their own, two of them killed, and two sealers alongside."""
    writers = [_writer(stored, n) for n in range(4)]
    other = Database(stored.app_url)
    await other.open()
    try:
        counts = []
        for place, writer in enumerate(writers):
            assert writer.stdout is not None
            seen = 0
            while seen < 40:
                assert await asyncio.to_thread(writer.stdout.readline)
                seen += 1
                await asyncio.gather(seal_next(database), seal_next(other))
            if place % 2:
                os.kill(writer.pid, signal.SIGKILL)
            else:
                writer.terminate()
            rest, _ = await asyncio.to_thread(writer.communicate)
            counts.append(seen + len(rest.splitlines()))
        await _seal_all(database)
        offences, verdict = await _verify(database)
    finally:
        await other.close()
        for writer in writers:
            writer.kill()
            writer.wait()

    assert offences == []
    assert verdict.open_count == 0
    # A writer says so after each commit: at most its last one is there without.
    assert sum(counts) < verdict.line_count <= sum(counts) + 1 + len(writers)
    assert verdict.seal_count > 1


async def _exported(database: Database, path: Path, *, is_whole: bool, object_id: str = "") -> None:
    reader, horizon = AuditLogReader(database), 0
    chosen = LineFilter(object_id=object_id)
    told = [files.heading("edge_auth", is_whole=is_whole)]
    async for seal, lines in reader.seals():
        fitting = [line for line in lines if chosen.fits(line)]
        told += [
            files.written(wire.ExportAuditLogResponse(line=messages.to_line(line)))
            for line in fitting
        ]
        told.append(files.written(wire.ExportAuditLogResponse(seal=messages.to_seal(seal))))
        horizon = seal.horizon
    async for lines in reader.open_lines(horizon):
        told += [
            files.written(wire.ExportAuditLogResponse(line=messages.to_line(line)))
            for line in lines
            if chosen.fits(line)
        ]
    _write(path, told)


def _read(path: Path) -> list[str]:
    return path.read_text().splitlines()


def _write(path: Path, lines: Sequence[str]) -> None:
    path.write_text("\n".join(lines) + "\n")


async def test_an_export_is_proved_as_the_log_is(database: Database, tmp_path: Path) -> None:
    """The same verdict by the same code, and whichever line of the log is changed is named."""
    await _add(database, "one", "two")
    await _seal_all(database)
    await _add(database, "three")
    path = tmp_path / "log.jsonl"
    await _exported(database, path, is_whole=True)

    *offences, verdict = files.verify_file(path, {})
    assert (offences, verdict) == ([], (await _verify(database))[1])

    lines, tried = _read(path), 0
    for place, text in enumerate(lines[1:], 1):
        changed = json.loads(text)
        if "line" not in changed:
            continue
        changed["line"]["reason"], tried = "another", tried + 1
        _write(path, [*lines[:place], json.dumps(changed), *lines[place + 1 :]])
        assert [one.kind for one in files.verify_file(path, {}) if isinstance(one, Offence)] == [
            Kind.LINE_CHANGED
        ]
    assert tried == verdict.line_count


async def test_a_selection_is_proved_too(database: Database, tmp_path: Path) -> None:
    """Of the lines that were asked for; the others are not missed."""
    await _add(database, "one", "two")
    await _seal_all(database)
    path = tmp_path / "log.jsonl"
    await _exported(database, path, is_whole=False, object_id="two")

    *offences, verdict = files.verify_file(path, {})

    assert offences == []
    assert isinstance(verdict, Verdict)
    assert verdict.line_count == 1


async def test_lines_are_found_by_who_what_and_when(database: Database) -> None:
    """Each filter by itself, the newest first, in pages."""
    await _add(database, "one", "two", "one")
    reader = AuditLogReader(database)

    async def found(chosen: LineFilter) -> list[str]:
        return [line.record.object_id for line in await reader.list_lines(chosen, 10)]

    assert await found(LineFilter(object_id="one")) == ["one", "one"]
    assert await found(LineFilter(actor_id="ann")) == ["one", "two", "one"]
    assert await found(LineFilter(action="C")) == ["one", "two", "one"]
    assert await found(LineFilter(action="a.B/C", object_kind="client")) == ["one", "two", "one"]
    assert await found(LineFilter(actor_id="bob")) == []
    (first,) = await reader.list_lines(LineFilter(object_id="two"), 1)
    assert await found(LineFilter(since=first.at)) == ["one", "two", "one"]
    assert await found(LineFilter(object_kind="client", until=first.at)) == []
    (older,) = await reader.list_lines(LineFilter(actor_id="ann"), 1, before=first.sequence)
    assert older.record.object_id == "one"
