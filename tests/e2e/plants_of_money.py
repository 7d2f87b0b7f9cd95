"""Violations planted in a copy of what is true: books, wallets and PSPs do not agree."""

from dataclasses import replace
from decimal import Decimal

from devstack.audit import Facts, Told
from devstack.audit.facts import OperationFact, PayoutFact, RecordFact, TransactionFact
from tests.e2e.copies import CENT, changed, charge_of, completed, place_of, without


def unbalanced(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    entry = facts.entries[0]
    worse = changed(facts.entries, 0, amount=entry.amount + CENT)
    return replace(facts, entries=worse), told, facts.transaction[entry.transaction_id].reference


def ledger_off(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse = changed(facts.accounts, 0, balance=facts.accounts[0].balance + CENT)
    return replace(facts, accounts=worse), told, f"ledger {facts.accounts[0].currency}"


def charge_not_booked(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    wrong = {t.transaction_id for t in facts.transactions if t.subject_id == payment_id}
    entries = [entry for entry in facts.entries if entry.transaction_id not in wrong]
    return replace(facts, entries=entries), told, payment_id


def booked_not_charged(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    return (
        replace(facts, record=without(facts.record, charge_of(facts, payment_id))),
        told,
        payment_id,
    )


def other_amount(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = charge_of(facts, completed(facts))
    line = facts.record[place]
    worse = changed(facts.record, place, amount=line.amount + CENT)
    return replace(facts, record=worse), told, line.attempt_id


def stranger_at_psp(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    line = RecordFact(10**6, "adyen", "charge", "X", "X", Decimal(1), "EUR", "", "", None)
    return replace(facts, record=[*facts.record, line]), told, "no attempt of ours"


def refund_not_at_psp(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "refund")
    return (
        replace(facts, record=without(facts.record, place)),
        told,
        facts.record[place].attempt_id,
    )


def void_not_at_psp(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "void" and one.psp == "stripe")
    line = facts.record[place]
    return replace(facts, record=without(facts.record, place)), told, line.attempt_id


def payout_not_at_psp(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payout = PayoutFact("att_lost", "pout_lost", "stripe", Decimal(5), "EUR", "PAID")
    return replace(facts, payouts=[*facts.payouts, payout]), told, "att_lost"


def paid_by_no_bank(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payout = PayoutFact("att_bank", "pout_bank", "bank", Decimal(5), "EUR", "PAID", "E2E")
    return replace(facts, payouts=[*facts.payouts, payout]), told, "att_bank"


def bank_paid_another_amount(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse, told, offender = paid_by_no_bank(facts, told)
    line = RecordFact(10**6, "bank", "payout", "E2E", "E2E", Decimal(6), "EUR", "", "", None)
    return replace(worse, record=[*facts.record, line]), told, offender


def charged_twice(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    line = facts.record[charge_of(facts, completed(facts))]
    again = line._replace(seq=10**6, reference="ch_again", key="another")
    return replace(facts, record=[*facts.record, again]), told, line.payment_id


def paid_out_twice(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payouts = [
        PayoutFact(f"att_{n}", "pout_twice", "bank", Decimal(5), "EUR", "PAID") for n in range(2)
    ]
    return replace(facts, payouts=[*facts.payouts, *payouts]), told, "pout_twice"


def left_with_the_buyer(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    transaction = TransactionFact("x", "POSTED", "refund:x:initiated", payment_id, None, None)
    entry = facts.entries[0]._replace(transaction_id="x", account_id="buyer:demo:b:EUR")
    return (
        replace(
            facts,
            transactions=[*facts.transactions, transaction],
            entries=[*facts.entries, entry],
        ),
        told,
        payment_id,
    )


def still_pending(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.operations, lambda one: one.kind == "SETTLE")
    subject = facts.operations[place].subject_id
    return replace(facts, operations=without(facts.operations, place)), told, subject


def wallet_off(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    wallet = facts.wallets[0]
    worse = changed(facts.wallets, 0, available=wallet.available + CENT)
    return replace(facts, wallets=worse), told, wallet.wallet_id


def operation_off(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse = changed(facts.operations, 0, available_after=Decimal(1234))
    return replace(facts, operations=worse), told, facts.operations[0].operation_id


def spent(facts: Facts, kind: str, amount: int, subject: str = "x") -> Facts:
    """Copy the facts, a wallet having done one thing more, and continued what it did before."""
    wallet = facts.wallets[0]
    left = wallet.available - amount
    more = OperationFact(
        "op_more",
        wallet.wallet_id,
        kind,
        subject,
        wallet.operation_count + 1,
        *(Decimal(0), Decimal(-amount), Decimal(0)),
        *(wallet.pending, left, wallet.held),
        10**6,
    )
    wallets = changed(facts.wallets, 0, available=left, operation_count=more.sequence)
    return replace(facts, wallets=wallets, operations=[*facts.operations, more])


def spent_what_is_not_there(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return spent(facts, "DEBIT", 500), told, "op_more"


def held_what_is_not_there(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return spent(facts, "HOLD", 500), told, "op_more"


def paid_out_above(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payout = PayoutFact("att_out", "pout_above", "stripe", Decimal(2), "EUR", "PAID")
    worse = replace(spent(facts, "DEBIT", 1, "pout_above"), payouts=[*facts.payouts, payout])
    return worse, told, "pout_above"


def seller_without_wallet(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    gone = facts.wallets[0].wallet_id
    kept = [one for one in facts.operations if one.wallet_id != gone]
    return replace(facts, wallets=facts.wallets[1:], operations=kept), told, gone


def refunded_above(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "refund")
    line = facts.record[place]
    worse = changed(facts.record, place, amount=line.amount + CENT)
    return replace(facts, record=worse), told, line.payment_id


def captured_above(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "capture")
    line = facts.record[place]
    return (
        replace(facts, record=changed(facts.record, place, amount=line.amount + 100)),
        told,
        line.payment_id,
    )


def posted_twice(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    first = facts.transactions[0]
    again = [*facts.transactions, first._replace(transaction_id="again")]
    return replace(facts, transactions=again), told, first.reference
