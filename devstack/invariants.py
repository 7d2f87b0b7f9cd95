"""The invariants that one payment's trail can be held against; each check names its offender."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from chassis.money import currency_decimals
from devstack.trail import Trail

_DEBIT = "SIDE_DEBIT"
# Where Stripe's minor units are not those of ISO 4217 (docs.stripe.com/currencies). The gateway has
# them too; a check must not share the table that it checks.
_AT_STRIPE = {"ISK": 2, "UGX": 2, "MGA": 0}
_OPEN_QUEUES = {"PAYMENT", "RETRY", "WAITING"}
_FINAL = {"COMPLETED", "PARTIALLY_COMPLETED", "FAILED", "CANCELLED"}
_TAKES = {"CHARGE", "CAPTURE"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an invariant holds; `evidence` says by what, or who offends."""

    name: str
    statement: str
    holds: bool
    evidence: str


def check(trail: Trail) -> list[Verdict]:
    """Hold a trail against the invariants."""
    return [Verdict(name, statement, *judge(trail)) for name, statement, judge in _INVARIANTS]


def _balanced(trail: Trail) -> tuple[bool, str]:
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for entry in trail.entries:
        sign = 1 if entry["side"] == _DEBIT else -1
        sums[entry["transaction_id"], entry["currency"]] += sign * Decimal(entry["amount"])
    offenders = [f"{key[0]} {key[1]} by {value}" for key, value in sums.items() if value]
    offenders += [
        f"ledger {line['currency']} by {line['difference']}"
        for line in trail.trial_balance
        if Decimal(line["difference"])
    ]
    return not offenders, ", ".join(offenders) or f"{len(trail.entries)} entries, difference 0"


def _running(trail: Trail) -> tuple[bool, str]:
    """Compare each account's balance with its newest entry, if that is among these."""
    latest: dict[str, Any] = {}
    for entry in trail.entries:
        latest[entry["account_id"]] = max(
            entry, latest.get(entry["account_id"], entry), key=lambda e: int(e["account_sequence"])
        )
    offenders = [
        account["account_id"]
        for account in trail.accounts
        if account["account_id"] in latest
        and int(account["entry_count"]) == int(latest[account["account_id"]]["account_sequence"])
        and Decimal(account["balance"]) != Decimal(latest[account["account_id"]]["balance_after"])
    ]
    return not offenders, ", ".join(offenders) or f"{len(trail.accounts)} accounts agree"


def _wallets(trail: Trail) -> tuple[bool, str]:
    balances = {account["account_id"]: Decimal(account["balance"]) for account in trail.accounts}
    offenders = []
    for wallet in trail.wallets:
        whole = sum((Decimal(wallet[p]) for p in ("pending", "available", "held")), Decimal())
        if whole != balances.get(wallet["wallet_id"], Decimal()):
            offenders.append(wallet["wallet_id"])
    return not offenders, ", ".join(offenders) or f"{len(trail.wallets)} wallets equal the ledger"


def _captured(trail: Trail) -> Decimal:
    """Sum what the PSP's own record says was taken and not given back."""
    total = Decimal()
    for record in trail.psp_record:
        currency = record["currency"].upper()
        digits = _AT_STRIPE.get(currency, currency_decimals(currency))
        amount = Decimal(record["amount"]).scaleb(-digits)
        total += {"charge": amount, "capture": amount, "refund": -amount}.get(record["kind"], 0)
    return total


def _psp(trail: Trail) -> tuple[bool, str]:
    booked = Decimal()
    for entry in trail.entries:
        if entry["account_id"].startswith("psp:"):
            booked += Decimal(entry["amount"]) * (1 if entry["side"] == _DEBIT else -1)
    taken = _captured(trail)
    return taken == booked, f"PSP took {taken}, ledger booked {booked}"


def _charged_once(trail: Trail) -> tuple[bool, str]:
    ours = [a for a in trail.attempts if a["kind"] in _TAKES and a["outcome"] == "SUCCEEDED"]
    theirs = [r for r in trail.psp_record if r["kind"] in ("charge", "capture")]
    per_order = trail.payment.get("partial_failure_policy") == "KEEP_SUCCESSFUL"
    most = len(trail.payment["payment_orders"]) if per_order else 1
    names = [record["metadata"].get("attempt_id") for record in theirs]
    once = len(names) == len(set(names)) and max(len(ours), len(theirs)) <= most
    return once, f"{len(ours)} here, {len(theirs)} at the PSP, at most {most}"


def _returned(trail: Trail) -> tuple[bool, str]:
    kept = _captured(trail)
    return kept >= 0, f"kept {kept}"


def _sagas(trail: Trail) -> tuple[bool, str]:
    lost = [
        saga["saga_id"]
        for saga in trail.sagas
        if not (
            saga["queue"] == "DONE"
            or (saga["queue"] == "DEAD_LETTER" and saga["reason"])
            or (saga["queue"] in _OPEN_QUEUES and saga.get("due_at"))
        )
    ]
    told = ", ".join(f"{saga['kind']} {saga['queue']}" for saga in trail.sagas)
    return not lost and bool(trail.sagas), ", ".join(lost) or told


def _agrees(trail: Trail) -> tuple[bool, str]:
    """Compare what was kept with the orders that succeeded, once no saga moves the payment."""
    status, kept = trail.payment["status"], _captured(trail)
    done = [o for o in trail.payment["payment_orders"] if o["status"] == "SUCCESS"]
    owed = sum((Decimal(o.get("captured_amount", o["amount"])) for o in done), Decimal())
    if status not in _FINAL:
        return True, f"{status}: not final yet"
    return kept == owed, f"{status}: {len(done)} orders of {owed} in all, kept {kept}"


_INVARIANTS: Sequence[tuple[str, str, Callable[[Trail], tuple[bool, str]]]] = (
    ("I1", "debits equal credits, and the ledger sums to zero", _balanced),
    ("I2", "balances are the running sums of their entries", _running),
    ("I3", "wallets equal their ledger accounts", _wallets),
    ("I4", "what the PSP captured is what the ledger booked", _psp),
    ("I5", "no order is charged twice", _charged_once),
    ("I6", "no more is given back than was taken", _returned),
    ("I7", "no saga is forgotten", _sagas),
    ("I8", "what the API says agrees with the money", _agrees),
)
