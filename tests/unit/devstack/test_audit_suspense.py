"""What two persons left with a PSP is known to an audit as long as suspense has it; whatever is
wrong with that is named.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from devstack.audit import CHECKERS, Facts, Told, judge
from devstack.audit.facts import (
    AccountFact,
    AttemptFact,
    EntryFact,
    OrderFact,
    PaymentFact,
    RecordFact,
    ResolutionFact,
    SagaFact,
    TransactionFact,
)
from tests.builders import NOW

TEN = Decimal(10)
PAYMENT, CHARGE, LATE = "pay_1", "att_1c1", "att_1c1l1"
CLEARING, SUSPENSE, SELLER = "psp:stripe:clearing:USD", "suspense:stripe:USD", "seller:demo:s:USD"
REVENUE = "platform:revenue:USD"
# Money at PSPs against books, charges that count, what is left over, and what is told of it.
JUDGED = ("INV-2", "INV-3", "INV-5", "INV-8")


def payment(status: str, failure: str | None) -> PaymentFact:
    """Make a payment of 10.00."""
    return PaymentFact(PAYMENT, "demo", status, TEN, "USD", "ALL_OR_NOTHING", failure, NOW)


def attempt(attempt_id: str, kind: str = "CHARGE", outcome: str = "SUCCEEDED") -> AttemptFact:
    """Make an attempt, the late one at Adyen."""
    psp = "adyen" if attempt_id == LATE else "stripe"
    charge = attempt_id.removesuffix("r1") if kind == "REFUND" else ""
    told = ("ANSWERED", "", "", f"ref_{attempt_id}")
    return AttemptFact(attempt_id, kind, PAYMENT, psp, TEN, "USD", charge, outcome, *told)


def line(seq: int, kind: str, attempt_id: str, of: str = "", psp: str = "stripe") -> RecordFact:
    """Make a line of a PSP's record, which knows a late charge by the attempt that it was."""
    reference = f"{kind}_{seq}"
    key = f"{attempt_id}:{kind}:{seq}"
    about = (reference, of or reference, TEN, "USD", attempt_id, PAYMENT, key)
    return RecordFact(seq, psp, kind, *about)


def booked(reference: str, template: str, debit: str, credit: str) -> tuple[TransactionFact, ...]:
    """Make a transaction of 10.00, by the names of its accounts."""
    name = f"{reference}|{debit}|{credit}"
    return (TransactionFact(name, "POSTED", reference, PAYMENT, None, template),)


def reversal(of: str, account: str) -> TransactionFact:
    """Make the reversal of what was booked on an account against the PSP's."""
    name = f"no:{of}|{account}|{CLEARING}"
    return TransactionFact(name, "REVERSAL", f"no:{of}", PAYMENT, of, None)


CAPTURED = booked(f"payment:{PAYMENT}:captured", "captured/1", CLEARING, SELLER)
KEPT = booked(f"charge:{CHARGE}:kept", "charge_kept/1", CLEARING, SUSPENSE)
LATE_CHARGED = booked(
    f"late:{LATE}:charged", "late_charged/1", "psp:adyen:clearing:USD", "suspense:adyen:USD"
)


def explained(attempt_id: str, account: str) -> tuple[TransactionFact, ...]:
    """Make the booking that says what became of it."""
    return booked(f"suspense:{attempt_id}:released", "suspense_released/1", SUSPENSE, account)


def entries_of(transactions: tuple[TransactionFact, ...]) -> list[EntryFact]:
    """Make the entries that the names tell."""
    found = []
    for one in transactions:
        _, debit, credit = one.transaction_id.split("|")
        for account, is_debit in ((debit, True), (credit, False)):
            found.append(EntryFact(one.transaction_id, account, 1, is_debit, TEN, TEN))
    return found


def facts_of(
    *transactions: TransactionFact,
    status: str = "FAILED",
    late: bool = False,
    resolutions: tuple[ResolutionFact, ...] = (),
) -> Facts:
    """Make what is to be judged: a payment that Stripe charged, or Adyen late, or both."""
    is_paid = status == "COMPLETED"
    order = OrderFact("ord_1", PAYMENT, "s", "SUCCESS" if is_paid else "FAILED", TEN, None, None)
    place = ("DONE", "x", "", not is_paid)
    done = SagaFact("sga_1", "pay_in", PAYMENT, None, *place, None, None, is_overdue=False)
    is_charged = is_paid or not late
    attempts = [attempt(CHARGE, outcome="SUCCEEDED" if is_charged else "DECLINED")]
    record = [line(1, "charge", CHARGE)] if is_charged else []
    if late:
        attempts.append(attempt(LATE))
        record.append(line(2, "charge", CHARGE, psp="adyen"))
    entries = entries_of(transactions)
    return Facts(
        read_at=NOW, payments={PAYMENT: payment(status, None if is_paid else "WALLET_FROZEN")},
        orders=[order], sagas=[done], paths=(), keys=(), events=(), deliveries=(),
        attempts=attempts, payouts=(), inbox=(), assessments=(),
        accounts=[AccountFact(n, "ASSET", "USD", TEN, 1) for n in {e.account_id for e in entries}],
        transactions=transactions, entries=entries, wallets=(), operations=(),
        limits=(), record=record, proof=None, resolutions=resolutions,
    )  # fmt: skip


def given_up(attempt_id: str = CHARGE, decision: str = "GIVE_UP") -> tuple[ResolutionFact, ...]:
    """Make what two persons decided of its refund."""
    return (ResolutionFact(f"{attempt_id}r1", decision),)


def named(facts: Facts) -> set[str]:
    """Name the checkers that find something wrong."""
    judged = [judge(one, facts, Told()) for one in CHECKERS if one.name in JUDGED]
    assert len(judged) == len(JUDGED)
    assert all(verdict.holds is not None for verdict in judged)
    return {verdict.name for verdict in judged if not verdict.holds}


def kept(decision: str = "GIVE_UP") -> Facts:
    """Make a charge that was booked, taken back, and left with Stripe."""
    turned = (*CAPTURED, reversal(CAPTURED[0].reference, SELLER), *KEPT)
    return facts_of(*turned, resolutions=given_up(decision=decision))


def kept_late(status: str) -> Facts:
    """Make a late charge that was left with Stripe; the payment failed, or was paid besides."""
    paid = CAPTURED if status == "COMPLETED" else ()
    turned = (*paid, *LATE_CHARGED)
    return facts_of(*turned, status=status, late=True, resolutions=given_up(LATE))


@pytest.mark.parametrize(
    "facts",
    [
        kept(),
        kept("DONE_BY_HAND"),
        kept_late("FAILED"),
        kept_late("COMPLETED"),
        facts_of(*KEPT, *explained(CHARGE, REVENUE), resolutions=given_up()),
    ],
    ids=["given up", "given back elsewhere", "late", "late beside one that paid", "explained"],
)
def test_what_suspense_has_is_known(facts: Facts) -> None:
    """What the PSP has is what suspense has, or what was said to have become of it."""
    assert named(facts) == set()


def test_a_trail_tells_a_transaction_once_for_each_entry() -> None:
    """That is one booking all the same."""
    facts = kept()

    assert named(replace(facts, transactions=[*facts.transactions, *facts.transactions])) == set()


def test_what_came_back_later_is_booked_out() -> None:
    """Given back by the PSP after all: neither has it, and nothing is wrong."""
    back = line(9, "refund", f"{CHARGE}r1", "charge_1")
    facts = facts_of(*KEPT, *explained(CHARGE, CLEARING), resolutions=given_up())
    square = replace(
        facts,
        record=[*(facts.record or ()), back],
        attempts=[*facts.attempts, attempt(f"{CHARGE}r1", "REFUND")],
    )

    assert named(square) == set()
    assert "INV-2" in named(facts), "booked out, and Stripe has it still"
    assert "INV-2" in named(replace(kept(), record=square.record)), "given back, and not booked"


def without_booking(facts: Facts) -> Facts:
    """Lose the booking."""
    stays = tuple(one for one in facts.transactions if (one.template or "")[:5] != "charg")
    return replace(facts, transactions=stays, entries=entries_of(stays))


def of_another_amount(facts: Facts) -> Facts:
    """Book a cent less."""
    name = KEPT[0].transaction_id
    less = [
        one._replace(amount=Decimal("9.99")) if one.transaction_id == name else one
        for one in facts.entries
    ]
    return replace(facts, entries=less)


def twice(facts: Facts) -> Facts:
    """Book it for another charge, too, that never was."""
    more = booked("charge:att_2c1:kept", "charge_kept/1", CLEARING, SUSPENSE)
    both = (*facts.transactions, *more)
    return replace(
        facts,
        transactions=both,
        entries=entries_of(both),
        resolutions=[*facts.resolutions, *given_up("att_2c1")],
    )


def taken_back(facts: Facts) -> Facts:
    """Reverse the booking."""
    both = (*facts.transactions, reversal(KEPT[0].reference, SUSPENSE))
    return replace(facts, transactions=both, entries=entries_of(both))


def by_nobody(facts: Facts) -> Facts:
    """Have no two persons decide it."""
    return replace(facts, resolutions=())


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (without_booking, {"INV-2", "INV-8"}),
        (of_another_amount, {"INV-2", "INV-8"}),
        (twice, {"INV-2", "INV-8"}),
        (taken_back, {"INV-2", "INV-8"}),
        (by_nobody, {"INV-5", "INV-8"}),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_whatever_is_wrong_with_it_is_named(
    spoil: Callable[[Facts], Facts], expected: set[str]
) -> None:
    """Not booked, booked otherwise or more than once, or by the word of nobody."""
    assert named(spoil(kept())) == expected


def test_a_late_charge_that_nobody_left_there_is_named() -> None:
    """Booked into suspense, not given back, and no two persons said so."""
    assert named(by_nobody(kept_late("FAILED"))) == {"INV-5", "INV-8"}
    assert named(by_nobody(kept_late("COMPLETED"))) >= {"INV-3", "INV-8"}
