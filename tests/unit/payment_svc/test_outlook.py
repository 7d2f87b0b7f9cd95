"""The outlook: what each kind of story waits for, until when, and what one can do."""

from dataclasses import replace
from datetime import timedelta

import pytest

from payment_svc.domain.payment import CaptureMethod
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.explanation.outlook import outlook
from payment_svc.explanation.story import ActionKind, Outlook, Story, WaitsFor
from payment_svc.ports import SagaView
from payment_svc.sagas import engine
from payment_svc.sagas.authorize import AUTHORIZE
from payment_svc.sagas.capture import CAPTURE
from payment_svc.sagas.journey import Queue
from payment_svc.sagas.outcomes import Again, Done, Outcome, Refused, Stuck, Waiting
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.settle import SETTLE
from payment_svc.sagas.void import EXPIRE
from tests.builders import NOW, make_id, make_order, make_payment
from tests.unit.payment_svc import stories
from tests.unit.payment_svc.stories import CHARGED, HAPPY, POLICY, at, play

DAY = timedelta(days=1)
HELD_UNTIL = NOW + 7 * DAY
ACT = Waiting("ACTION_REQUIRED", redirect_url="https://psp.example/3ds")
UNKNOWN = Waiting("NO_USABLE_ANSWER", unknown=True)
RATE_LIMITED = Again("PSP_RATE_LIMITED", from_psp=True)
NO = Refused("WALLET_FROZEN", "The wallet is frozen.")


def ahead(*outcomes: Outcome) -> Outlook:
    """Tell the outlook of a pay-in after these outcomes, a second after it was accepted."""
    return outlook(play(*outcomes).story, at(1000), POLICY)


def can_do(told: Outlook) -> list[ActionKind]:
    """List what one can do."""
    return [action.kind for action in told.actions]


def held() -> Story:
    """Tell of an amount that is held for seven days."""
    done = Done({"psp": "stripe", "psp_reference": "pi_1", "expires_at": HELD_UNTIL.isoformat()})
    payment = replace(make_payment(), capture_method=CaptureMethod.MANUAL)
    played = play(Done(), done, payment=payment, saga=AUTHORIZE)
    expire = engine.begin(EXPIRE, make_id("sga"), played.payment, at(20), due_at=HELD_UNTIL)
    return replace(played.story, sagas=(played.view, SagaView(expire, HELD_UNTIL)))


def test_pending_waits_for_a_worker() -> None:
    """Nobody has taken it up yet, and nobody has to do anything."""
    payment = make_payment()
    progress = engine.begin(PAY_IN, make_id("sga"), payment, NOW)

    told = outlook(Story(payment, (SagaView(progress, NOW),), ()), at(3), POLICY)

    assert told.waits_for is WaitsFor.WORKER
    assert told.sentence == "Saga pay_in waits for a worker to take it up."
    assert (told.since, told.looked_at_again_at, told.until) == (NOW, NOW, None)
    assert can_do(told) == [ActionKind.WAIT]
    assert told.actions[0].command == f"paymesh explain {payment.payment_id} --watch"


def test_under_way_tells_who_takes_over_when_the_worker_dies() -> None:
    """The lease is the moment until which the present worker is trusted."""
    played = play(Done())

    told = outlook(played.story, at(500), POLICY)
    lost = outlook(played.story, at(9000), POLICY)

    assert told.sentence == "A worker is at step charge of pay_in."
    assert told.until == played.view.due_at
    assert told.then == "Another worker takes over, unless this one is heard of again."
    assert lost.sentence == "The worker of step charge of pay_in is not heard of any more."


def test_retrying_tells_the_trouble_the_next_try_and_the_end_of_patience() -> None:
    """Trouble of our own services is waited out, then a person is asked."""
    told = ahead(Done(), CHARGED, *[Again("CreditWallets: UNAVAILABLE")] * 4)

    assert told.waits_for is WaitsFor.RETRY
    assert told.sentence == (
        "Trouble at step credit of pay_in, tried 4 times in 980 ms: CreditWallets: UNAVAILABLE."
    )
    assert told.since == at(20)
    assert told.looked_at_again_at == at(1060)
    assert told.until == at(20) + POLICY.budget
    assert "DEAD_LETTER" in told.then
    assert can_do(told) == [ActionKind.WAIT, ActionKind.INVESTIGATE]
    assert told.actions[1].command == "paymesh logs wallet_svc"


def test_trouble_at_the_psp_ends_after_a_few_tries() -> None:
    """Where a number of tries decides, no moment is told; and it is told what follows."""
    told = ahead(Done(), RATE_LIMITED)

    assert told.waits_for is WaitsFor.RETRY
    assert told.until is None
    assert told.then == (
        "After 3 tries the PSP's trouble counts as a no: what was done is undone,"
        " and its orders fail."
    )


@pytest.mark.parametrize(
    "outcomes",
    [
        (Done(), UNKNOWN, RATE_LIMITED),
        (Done(), CHARGED, NO, Done(), RATE_LIMITED),
    ],
    ids=["once unknown", "while undoing"],
)
def test_trouble_at_the_psp_is_waited_out_where_money_may_have_moved(
    outcomes: tuple[Outcome, ...],
) -> None:
    """There the engine does not give up, and the outlook does not say that it does."""
    told = ahead(*outcomes)

    assert told.waits_for is WaitsFor.RETRY
    assert told.until is not None
    assert "DEAD_LETTER" in told.then


def test_a_capture_is_waited_out() -> None:
    """A patient step gives up nothing: what is held stays held."""
    story = play(Done(), RATE_LIMITED, saga=CAPTURE).story

    told = outlook(story, at(1000), POLICY)

    assert told.until is not None
    assert "step capture" in told.sentence
    assert told.actions[1].command == "paymesh logs psp_gateway"


def test_waiting_for_the_buyer_tells_where_to_send_him_and_until_when() -> None:
    """The address of the redirection is the command of the action."""
    told = ahead(Done(), ACT)

    assert told.waits_for is WaitsFor.BUYER
    assert told.since == at(10)
    assert told.until == at(10) + POLICY.action_budget
    assert can_do(told) == [ActionKind.SEND_BUYER, ActionKind.WAIT]
    assert told.actions[0].command == "https://psp.example/3ds"


def test_waiting_for_the_buyer_without_a_page_says_so() -> None:
    """The PSP's own script in the page may do it."""
    told = ahead(Done(), replace(ACT, redirect_url=""))

    assert told.actions[0].command == ""
    assert "script" in told.actions[0].sentence


def test_unknown_outcome_waits_for_evidence_alone() -> None:
    """It says that money may have moved, and that nothing is to be charged anew."""
    told = ahead(Done(), UNKNOWN, UNKNOWN)

    assert told.waits_for is WaitsFor.EVIDENCE
    assert told.sentence == (
        "Whether money moved at step charge of pay_in is not known (NO_USABLE_ANSWER);"
        " looked up 2 times in 990 ms."
    )
    assert told.until == at(10) + POLICY.unknown_budget
    assert "charge nothing anew" in told.actions[0].sentence
    assert can_do(told) == [ActionKind.WAIT, ActionKind.INVESTIGATE]


def test_another_amount_is_given_back_by_two_persons() -> None:
    """The PSP may say so for ever: what can be done is told while it waits, and afterwards; not of
    a refund, which takes nothing.
    """
    other = Waiting("AMOUNT_MISMATCH", unknown=True)
    played = play(Done(), other)
    waiting, stuck = outlook(played.story, at(1000), POLICY), ahead(Done(), Stuck(other.reason))
    refund = ahead(Done(), CHARGED, NO, Done(), other)
    saga_id = played.view.progress.saga_id

    assert can_do(waiting) == [ActionKind.WAIT, ActionKind.INVESTIGATE, ActionKind.RESOLVE]
    assert can_do(stuck) == [ActionKind.INVESTIGATE, ActionKind.RETRY, ActionKind.RESOLVE]
    assert waiting.actions[-1].command == f"paymesh dlq resolve {saga_id} OTHER_AMOUNT"
    assert ActionKind.RESOLVE not in can_do(refund)


def test_undecided_at_the_psp_waits_for_its_decision() -> None:
    """It may take a while; nothing is wrong."""
    told = ahead(Done(), Waiting("PSP_PENDING"))

    assert told.waits_for is WaitsFor.PSP_DECISION
    assert can_do(told) == [ActionKind.WAIT]


def test_a_bank_debit_waits_for_the_bank_for_three_weeks() -> None:
    """Who decides, and until when."""
    told = ahead(Done(), Waiting("DEBIT_PENDING", slow=True))

    assert told.waits_for is WaitsFor.PSP_DECISION
    assert told.sentence.startswith("The buyer's bank has not decided")
    assert told.until == at(10) + POLICY.debit_budget


def test_a_dead_letter_waits_for_a_person() -> None:
    """The cause, where to look for it, and the command that lets it go on."""
    played = play(Done(), Stuck("INVALID_REQUEST: amount"))

    told = outlook(played.story, at(1000), POLICY)

    assert told.waits_for is WaitsFor.OPERATOR
    assert told.sentence == (
        "A person has to look: stuck at step charge of pay_in: INVALID_REQUEST: amount."
    )
    assert told.since == at(20)
    assert (told.looked_at_again_at, told.until) == (None, None)
    look, retry, resolve = told.actions
    saga_id = played.view.progress.saga_id
    assert look.command == "paymesh logs psp_gateway"
    assert retry.command == f"paymesh dlq retry {saga_id}"
    assert resolve.command == f"paymesh dlq resolve {saga_id}"
    assert "CHARGED, NOT_CHARGED" in resolve.sentence


def test_turned_round_says_that_it_goes_back() -> None:
    """A reader sees that what is under way is a compensation."""
    told = ahead(Done(), CHARGED, NO, Again("ReverseCredits: UNAVAILABLE"))

    assert "step credit of pay_in, going back" in told.sentence


def test_held_waits_for_the_client() -> None:
    """What is held, until when, what then; and the two calls that end it."""
    story = held()
    payment_id = story.payment.payment_id

    told = outlook(story, at(1000), POLICY)

    assert told.waits_for is WaitsFor.CAPTURE
    assert told.sentence == "99.99 USD are held; the client has to capture or cancel."
    assert told.until == HELD_UNTIL
    assert told.then == "What is held is let go of, and the payment ends CANCELLED."
    assert [action.command for action in told.actions] == [
        f"POST /v1/payments/{payment_id}/capture",
        f"POST /v1/payments/{payment_id}/cancel",
    ]


def test_an_expiry_that_has_nothing_to_expire_holds_nothing_up() -> None:
    """Once captured, a payment is final, though its expiry is looked at when the day comes."""
    story = held()
    captured = replace(story.payment, status=PaymentStatus.COMPLETED)

    told = outlook(replace(story, payment=captured), at(1000), POLICY)

    assert told.waits_for is WaitsFor.NOTHING


def test_completed_waits_for_nothing() -> None:
    """It is final since its last status."""
    told = outlook(stories.completed(), at(1000), POLICY)

    assert told.waits_for is WaitsFor.NOTHING
    assert told.since == at(40)
    assert can_do(told) == [ActionKind.NONE]


@pytest.mark.parametrize(
    "outcomes",
    [
        (Refused("RISK_REFUSED", "Refused by risk rules."),),
        (Done(), Refused("CARD_DECLINED", "no", "generic_decline")),
        (Done(), CHARGED, NO, Done(), Done({"psp_refund_reference": "re_1"})),
    ],
    ids=["refused by risk", "declined", "turned round"],
)
def test_failed_waits_for_nothing_and_may_be_paid_again(outcomes: tuple[Outcome, ...]) -> None:
    """It is final, and its orders are free."""
    told = ahead(*outcomes)

    assert told.waits_for is WaitsFor.NOTHING
    assert can_do(told) == [ActionKind.NONE, ActionKind.PAY_AGAIN]


def test_completed_with_a_follow_up_waits_for_that() -> None:
    """The sellers cannot spend it before it is settled."""
    first = play(*HAPPY)
    settle = play(Again("SettleCredits: UNAVAILABLE"), payment=first.payment, saga=SETTLE)
    story = replace(first.story, sagas=(first.view, settle.view))

    told = outlook(story, at(1000), POLICY)

    assert told.waits_for is WaitsFor.RETRY
    assert told.sentence.startswith("Trouble at step settle, tried 1 time")
    assert "DEAD_LETTER" in told.then


def test_of_several_sagas_the_one_that_needs_a_person_is_told() -> None:
    """The others are counted, and what one can do about them is told too."""
    orders = make_order(), make_order()
    payment = make_payment(*orders)
    waits, stuck = play(Done(), ACT, payment=payment), play(Stuck("NO"), payment=payment)

    told = outlook(replace(waits.story, sagas=(waits.view, stuck.view)), at(1000), POLICY)

    assert told.waits_for is WaitsFor.OPERATOR
    assert told.sentence.endswith("1 other saga is not done either.")
    assert can_do(told)[:2] == [ActionKind.INVESTIGATE, ActionKind.RETRY]
    assert ActionKind.SEND_BUYER in can_do(told)


def test_the_buyer_of_one_order_is_sent_to_its_page() -> None:
    """With a charge per order, each order has a redirection of its own."""
    first = replace(make_order(), redirect_url="https://psp.example/first")
    second = replace(make_order(), redirect_url="https://psp.example/second")
    payment = make_payment(first, second)
    played = play(Done(), ACT, payment=payment)
    progress = replace(played.view.progress, order_id=second.order_id)
    story = Story(payment, (replace(played.view, progress=progress),), ())

    told = outlook(story, at(1000), POLICY)

    assert told.actions[0].command == "https://psp.example/second"


def test_a_payment_that_no_saga_moves_is_for_a_person() -> None:
    """It must not be so; whoever sees it has to know."""
    told = outlook(Story(make_payment(), (), ()), at(1000), POLICY)

    assert told.waits_for is WaitsFor.OPERATOR
    assert "must not be" in told.sentence


def test_a_saga_that_nobody_knows_yet_is_told_too() -> None:
    """A kind, step or reason that is newer than this program breaks nothing."""
    view = play(Done()).view
    progress = replace(view.progress, kind="magic", step="levitate", reason="NOT_DUE")

    for queue in Queue:
        story = Story(make_payment(), (replace(view, progress=replace(progress, queue=queue)),), ())
        told = outlook(story, at(1000), POLICY)
        assert told.sentence
        assert told.actions
