"""The invariants that one payment's trail can be held against; each check names its offender.

What is judged is the audit's; here a trail is laid out as facts, and what only a whole stack could
show (every entry of an account, every operation of a wallet) is judged by what the trail has.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from devstack.audit.checks import books, payments, psps
from devstack.audit.checks.taken import at_psps, known_by
from devstack.audit.facts import (
    AttemptFact,
    EntryFact,
    Facts,
    OrderFact,
    PaymentFact,
    ResolutionFact,
    SagaFact,
    TransactionFact,
)
from devstack.audit.psp_record import record_fact
from devstack.audit.told import Told
from devstack.audit.verdict import Judge, Offence
from devstack.trail import Trail

_DEBIT = "SIDE_DEBIT"
_ZERO = Decimal()
# An attempt's id names the attempt that it is about: `…k1` captures and `…v1` lets go of what `…c1`
# holds, and `…c1r1` gives `…c1` back; so do `…c1l1v1` and `…c1l1r1` with what was kept late.
_ABOUT: dict[str, Callable[[str], str]] = {
    "CAPTURE": lambda attempt_id: f"{known_by(attempt_id)[:-2]}c1",
    "VOID": lambda attempt_id: _held_as(attempt_id[:-2]),
    "REFUND": lambda attempt_id: attempt_id[:-2],
}


def _held_as(rest: str) -> str:
    is_late = known_by(rest) != rest
    return rest if is_late else f"{rest}c1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an invariant holds; `evidence` says by what, or who offends."""

    name: str
    statement: str
    holds: bool
    evidence: str


def check(trail: Trail) -> list[Verdict]:
    """Hold a trail against the invariants."""
    facts = _facts(trail)
    return [
        Verdict(name, statement, *judge(trail, facts)) for name, statement, judge in _INVARIANTS
    ]


def _facts(trail: Trail) -> Facts:
    """Lay a trail out as an audit's facts."""
    payment = trail.payment
    payment_id = payment["payment_id"]
    orders = [_order(payment_id, place, one) for place, one in enumerate(payment["payment_orders"])]
    known = PaymentFact(
        payment_id,
        "",
        payment["status"],
        sum((order.amount for order in orders), _ZERO),
        payment["payment_orders"][0]["currency"],
        payment.get("partial_failure_policy", ""),
        None,
        datetime.fromisoformat(payment["created_at"]),
    )
    return Facts(
        read_at=known.created_at,
        payments={payment_id: known},
        orders=orders,
        sagas=[_saga(one) for one in trail.sagas],
        paths=(),
        keys=(),
        events=(),
        deliveries=(),
        attempts=[_attempt(payment_id, one) for one in trail.attempts],
        payouts=(),
        inbox=(),
        assessments=(),
        accounts=(),
        transactions=[_transaction(one) for one in trail.entries],
        entries=[_entry(one) for one in trail.entries],
        wallets=(),
        operations=(),
        limits=(),
        record=[record_fact(one) for one in trail.psp_record],
        proof=None,
        resolutions=list(_left(trail)),
    )


def _order(payment_id: str, place: int, one: dict[str, Any]) -> OrderFact:
    captured = one.get("captured_amount")
    return OrderFact(
        f"{payment_id} {place}",
        payment_id,
        one.get("seller_account", ""),
        one["status"],
        Decimal(one["amount"]),
        None if captured is None else Decimal(captured),
        None,
    )


def _saga(one: dict[str, Any]) -> SagaFact:
    due_at = datetime.fromisoformat(one["due_at"]) if one.get("due_at") else None
    return SagaFact(
        one["saga_id"],
        one["kind"],
        one["payment_id"],
        None,
        one["queue"],
        one["step"],
        one["reason"],
        one["turned_round"],
        due_at,
        lease_owner=None,
        is_overdue=False,
    )


def _attempt(payment_id: str, one: dict[str, Any]) -> AttemptFact:
    about = _ABOUT[one["kind"]](one["attempt_id"]) if one["kind"] in _ABOUT else ""
    names = ("outcome", "delivery", "reason", "psp_code", "psp_reference")
    return AttemptFact(
        one["attempt_id"],
        one["kind"],
        payment_id,
        one["psp"],
        Decimal(one["amount"]),
        one["currency"],
        about,
        *(one[name] for name in names),
    )


def _transaction(one: dict[str, Any]) -> TransactionFact:
    return TransactionFact(
        one["transaction_id"],
        "POSTED",
        one["reference"],
        one["subject_id"],
        None,
        one.get("template"),
    )


def _left(trail: Trail) -> Iterator[ResolutionFact]:
    """Tell by its cases what two persons left with a PSP."""
    for case in trail.story["cases"]:
        if case["kind"] == "KEPT_CHARGE" or case["resolution"] == "GIVEN_UP":
            yield ResolutionFact(f"{case['subject_id']}r1", "GIVE_UP")


def _entry(one: dict[str, Any]) -> EntryFact:
    return EntryFact(
        one["transaction_id"],
        one["account_id"],
        int(one["account_sequence"]),
        one["side"] == _DEBIT,
        Decimal(one["amount"]),
        Decimal(one["balance_after"]),
    )


def _told(offences: Iterable[Offence]) -> str:
    return ", ".join(f"{offence.subject} {offence.how}" for offence in offences)


def _by(judge: Judge, evidence: Callable[[Trail, Facts], str]) -> "TrailJudge":
    """Judge a trail by one of the audit's checkers."""

    def judged(trail: Trail, facts: Facts) -> tuple[bool, str]:
        offenders = _told(judge(facts, Told()))
        return not offenders, offenders or evidence(trail, facts)

    return judged


def _balanced(trail: Trail, facts: Facts) -> tuple[bool, str]:
    offenders = [_told(books.unbalanced(facts, Told()))]
    offenders += [
        f"ledger {line['currency']} by {line['difference']}"
        for line in trail.trial_balance
        if Decimal(line["difference"])
    ]
    told = ", ".join(filter(None, offenders))
    return not told, told or f"{len(trail.entries)} entries, difference 0"


def _running(trail: Trail, facts: Facts) -> tuple[bool, str]:
    """Compare each account's balance with its newest entry, if that is among these."""
    latest: dict[str, EntryFact] = {}
    for entry in sorted(facts.entries, key=lambda one: one.sequence):
        latest[entry.account_id] = entry
    offenders = [
        account["account_id"]
        for account in trail.accounts
        if (newest := latest.get(account["account_id"])) is not None
        and int(account["entry_count"]) == newest.sequence
        and Decimal(account["balance"]) != newest.balance_after
    ]
    return not offenders, ", ".join(offenders) or f"{len(trail.accounts)} accounts agree"


def _wallets(trail: Trail, _: Facts) -> tuple[bool, str]:
    balances = {account["account_id"]: Decimal(account["balance"]) for account in trail.accounts}
    offenders = []
    for wallet in trail.wallets:
        whole = sum((Decimal(wallet[p]) for p in ("pending", "available", "held")), _ZERO)
        if whole != balances.get(wallet["wallet_id"], _ZERO):
            offenders.append(wallet["wallet_id"])
    return not offenders, ", ".join(offenders) or f"{len(trail.wallets)} wallets equal the ledger"


def _psp(trail: Trail, facts: Facts) -> tuple[bool, str]:
    signed = (
        one.amount if one.is_debit else -one.amount
        for one in facts.entries
        if one.account_id.startswith("psp:")
    )
    booked, taken = sum(signed, _ZERO), _kept(trail, facts)
    return taken == booked, f"PSP took {taken}, ledger booked {booked}"


def _kept(trail: Trail, facts: Facts) -> Decimal:
    return at_psps(facts).kept(trail.payment["payment_id"])


def _sagas(trail: Trail, facts: Facts) -> tuple[bool, str]:
    offenders = _told(payments.forgotten(facts, Told()))
    told = ", ".join(f"{saga['kind']} {saga['queue']}" for saga in trail.sagas)
    return not offenders and bool(trail.sagas), offenders or told


def _charges(trail: Trail, facts: Facts) -> str:
    live = at_psps(facts).live_takes(trail.payment["payment_id"])
    return f"{len(live)} charges stand at the PSP"


def _agrees(trail: Trail, facts: Facts) -> str:
    return f"{trail.payment['status']}: kept {_kept(trail, facts)}"


TrailJudge = Callable[[Trail, Facts], tuple[bool, str]]

_INVARIANTS: Sequence[tuple[str, str, TrailJudge]] = (
    ("I1", "debits equal credits, and the ledger sums to zero", _balanced),
    ("I2", "balances are the running sums of their entries", _running),
    ("I3", "wallets equal their ledger accounts", _wallets),
    ("I4", "what the PSP captured is what the ledger booked", _psp),
    ("I5", "no order is charged twice", _by(psps.charged_twice, _charges)),
    (
        "I6",
        "no more is given back than was taken",
        _by(psps.returned_too_much, lambda trail, facts: f"kept {_kept(trail, facts)}"),
    ),
    ("I7", "no saga is forgotten", _sagas),
    (
        "I8",
        "what the API says agrees with the money",
        _by(psps.status_against_money, _agrees),
    ),
)
