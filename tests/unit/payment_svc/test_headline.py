"""The headline: a payment in one line."""

from dataclasses import replace

from payment_svc.domain.case import Case, CaseKind, CaseStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.explanation.headline import headline
from payment_svc.explanation.outlook import outlook
from payment_svc.explanation.story import Gap, Source, Story
from payment_svc.sagas.outcomes import Done, Refused, Waiting
from tests.builders import make_order, make_payment
from tests.unit.payment_svc import stories
from tests.unit.payment_svc.stories import CHARGED, HAPPY, POLICY, at, play


def line(story: Story) -> str:
    """Write the headline a second after the payment was accepted."""
    return headline(story, outlook(story, at(1000), POLICY), at(1000))


def test_completed_says_how_long_and_what_came_of_it() -> None:
    """Charged by whom, credited to how many, booked as what."""
    assert line(stories.completed()) == (
        "COMPLETED 99.99 USD in 40 ms:"
        " charged once by stripe pi_1, credited to 1 seller, booked as txn_1"
    )


def test_several_sellers_and_charges_are_counted() -> None:
    """A charge per order is said as such."""
    payment = make_payment(make_order(seller="a"), make_order(seller="b"))
    story = replace(
        play(*HAPPY, payment=payment).story,
        attempts=(stories.attempt(), stories.attempt(attempt_id="att_2c1")),
        operations=(stories.operation(wallet="a"), stories.operation(wallet="b")),
        entries=stories.entries() + stories.entries(transaction="txn_2"),
    )

    assert line(story) == (
        "COMPLETED 199.98 USD in 40 ms:"
        " charged 2 times by stripe, credited to 2 sellers, booked in 2 transactions"
    )


def test_declined_says_why_in_both_vocabularies() -> None:
    """Our reason, the PSP's code, and that nothing was charged."""
    no = Refused("INSUFFICIENT_FUNDS", "no", "insufficient_funds")
    story = replace(play(Done(), no).story, attempts=(stories.attempt("DECLINED"),))

    assert line(story) == (
        "FAILED 99.99 USD in 20 ms: INSUFFICIENT_FUNDS (insufficient_funds), nothing was charged"
    )


def test_turned_round_says_that_the_money_went_back() -> None:
    """What was charged, what was given back, what was taken back from the sellers."""
    no = Refused("WALLET_FROZEN", "The wallet is frozen.")
    refund = stories.attempt(kind="REFUND", psp_reference="re_1")
    story = replace(
        play(Done(), CHARGED, no, Done(), Done({"psp_refund_reference": "re_1"})).story,
        attempts=(stories.attempt(), refund),
        operations=(stories.operation(), stories.operation("REVERSAL")),
    )

    assert line(story) == (
        "FAILED 99.99 USD in 50 ms: WALLET_FROZEN, charged once by stripe pi_1,"
        " 99.99 USD given back as re_1, credited to 1 seller, taken back from 1 seller"
    )


def test_a_part_that_was_captured_is_said() -> None:
    """What was taken need not be what was asked for."""
    part = stories.attempt(kind="CAPTURE", amount="40.00")
    story = replace(stories.completed(), attempts=(stories.attempt(kind="AUTHORIZATION"), part))

    assert "captured 40.00 once by stripe pi_1" in line(story)


def test_cancelled_says_that_the_hold_is_over() -> None:
    """Nothing was charged, and nobody expects it to be booked."""
    payment = replace(make_payment(), status=PaymentStatus.CANCELLED)
    void = stories.attempt(kind="VOID")
    story = Story(payment, (), (), attempts=(stories.attempt(kind="AUTHORIZATION"), void))

    assert line(story) == (
        "CANCELLED 99.99 USD in 0 ms: nothing was charged, what was held was let go of"
    )


def test_not_final_says_what_it_waits_for() -> None:
    """And since when, counted from the acceptance."""
    story = play(Done(), Waiting("ACTION_REQUIRED", redirect_url="https://x")).story

    assert line(story) == (
        "REQUIRES_ACTION 99.99 USD for 1.0 s: The buyer has to act before the PSP goes on"
    )


def test_what_nobody_told_is_not_guessed() -> None:
    """A missing service is named, and nothing is said of what it alone knows."""
    gaps = [Gap(source, "It did not answer within 3 s.") for source in Source][1:]
    story = replace(play(*HAPPY).story, gaps=gaps)

    assert line(story) == (
        "COMPLETED 99.99 USD in 40 ms: risk_svc did not tell, psp_gateway did not tell,"
        " wallet_svc did not tell, ledger_svc did not tell"
    )


def test_what_a_psp_has_still_is_said() -> None:
    """With its case, as a late charge is."""
    told = ("pay_1", "demo", "att_1c1", "stripe", "pi_1", "99.99", "USD", at(30))
    kept = Case("cas_1c1", CaseKind.KEPT_CHARGE, CaseStatus.CLOSED, *told)
    late = replace(kept, kind=CaseKind.LATE_SUCCESS)

    assert line(replace(stories.completed(), cases=(kept,))).endswith(
        ", 99.99 USD is with stripe still, case cas_1c1 CLOSED"
    )
    assert line(replace(stories.completed(), cases=(late,))).endswith(
        ", 99.99 USD was charged late by stripe, case cas_1c1 CLOSED"
    )
