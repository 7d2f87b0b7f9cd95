"""Settlement files over HTTP: from payments to files, mismatches, transfers, restarts."""

import csv
import hashlib
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from devstack.sandbox.settlement.files import Files
from psp_gateway.providers.bank import camt
from tests.unit.sandbox.served import Served
from tests.unit.sandbox.settled import DAY_S, NOON, book_of, entry

HEADERS = {"X-API-Key": "test_key", "Authorization": "Bearer sk_test_1"}
FILES = "/control/settlement"


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Served]:
    """A sandbox that Adyen's and Stripe's callers are known to."""
    served = await Served.start(tmp_path / "record.jsonl", HEADERS)
    yield served
    await served.stop()


async def charge(sandbox: Served, psp: str, attempt: str) -> None:
    """Take 10.00 EUR."""
    if psp == "stripe":
        body = "amount=1000&currency=eur&confirm=true&payment_method=pm_card_visa"
        own = {"Content-Type": "application/x-www-form-urlencoded"}
        sent = f"{body}&metadata[attempt_id]={attempt}".encode()
        status, content, _ = await sandbox.send("POST", "/stripe/v1/payment_intents", sent, own)
    else:
        order = {
            "merchantAccount": "Shop",
            "reference": attempt,
            "amount": {"value": 1000, "currency": "EUR"},
            "paymentMethod": {"type": "scheme", "storedPaymentMethodId": "any"},
            "returnUrl": "https://shop.example/back",
        }
        status, content, _ = await sandbox.send("POST", "/adyen/v71/payments", order)
    assert status == 200, content


async def listed(sandbox: Served) -> dict[str, dict[str, Any]]:
    """List the files; the first of each writer."""
    status, content, _ = await sandbox.send("GET", FILES)
    assert status == 200, content
    return {file["psp"]: file for file in reversed(content["files"])}


async def taken(sandbox: Served, url: str) -> tuple[bytes, Mapping[str, str]]:
    """Take a file as it is."""
    async with sandbox.session.get(url) as response:
        assert response.status == 200
        return await response.read(), dict(response.headers)


async def ask(sandbox: Served, what: str, **fields: object) -> tuple[int, Any]:
    """Ask control for something of settlement."""
    status, content, _ = await sandbox.send("POST", f"{FILES}/{what}", fields)
    return status, content


async def test_payments_become_files(sandbox: Served) -> None:
    """What was paid at a PSP is in its file days later, and on the bank account."""
    for psp in ("stripe", "adyen"):
        await charge(sandbox, psp, f"att_{psp}")
    assert not await listed(sandbox)
    await sandbox.advance(5 * DAY_S)
    files = await listed(sandbox)
    assert files.keys() == {"stripe", "adyen", "bank"}
    for file in files.values():
        content, headers = await taken(sandbox, file["url"])
        assert len(content) == file["bytes"]
        assert hashlib.sha256(content).hexdigest() == file["sha256"]
        assert headers["Content-Disposition"] == f'attachment; filename="{file["name"]}"'
        is_bank = file["psp"] == "bank"
        media = "application/xml" if is_bank else "text/csv"
        assert headers["Content-Type"] == f"{media}; charset=utf-8"
    stripe, _ = await taken(sandbox, files["stripe"]["url"])
    row, _ = csv.DictReader(io.StringIO(stripe.decode()))
    assert (row["payment_metadata[attempt_id]"], row["gross"]) == ("att_stripe", "10.00")
    adyen, _ = await taken(sandbox, files["adyen"]["url"])
    settled = next(csv.DictReader(io.StringIO(adyen.decode())))
    assert (settled["Merchant Reference"], settled["Gross Credit (GC)"]) == ("att_adyen", "10.00")
    bank, _ = await taken(sandbox, files["bank"]["url"])
    assert [statement.is_balanced for statement in camt.read(bank)] == [True]


async def test_a_file_given_never_changes(sandbox: Served) -> None:
    """Not by a plan, nor by a restart, nor by what comes later."""
    await charge(sandbox, "stripe", "att_1")
    await sandbox.advance(4 * DAY_S)
    file = (await listed(sandbox))["stripe"]
    before, _ = await taken(sandbox, file["url"])
    plan = {"psp": "stripe", "date": file["date"], "kind": "missing_row"}
    status, content = await ask(sandbox, "mismatches", **plan)
    assert (status, "has been given" in content["error"]) == (409, True)
    await charge(sandbox, "stripe", "att_2")
    await sandbox.restart()
    assert (await ask(sandbox, "mismatches", **plan))[0] == 409
    await sandbox.advance(4 * DAY_S)
    assert (await taken(sandbox, file["url"]))[0] == before


async def test_a_plan_is_kept_and_told(sandbox: Served) -> None:
    """A mismatch planted before its day is over is in the file after a restart, and is told."""
    await charge(sandbox, "adyen", "att_1")
    await charge(sandbox, "adyen", "att_2")
    at = sandbox.world.clock.now()
    await sandbox.advance(DAY_S)
    probe = book_of([entry(1, "adyen", "charge", 1, at=at)]).days("adyen", at + 9 * DAY_S)
    plan = {"psp": "adyen", "date": probe[0].day.isoformat(), "kind": "missing_row", "seed": 3}
    status, content = await ask(sandbox, "mismatches", **plan)
    assert (status, content["id"], content["is_over"]) == (200, "mis_1", False)
    assert content["planted"] == []
    await sandbox.restart()
    await sandbox.advance(4 * DAY_S)
    _, content, _ = await sandbox.send("GET", f"{FILES}/mismatches")
    [told] = content["mismatches"]
    [missing] = told["planted"]
    assert (told["is_over"], missing["is"]) == (True, None)
    text, _ = await taken(sandbox, (await listed(sandbox))["adyen"]["url"])
    rows = [row for row in csv.DictReader(io.StringIO(text.decode())) if row["Type"] == "Settled"]
    [left] = {"att_1", "att_2"} - {missing["our_id"]}
    assert [row["Merchant Reference"] for row in rows] == [left]


async def test_transfers_reach_the_statement(sandbox: Served) -> None:
    """Transfers are on the statement of their day, and stay there through a restart."""
    transfer = {"amount": "12.50", "currency": "EUR", "end_to_end_id": "E2E-1"}
    for direction in ("in", "out", "returned"):
        status, content = await ask(sandbox, "transfers", direction=direction, **transfer)
        assert status == 200, content
    await sandbox.restart()
    await sandbox.advance(DAY_S)
    content, _ = await taken(sandbox, (await listed(sandbox))["bank"]["url"])
    [statement] = camt.read(content)
    assert [entry.amount for entry in statement.entries] == [
        sign * statement.entries[0].amount for sign in (1, -1, 1)
    ]


@pytest.mark.parametrize(
    ("what", "fields", "why"),
    [
        ("mismatches", {"psp": "bank", "date": "2026-01-01", "kind": "late_row"}, "psp must be"),
        ("mismatches", {"psp": "stripe", "date": "yesterday", "kind": "late_row"}, "date must be"),
        ("mismatches", {"psp": "stripe", "date": "2026-01-01", "kind": "lost"}, "kind must be"),
        ("mismatches", {"rows": 1}, "unknown field rows"),
        (
            "mismatches",
            {"psp": "stripe", "date": "2026-01-01", "kind": "late_row", "count": 0},
            "count must be",
        ),
        ("transfers", {"direction": "in", "amount": "1", "currency": "EUR"}, "end_to_end_id"),
        (
            "transfers",
            {"direction": "in", "amount": "1.5", "currency": "JPY", "end_to_end_id": "1"},
            "amount and currency",
        ),
        (
            "transfers",
            {"direction": "up", "amount": "1", "currency": "EUR", "end_to_end_id": "1"},
            "direction must be",
        ),
        (
            "transfers",
            {"direction": "in", "amount": "1", "currency": "EUR", "end_to_end_id": "1" * 36},
            "at most 35",
        ),
    ],
)
async def test_slips_are_told(
    sandbox: Served, what: str, fields: dict[str, object], why: str
) -> None:
    """A wrong field is a 400 that names it."""
    status, content = await ask(sandbox, what, **fields)
    assert status == 400
    assert why in content["error"]


async def test_what_is_not_there_is_not_found(sandbox: Served) -> None:
    """A day without a file is a 404, a writer or an option that does not exist a 400."""
    for url, expected in (
        (f"{FILES}/stripe/2026-01-01", 404),
        (f"{FILES}/bank/2026-01-01", 404),
        (f"{FILES}/klarna/2026-01-01", 400),
        (f"{FILES}/stripe/soon", 400),
        (f"{FILES}/stripe/2026-01-01?bom=true", 400),
    ):
        status, content, _ = await sandbox.send("GET", url)
        assert (status, "error" in content) == (expected, True)


async def test_paypal_can_begin_with_a_mark(tmp_path: Path) -> None:
    """PayPal's file is given with the byte order mark of some accounts when that is asked for."""
    line = {**entry(1, "paypal", "charge", 1000).to_json(), "detail": {}}
    (tmp_path / "record.jsonl").write_text(json.dumps(line) + "\n")
    sandbox = await Served.start(tmp_path / "record.jsonl", {})
    try:
        url = (await listed(sandbox))["paypal"]["url"]
        plain, headers = await taken(sandbox, url)
        assert (await taken(sandbox, f"{url}?bom=true"))[0] == b"\xef\xbb\xbf" + plain
        assert headers["Content-Disposition"].endswith('"STL-20260105.01.009.CSV"')
    finally:
        await sandbox.stop()


def test_a_large_day_takes_seconds() -> None:
    """20,000 charges are listed, and given, in seconds of the processor; each looked for among all
    would be minutes.
    """
    entries = [entry(seq, "adyen", "charge", 1000 + seq) for seq in range(1, 20_001)]
    files = Files(book_of(entries))
    start = time.process_time()
    [(_, day, seal), *_] = files.listed(NOON + 9 * DAY_S)
    found = files.find("adyen", day, NOON + 9 * DAY_S)
    assert time.process_time() - start < 30
    assert found is not None
    assert len(found.content) == seal.size
    assert found.content.count(b"\n") > 20_000
