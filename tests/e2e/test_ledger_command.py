"""`paymesh ledger`: the trial balance and the proof of the books, on a running stack."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devstack.rest import RestClient, specification_request
from devstack.state import State


def paymesh(state: State, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command on the stack."""
    program = str(Path(sys.executable).with_name("paymesh"))
    return subprocess.run(
        [program, *arguments, "--state", str(state.folder)],
        capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip


async def test_the_books_of_a_payment_are_sound(rest: RestClient, state: State) -> None:
    """After a payment they balance, now and before there was any, and verify."""
    created = await rest.create(specification_request("order-ledger-command"))
    await rest.until_final(created.body["payment_id"])

    verified = paymesh(state, "ledger", "verify")
    now = paymesh(state, "ledger", "trial-balance")
    before = paymesh(state, "ledger", "trial-balance", "--at", "2020-01-01")

    assert (verified.returncode, now.returncode, before.returncode) == (0, 0, 0)
    assert verified.stdout.startswith("The books are sound: ")
    (line,) = [line for line in now.stdout.splitlines() if line.startswith(" USD")]
    assert line.split()[1] == line.split()[2] != "0.00"
    assert line.split()[3] == "0.00"
    (line,) = [line for line in before.stdout.splitlines() if line.startswith(" USD")]
    assert line.split()[1:4] == ["0.00", "0.00", "0.00"]


async def test_a_month_is_closed_and_seals_are_held_against_the_books(state: State) -> None:
    """A closed month answers as before; a month not over, and a seal unheard of, do not."""
    last_month = (datetime.now(UTC).replace(day=1) - timedelta(days=1)).strftime("%Y-%m")

    closed = paymesh(state, "ledger", "close-month", last_month)
    again = paymesh(state, "ledger", "close-month", last_month)
    early = paymesh(state, "ledger", "close-month", datetime.now(UTC).strftime("%Y-%m"))
    since = paymesh(state, "ledger", "verify", "--since-last-checkpoint")
    unknown = paymesh(state, "ledger", "verify", "--seal", f"999999:{'0' * 64}")
    unreadable = paymesh(state, "ledger", "verify", "--seal", "1:zz")

    assert closed.stdout == again.stdout
    assert closed.stdout.startswith("Checkpoint 1: 0 transactions")
    assert early.returncode == 1
    assert "can be closed from" in early.stderr
    assert "from checkpoint 1 on" in since.stdout
    assert unknown.returncode == 1
    assert "WRONG_SEAL  seal 999999" in unknown.stderr
    assert unreadable.returncode == 2


def test_what_is_pending_is_told(state: State) -> None:
    """Nothing is, after payments: their postings move value at once."""
    told = paymesh(state, "ledger", "pendings", "--expires-before", "2100-01-01")
    refused = paymesh(state, "ledger", "pendings", "--account", "a b")

    assert (told.returncode, told.stdout) == (0, "")
    assert refused.returncode == 1
    assert "account_id" in refused.stderr


def test_a_time_that_is_none_is_refused(state: State) -> None:
    """The command says how a time looks."""
    refused = paymesh(state, "ledger", "trial-balance", "--at", "yesterday")

    assert refused.returncode == 2
    assert "%Y-%m-%d" in refused.stderr
