"""Violations planted in a copy of what is true: each says whom its checker must name."""

from dataclasses import replace

from devstack.audit import Answer, Facts, Refusal, Told
from devstack.audit.facts import RecordFact
from tests.e2e import plants_of_money as money
from tests.e2e.copies import Plant, changed, charge_of, completed, place_of, with_status, without


def key_of_two(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    extra = facts.keys[0]._replace(payment_id=facts.keys[-1].payment_id)
    return replace(facts, keys=[*facts.keys, extra]), told, facts.keys[0].key


def psp_key_of_two(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = charge_of(facts, completed(facts))
    again = facts.record[place]._replace(seq=10**6)
    return replace(facts, record=[*facts.record, again]), told, f"stripe {again.key}"


def key_answered_twice(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    first = told.answers[0]
    other = first._replace(payment_id=told.answers[-1].payment_id + "x")
    return facts, replace(told, answers=[*told.answers, other]), first.key


def payment_gone(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    answer = Answer(0, 0, "create", "k", 200, "pay_gone", "PENDING")
    return facts, replace(told, answers=[*told.answers, answer]), "pay_gone"


def never_due(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse = changed(facts.sagas, 0, queue="RETRY", due_at=None)
    return replace(facts, sagas=worse), told, facts.sagas[0].saga_id


def dead_without_reason(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse = changed(facts.sagas, 0, queue="DEAD_LETTER", reason="")
    return replace(facts, sagas=worse), told, facts.sagas[0].saga_id


def overdue(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    worse = changed(facts.sagas, 0, queue="RETRY", due_at=facts.read_at, is_overdue=True)
    return replace(facts, sagas=worse), told, facts.sagas[0].saga_id


def nobody_moves_it(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    return with_status(facts, payment_id, "PROCESSING"), told, payment_id


def failed_but_charged(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    orders = [
        one._replace(status="FAILED") if one.payment_id == payment_id else one
        for one in facts.orders
    ]
    return replace(with_status(facts, payment_id, "FAILED"), orders=orders), told, payment_id


def orders_disagree(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    place = place_of(facts.orders, lambda one: one.payment_id == payment_id)
    return (
        replace(facts, orders=changed(facts.orders, place, status="FAILED")),
        told,
        payment_id,
    )


def cancelled_but_held(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "void" and one.psp == "adyen")
    line = facts.record[place]
    return replace(facts, record=without(facts.record, place)), told, line.payment_id


def final_taken_back(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    late = max(answer.answered_at for answer in told.answers) + 1
    worse = Answer(late, late, "get", "", 200, payment_id, "PROCESSING")
    return facts, replace(told, answers=[*told.answers, worse]), payment_id


def answer_against_state(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    early = Answer(0, 0, "get", "", 200, payment_id, "FAILED")
    return facts, replace(told, answers=[early, *told.answers]), payment_id


def replayed_otherwise(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    answers = [
        Answer(n, n, "create", "one-key", 200, told.answers[0].payment_id, "PENDING", {"n": n})
        for n in range(2)
    ]
    return facts, replace(told, answers=[*told.answers, *answers]), "one-key"


def went_backwards(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    place = place_of(facts.paths, lambda one: one.subject_id == payment_id)
    path = facts.paths[place].path + " COMPLETED>PROCESSING PROCESSING>COMPLETED"
    return replace(facts, paths=changed(facts.paths, place, path=path)), told, payment_id


def history_ends_elsewhere(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    return with_status(facts, payment_id, "FAILED"), told, payment_id


def declined_by_nobody(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.record, lambda one: one.kind == "decline")
    line = facts.record[place]
    return replace(facts, record=without(facts.record, place)), told, line.attempt_id


def turned_round_in_doubt(facts: Facts, told: Told, outcome: str) -> tuple[Facts, Told, str]:
    """Copy the facts, an attempt of an order that failed in doubt, and its PSP with no word of it:
    only its saga says that it turned round.
    """
    declined = place_of(facts.record, lambda one: one.kind == "decline")
    attempt_id = facts.record[declined].attempt_id
    place = place_of(facts.attempts, lambda one: one.attempt_id == attempt_id)
    payment_id = facts.attempts[place].payment_id
    assert any(saga.turned_round for saga in facts.sagas if saga.payment_id == payment_id)
    in_doubt = changed(facts.attempts, place, outcome=outcome, delivery="SENT_NO_ANSWER")
    silent = [one for one in facts.record if attempt_id not in (one.attempt_id, told_by(one))]
    return replace(facts, attempts=in_doubt, record=silent), told, attempt_id


def told_by(line: RecordFact) -> str:
    """Name the attempt under whose key a line was asked for."""
    return (line.key or "").partition(":")[0]


def unknown_turned_round(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return turned_round_in_doubt(facts, told, "UNKNOWN")


def transient_turned_round(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return turned_round_in_doubt(facts, told, "TRANSIENT")


def capture_in_doubt(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    """Copy the facts, one more thing tried of an order that failed: a capture with no answer."""
    worse, told, offender = unknown_turned_round(facts, told)
    capture = worse.attempt[offender]._replace(
        attempt_id="att_k1", kind="CAPTURE", charge_attempt_id=offender
    )
    return replace(facts, attempts=[*facts.attempts, capture], record=worse.record), told, "att_k1"


def failed_for_nothing(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    place = place_of(facts.orders, lambda one: one.status == "FAILED")
    return (
        replace(facts, orders=changed(facts.orders, place, failure_reason=None)),
        told,
        facts.orders[place].order_id,
    )


def event_told_twice(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return replace(facts, inbox=[*facts.inbox, facts.inbox[0]]), told, facts.inbox[0].event_id


def client_not_told(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    kept = [one for one in told.notices if (one.object_id, one.status) != (payment_id, "COMPLETED")]
    return facts, replace(told, notices=kept), payment_id


def event_missing(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    payment_id = completed(facts)
    place = place_of(facts.events, lambda one: one.object_id == payment_id)
    return replace(facts, events=without(facts.events, place)), told, payment_id


def chain_broken(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    proof = facts.proof._replace(is_sound=False, offences=("stream 1: a hash differs",))
    return replace(facts, proof=proof), told, "stream 1"


def line_changed(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    (place, log) = next((n, log) for n, log in enumerate(facts.logs) if log.service == "edge_auth")
    wrong = [("line 7", "LINE_CHANGED: it is not what it was hashed as")]
    logs = changed(facts.logs, place, offences=wrong, offence_count=1)
    assert log.line_count > 1
    return replace(facts, logs=logs), told, "edge_auth line 7"


def told_in_part(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    logs = changed(facts.logs, 3, offence_count=30)
    return replace(facts, logs=logs), told, "psp_gateway"


def canary_in_a_table(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    return facts, replace(told, canaries={"seller": "seller:demo:s0:EUR"}), "seller"


def refusal_that_wrote(facts: Facts, told: Told) -> tuple[Facts, Told, str]:
    refusal = Refusal("a card number", {"payment.orders": "1"}, {"payment.orders": "2"})
    return facts, replace(told, refusals=[refusal]), "a card number"


PLANTS: dict[str, list[Plant]] = {
    "INV-1": [money.unbalanced, money.ledger_off],
    "INV-2": [
        *(money.charge_not_booked, money.booked_not_charged, money.other_amount),
        *(money.stranger_at_psp, money.refund_not_at_psp, money.void_not_at_psp),
        *(money.payout_not_at_psp, money.charged_twice),
        *(money.paid_by_no_bank, money.bank_paid_another_amount),
    ],
    "INV-3": [money.charged_twice, money.paid_out_twice],
    "INV-4": [key_of_two, psp_key_of_two, key_answered_twice],
    "INV-5": [money.left_with_the_buyer, money.still_pending],
    "INV-6": [
        *(money.wallet_off, money.operation_off, money.seller_without_wallet),
        *(money.spent_what_is_not_there, money.held_what_is_not_there, money.paid_out_above),
    ],
    "INV-7": [payment_gone, never_due, dead_without_reason, overdue, nobody_moves_it],
    "INV-8": [failed_but_charged, orders_disagree, cancelled_but_held],
    "INV-9": [money.refunded_above, money.captured_above],
    "INV-10": [final_taken_back, answer_against_state, replayed_otherwise],
    "INV-11": [went_backwards, history_ends_elsewhere],
    "INV-12": [
        *(declined_by_nobody, failed_for_nothing),
        *(unknown_turned_round, transient_turned_round, capture_in_doubt),
    ],
    "INV-13": [money.posted_twice, event_told_twice],
    "INV-14": [client_not_told, event_missing],
    "INV-15": [chain_broken, line_changed, told_in_part],
    "INV-16": [canary_in_a_table],
    "INV-17": [refusal_that_wrote],
}
