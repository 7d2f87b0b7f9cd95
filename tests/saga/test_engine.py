"""The saga engine over the pay-in: what each outcome at each step leads to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payment_svc.domain.statuses import OrderStatus, PaymentStatus
from payment_svc.sagas import engine
from payment_svc.sagas.commands import (
    AssessPayment,
    CreditWallets,
    ExecuteCharge,
    PostCapture,
    RefundCharge,
    ReverseCredits,
    ReversePosting,
    SettleCredits,
)
from payment_svc.sagas.journey import Journey, Move, Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Stuck, Waiting
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retry import Cancel
from payment_svc.sagas.settle import SETTLE
from tests.builders import NOW, make_journey

CHARGED = Done({"psp": "stripe", "psp_reference": "pi_1"})
NO = Refused("WALLET_FROZEN", "The wallet is frozen.")
POLICY = RetryPolicy()


def play(journey: Journey, *outcomes: Outcome, seconds: float = 0.0) -> Move:
    """Give outcomes one after the other; answer the last move."""
    for outcome in outcomes:
        now = NOW + timedelta(seconds=seconds)
        move = engine.advance(
            PAY_IN, journey, outcome, started_at=now, now=now, chance=0.5, policy=POLICY
        )
        journey = move.after
    return move


def asked(journey: Journey) -> type:
    """Tell which command the present step asks."""
    return type(engine.command(PAY_IN, journey))


def test_what_was_unknown_is_never_given_up_by_a_number_of_tries() -> None:
    """Money may have moved: however often the PSP is in trouble afterwards, no try is the last."""
    unknown, limited = Waiting("X", unknown=True), Again("PSP_RATE_LIMITED", from_psp=True)

    known = play(make_journey(), Done(), *[limited] * 8).after
    journey = play(make_journey(), Done(), unknown, *[limited] * 8).after

    commands = [engine.command(PAY_IN, one) for one in (known, journey)]
    assert [isinstance(c, ExecuteCharge) and c.is_last_try for c in commands] == [True, False]
    assert journey.progress.queue is Queue.RETRY


def test_trouble_of_our_own_is_no_try_at_the_psp() -> None:
    """A gateway that is away for a while leaves a charge all its tries at the PSP."""
    away = Again("ExecuteCharge: UNAVAILABLE")
    limited = Again("PSP_RATE_LIMITED", from_psp=True)

    journey = play(make_journey(), Done(), away, away, away, limited).after
    last = play(journey, limited).after

    commands = [engine.command(PAY_IN, one) for one in (journey, last)]
    assert [isinstance(c, ExecuteCharge) and c.is_last_try for c in commands] == [False, True]


def test_happy_path_asks_in_the_fixed_order() -> None:
    """Risk, PSP, wallet, ledger, confirm: in this order and no other."""
    journey = make_journey()
    order = []

    for outcome in (Done(), CHARGED, Done(), Done({"transaction_id": "txn_1"})):
        order.append(asked(journey))
        journey = play(journey, outcome).after

    assert order == [AssessPayment, ExecuteCharge, CreditWallets, PostCapture]
    assert journey.payment.status is PaymentStatus.COMPLETED
    assert journey.payment.executed_at == NOW
    assert journey.progress.queue is Queue.DONE
    assert [o.status for o in journey.payment.orders] == [OrderStatus.SUCCESS]


def test_confirm_is_written_with_the_posting_and_starts_settling() -> None:
    """The last outcome and the confirmation are one local transaction."""
    move = play(make_journey(), Done(), CHARGED, Done(), Done())

    assert [entry.step for entry in move.entries] == ["post", "confirm"]
    assert move.follow_up == "settle"


def test_a_bank_debit_is_waited_for_longer_than_a_day() -> None:
    """A bank takes days: it is looked up hourly at most, and a person asked after three weeks."""
    debit = Waiting("DEBIT_PENDING", slow=True)
    charging = play(make_journey(), Done()).after

    on_day_14 = play(charging, debit, seconds=14 * 86_400.0).after.progress
    on_day_22 = play(charging, debit, seconds=22 * 86_400.0).after.progress
    by_card = play(charging, Waiting("PSP_PENDING"), seconds=2 * 86_400.0).after.progress

    assert (on_day_14.queue, on_day_14.reason) == (Queue.WAITING, "DEBIT_PENDING")
    assert on_day_22.queue is Queue.DEAD_LETTER
    assert by_card.queue is Queue.DEAD_LETTER
    assert POLICY.look_again(30, 1.0, slow=True) == timedelta(hours=1)


def test_what_is_not_known_stays_so_until_somebody_speaks() -> None:
    """A call that is only under way, or put off, changes nothing that was told before."""
    unheard = Waiting("PSP_PENDING", unheard=True, after=timedelta(seconds=20))
    unknown = play(make_journey(), Done(), Waiting("NO_USABLE_ANSWER", unknown=True)).after

    left = play(unknown, unheard, unheard).after
    spoken = play(unknown, Waiting("PSP_PENDING")).after

    assert [o.status for o in left.payment.orders] == [OrderStatus.UNKNOWN]
    assert (left.progress.queue, left.progress.reason) == (Queue.WAITING, "PSP_PENDING")
    assert timedelta(seconds=15) <= left.progress.due_after <= timedelta(seconds=20)
    assert [o.status for o in spoken.payment.orders] == [OrderStatus.EXECUTING]


def test_attempt_id_is_on_disk_before_the_charge_is_asked() -> None:
    """What the charge is called derives from our own id and is remembered first."""
    move = play(make_journey(), Done())

    command = engine.command(PAY_IN, move.after)
    assert isinstance(command, ExecuteCharge)
    assert move.after.progress.memory["charge_attempt_id"] == command.attempt_id
    assert [o.status for o in move.after.payment.orders] == [OrderStatus.EXECUTING]


def test_decline_fails_the_payment_and_undoes_nothing() -> None:
    """A declined card ends FAILED with the PSP's reason, with nothing asked of anybody."""
    refusal = Refused("INSUFFICIENT_FUNDS", "Not enough.", "insufficient_funds")

    move = play(make_journey(), Done(), refusal)

    payment = move.after.payment
    assert payment.status is PaymentStatus.FAILED
    assert payment.failure is not None
    assert (payment.failure.reason, payment.failure.psp_code) == (
        "INSUFFICIENT_FUNDS",
        "insufficient_funds",
    )
    assert payment.payment_token is None
    assert move.after.progress.queue is Queue.DONE
    assert move.follow_up is None


def test_refusal_after_the_charge_undoes_in_reverse_and_refunds() -> None:
    """A refused posting: the posting, the credits and the charge are undone, then it fails."""
    journey = play(make_journey(), Done(), CHARGED, Done(), NO).after
    order = []

    for _ in range(3):
        order.append(asked(journey))
        journey = play(journey, Done()).after

    assert order == [ReversePosting, ReverseCredits, RefundCharge]
    assert journey.payment.status is PaymentStatus.FAILED
    assert [o.status for o in journey.payment.orders] == [OrderStatus.FAILED]


def test_refused_credit_undoes_what_may_have_happened_of_it() -> None:
    """One of several credits may have gone through before another was refused."""
    journey = play(make_journey(), Done(), CHARGED, NO).after

    assert asked(journey) is ReverseCredits


def test_unknown_charge_is_told_and_looked_at_again() -> None:
    """While it is not known whether money moved, the order says UNKNOWN and the payment goes on."""
    move = play(make_journey(), Done(), Waiting("NO_USABLE_ANSWER", unknown=True))

    assert [o.status for o in move.after.payment.orders] == [OrderStatus.UNKNOWN]
    assert move.after.payment.status is PaymentStatus.PROCESSING
    assert move.after.progress.queue is Queue.WAITING
    assert move.after.progress.due_after > timedelta(0)
    assert asked(move.after) is ExecuteCharge


def test_time_never_fails_an_unknown_charge() -> None:
    """When patience ends, a person is asked; the order stays UNKNOWN."""
    unknown = Waiting("NO_USABLE_ANSWER", unknown=True)
    journey = play(make_journey(), Done(), unknown).after

    move = play(journey, unknown, seconds=90_000)

    assert move.after.progress.queue is Queue.DEAD_LETTER
    assert [o.status for o in move.after.payment.orders] == [OrderStatus.UNKNOWN]
    assert move.after.payment.status is PaymentStatus.PROCESSING


def test_tries_never_fail_a_charge_that_was_unknown() -> None:
    """A PSP's "not now" ends nothing once money may have moved."""
    journey = play(make_journey(), Done(), Waiting("NO_USABLE_ANSWER", unknown=True)).after

    move = play(journey, *[Again("PSP_RATE_LIMITED", from_psp=True)] * 20)

    assert move.after.progress.queue is Queue.RETRY
    assert [o.status for o in move.after.payment.orders] == [OrderStatus.UNKNOWN]


def test_third_try_of_a_psp_that_does_nothing_is_told_to_be_the_last() -> None:
    """Whoever asks the PSP makes an end of it: only his no fails the payment."""
    trouble = Again("PSP_RATE_LIMITED", from_psp=True)
    first = play(make_journey(), Done()).after
    second = play(first, trouble).after
    third = play(second, trouble).after

    commands = [engine.command(PAY_IN, journey) for journey in (first, second, third)]
    failed = play(third, Refused("PSP_RATE_LIMITED", "Nothing was charged.")).after

    assert [isinstance(c, ExecuteCharge) and c.is_last_try for c in commands] == [
        False,
        False,
        True,
    ]
    assert third.progress.queue is Queue.RETRY
    assert failed.payment.status is PaymentStatus.FAILED


def test_we_never_give_a_charge_up_by_ourselves() -> None:
    """While it is not ended where it is made, a try that is still on its way may charge."""
    journey = play(make_journey(), Done()).after

    move = play(journey, *[Again("PSP_RATE_LIMITED", from_psp=True)] * 20)

    assert move.after.progress.queue is Queue.RETRY
    assert move.after.payment.status is PaymentStatus.PROCESSING


@pytest.mark.parametrize("steps_done", [[Done()], [Done(), CHARGED], [Done(), CHARGED, Done()]])
def test_own_trouble_is_waited_out_for_an_hour(steps_done: list[Outcome]) -> None:
    """A restart of our own services sends no charged payment to a person."""
    journey = play(make_journey(), *steps_done).after
    trouble = Again("UNAVAILABLE")

    within = play(journey, *[trouble] * 100, seconds=3599).after
    after = play(within, trouble, seconds=3601).after

    assert within.progress.queue is Queue.RETRY
    assert within.progress.due_after <= timedelta(seconds=30)
    assert after.progress.queue is Queue.DEAD_LETTER
    assert after.progress.reason == "UNAVAILABLE"


def test_what_was_put_off_is_no_try() -> None:
    """Because of too many retries elsewhere, no payment fails sooner, nor is anything lost."""
    put_off = Again("PSP_RATE_LIMITED", from_psp=True, is_put_off=True)
    trouble = Again("PSP_RATE_LIMITED", from_psp=True)
    journey = play(make_journey(), Done(), trouble).after

    move = play(journey, *[put_off] * 50)
    commands = [
        engine.command(PAY_IN, each) for each in (move.after, play(move.after, trouble).after)
    ]

    assert move.after.progress.queue is Queue.RETRY
    assert move.after.progress.tries == 1
    assert move.after.progress.due_after > timedelta(0)
    assert [isinstance(c, ExecuteCharge) and c.is_last_try for c in commands] == [False, True]


def test_retry_after_of_the_psp_is_obeyed() -> None:
    """It is asked again no sooner than it wants, and no later than we can bear."""
    journey = play(make_journey(), Done()).after

    seven = play(journey, Again("X", from_psp=True, after=timedelta(seconds=7))).after
    a_day = play(journey, Again("X", from_psp=True, after=timedelta(days=1))).after
    own = play(journey, Again("X", after=timedelta(days=1))).after

    assert timedelta(seconds=7.5) <= seven.progress.due_after <= timedelta(seconds=8)
    assert timedelta(minutes=5) <= a_day.progress.due_after <= timedelta(minutes=5, seconds=1)
    assert own.progress.due_after == timedelta(seconds=30)


def test_step_that_is_not_tried_again() -> None:
    """Cancel: the first try is the last, whose no is final; trouble of our own is for a person."""
    steps = tuple(replace(step, retry=Cancel()) for step in PAY_IN.steps)
    saga = replace(PAY_IN, steps=steps)

    def after(journey: Journey, outcome: Outcome) -> Journey:
        return engine.advance(
            saga, journey, outcome, started_at=NOW, now=NOW, chance=0.5, policy=POLICY
        ).after

    journey = after(make_journey(), Done())
    command = engine.command(saga, journey)
    assert isinstance(command, ExecuteCharge)
    assert command.is_last_try
    assert after(journey, Again("X")).progress.queue is Queue.DEAD_LETTER


def test_since_when_it_is_not_known_is_kept_until_it_is() -> None:
    """The first doubt counts; with the answer it is forgotten."""
    unknown = Waiting("NO_USABLE_ANSWER", unknown=True)
    first = play(make_journey(), Done(), unknown).after
    later = play(first, unknown, seconds=400).after

    assert first.progress.unknown_since == later.progress.unknown_since == NOW
    assert play(later, CHARGED).after.progress.unknown_since is None


def test_undo_that_fails_is_tried_again() -> None:
    """A compensation is not given up at the first trouble, nor after three."""
    journey = play(make_journey(), Done(), CHARGED, NO).after

    move = play(journey, *[Again("PSP_RATE_LIMITED", from_psp=True)] * 10)

    assert move.after.progress.queue is Queue.RETRY
    assert asked(move.after) is ReverseCredits


def test_three_d_secure_waits_for_the_buyer() -> None:
    """The payment says REQUIRES_ACTION with the way to go, and goes on once it is done."""
    waiting = Waiting("ACTION_REQUIRED", redirect_url="https://psp.example/3ds")

    journey = play(make_journey(), Done(), waiting).after
    done = play(journey, CHARGED).after

    assert journey.payment.status is PaymentStatus.REQUIRES_ACTION
    assert journey.payment.redirect_url == "https://psp.example/3ds"
    assert journey.progress.queue is Queue.WAITING
    assert done.payment.status is PaymentStatus.PROCESSING
    assert done.payment.redirect_url is None


def test_malformed_goes_to_a_person() -> None:
    """What can never work is not repeated."""
    move = play(make_journey(), Stuck("INVALID_REQUEST"))

    assert move.after.progress.queue is Queue.DEAD_LETTER


def test_refused_settlement_goes_to_a_person() -> None:
    """A completed payment is not taken back because its credit cannot be released."""
    completed = play(make_journey(), Done(), CHARGED, Done(), Done()).after.payment
    journey = make_journey(completed, SETTLE)

    assert isinstance(engine.command(SETTLE, journey), SettleCredits)
    move = engine.advance(SETTLE, journey, NO, started_at=NOW, now=NOW, chance=0.5, policy=POLICY)

    assert move.after.progress.queue is Queue.DEAD_LETTER
    assert move.after.payment.status is PaymentStatus.COMPLETED


def test_journal_numbers_every_entry() -> None:
    """The journal has no gap and keeps the definition's version."""
    journey = make_journey()
    entries = []

    for outcome in (Done(), CHARGED, Done(), Done()):
        move = play(journey, outcome)
        entries += move.entries
        journey = move.after

    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5]
    assert {entry.definition_version for entry in entries} == {PAY_IN.version}
