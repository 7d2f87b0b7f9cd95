"""The invariants: what an operator may ask for at any time (I1 to I8, INV-15), and all that a run
of tests must hold (INV-1 to INV-17), each by one function.
"""

from collections.abc import Callable, Iterator, Sequence

from devstack.audit.checks import books, clients, evidence, payments, psps, spending
from devstack.audit.facts import Facts
from devstack.audit.told import Told
from devstack.audit.verdict import Invariant, Offence


def _count(told: str, *names: str) -> Callable[[Facts, Told], str]:
    """Name what was examined; `told` has a place for the length of each field of the facts."""

    def counted(facts: Facts, _: Told) -> str:
        lengths = (len(getattr(facts, name) or ()) for name in names)
        return told.format(*(f"{length:,}" for length in lengths))

    return counted


def _answered(told: str) -> Callable[[Facts, Told], str]:
    """Name what was examined of what a test told."""

    def counted(facts: Facts, known: Told) -> str:
        return told.format(
            answers=len(known.answers or ()),
            notices=len(known.notices or ()),
            canaries=len(known.canaries or ()),
            refusals=len(known.refusals or ()),
            sagas=len(facts.sagas),
        )

    return counted


def _no_proof(facts: Facts, _: Told) -> str:
    if facts.proof is None:
        return "the ledger was not asked for its proof"
    return "nobody was asked for the proof of an audit log" if facts.logs is None else ""


def _no_logs(facts: Facts, _: Told) -> str:
    return "nobody was asked for the proof of an audit log" if facts.logs is None else ""


def _lines(facts: Facts, _: Told) -> str:
    logs = facts.logs or ()
    return f"{sum(log.line_count for log in logs):,} lines of {len(logs)} audit logs"


_BALANCED = "debits equal credits in every transaction, and the ledger sums to zero"
_RUNNING = "balances are the running sums of their entries, and no entry was changed"
_WALLETS = "wallets equal their ledger accounts"
_PSPS = "what the PSPs took and gave back is what was attempted and booked, one to one"
_ONCE = "no order is charged twice, no refund and no payout happens twice"
_RETURNED = "no more is given back than was taken, nor captured than held"
_SAGAS = "no saga is forgotten"
_LOGGED = "audit logs verify end to end, and every change has its line, or its place in a history"
_AGREES = "what the API says agrees with the orders and the money"

_ENTRIES = _count("{} transactions, {} entries", "transactions", "entries")
_RECORD = _count("{} lines of the PSPs, {} attempts", "record", "attempts")
_AT_REST = _count("{} payments at rest", "at_rest")
_SAGAS_SEEN = _count("{} sagas", "sagas")
_WALLETS_SEEN = _count("{} wallets, {} operations", "wallets", "operations")


def _money(facts: Facts, told: Told) -> Iterator[Offence]:
    yield from psps.moved_without_us(facts, told)
    yield from psps.booked_without_psp(facts, told)


def _wallets(facts: Facts, told: Told) -> Iterator[Offence]:
    yield from books.wallets_differ(facts, told)
    yield from books.wallets_do_not_add_up(facts, told)
    yield from spending.overspent(facts, told)


def _continued(facts: Facts, told: Told) -> Iterator[Offence]:
    yield from books.not_running(facts, told)
    yield from books.unproven(facts, told)


def _provable(facts: Facts, told: Told) -> Iterator[Offence]:
    yield from books.unproven(facts, told)
    yield from clients.unlogged(facts, told)


AUDITED: Sequence[Invariant] = (
    Invariant("I1", _BALANCED, books.unbalanced, _ENTRIES),
    Invariant("I2", _RUNNING, _continued, _count("{} accounts, {} entries", "accounts", "entries")),
    Invariant("I3", _WALLETS, _wallets, _WALLETS_SEEN),
    Invariant("I4", _PSPS, _money, _RECORD, psps.record_missing),
    Invariant("I5", _ONCE, psps.charged_twice, _count("{} payments", "payments")),
    Invariant("I6", _RETURNED, psps.returned_too_much, _RECORD),
    Invariant("I7", _SAGAS, payments.forgotten, _SAGAS_SEEN),
    Invariant("I8", _AGREES, psps.status_against_money, _AT_REST),
    Invariant("INV-15", _LOGGED, clients.unlogged, _lines, _no_logs),
)

CHECKERS: Sequence[Invariant] = (
    Invariant("INV-1", _BALANCED, books.unbalanced, _ENTRIES),
    Invariant("INV-2", _PSPS, _money, _RECORD, psps.record_missing),
    Invariant("INV-3", _ONCE, psps.charged_twice, _count("{} payments", "payments")),
    Invariant(
        "INV-4", "a key has at most one payment and one effect", payments.keys_shared,
        _count("{} keys", "keys"),
    ),
    Invariant(
        "INV-5", "clearing and pending are zero at rest, payment by payment", books.clearing_left,
        _AT_REST,
    ),
    Invariant("INV-6", f"{_WALLETS}, add up, and spend what is there", _wallets, _WALLETS_SEEN),
    Invariant(
        "INV-7", "every accepted payment is final, or waits for something that is named",
        payments.lost, _answered("{answers} answers, {sagas} sagas"), clients.no_answers,
    ),
    Invariant("INV-8", _AGREES, psps.status_against_money, _AT_REST),
    Invariant("INV-9", _RETURNED, psps.returned_too_much, _RECORD),
    Invariant(
        "INV-10", "no answer is ever taken back", clients.contradicted,
        _answered("{answers} answers"), clients.no_answers,
    ),
    Invariant(
        "INV-11", "histories hold allowed moves only, and end where the object is",
        payments.moved_backwards, _count("{} histories", "paths"),
    ),
    Invariant(
        "INV-12", "every failure has evidence", evidence.failed_without_evidence, _AT_REST
    ),
    Invariant("INV-13", "nothing is done twice", books.done_twice, _ENTRIES),
    Invariant(
        "INV-14", "clients are told how each payment ended", clients.untold,
        _answered("{notices} webhooks received"), clients.no_notices,
    ),
    Invariant(
        "INV-15", f"the ledger's hash chains, seals and sequences verify; {_LOGGED}", _provable,
        _count("{} transactions", "transactions"), _no_proof,
    ),
    Invariant(
        "INV-16", "no secret is in a log or a table", clients.canaries_seen,
        _answered("{canaries} canaries"), clients.no_canaries,
    ),
    Invariant(
        "INV-17", "a refused request changes nothing", clients.changed_by_refusals,
        _answered("{refusals} refusals"), clients.no_refusals,
    ),
)  # fmt: skip
