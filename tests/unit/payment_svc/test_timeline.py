"""The timeline: one sequence out of what six books say."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from payment_svc.explanation.story import Source, Story
from payment_svc.explanation.timeline import timeline
from payment_svc.explanation.wording import count, span
from payment_svc.sagas import engine
from payment_svc.sagas.outcomes import Again, Done, Refused, Stuck, Waiting
from payment_svc.sagas.settle import SETTLE
from tests.builders import NOW, make_id, make_order, make_payment
from tests.unit.payment_svc import stories
from tests.unit.payment_svc.stories import CHARGED, HAPPY, at, play

NO = Refused("WALLET_FROZEN", "The wallet is frozen.")


def told(story: Story, source: Source | None = None) -> list[str]:
    """List the sentences, of one source if that is given."""
    return [e.summary for e in timeline(story) if source in (None, e.source)]


def test_a_completed_payment_is_told_in_the_order_of_time() -> None:
    """What each service did stands before what payment_svc concluded from it."""
    story = stories.completed()

    events = timeline(story)

    kinds = [(e.source.value, e.kind) for e in events if "status" not in e.kind]
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert kinds == [
        ("PAYMENT", "accepted"),
        ("RISK", "assessed"),
        ("PAYMENT", "step"),
        ("PSP", "asked"),
        ("PSP", "answered"),
        ("PAYMENT", "step"),
        ("WALLET", "credit"),
        ("PAYMENT", "step"),
        ("LEDGER", "booked"),
        ("PAYMENT", "step"),
        ("PAYMENT", "step"),
    ]
    assert told(story, Source.PSP) == [
        "stripe is to be asked to charge 99.99 USD.",
        "stripe charged 99.99 USD as pi_1 (2 requests).",
    ]
    assert told(story, Source.LEDGER) == [
        "Booked txn_1: debited 99.99 USD to psp:stripe:clearing:USD,"
        " credited 99.99 USD to seller:demo:s:USD."
    ]
    assert told(story)[0] == "Accepted 99.99 USD from client demo: 1 order, 1 seller."
    assert told(story)[-2:] == [
        "The payment went from PROCESSING to COMPLETED.",
        "1 order went from EXECUTING to SUCCESS.",
    ]


def test_what_happened_at_one_moment_stands_in_the_sequence_of_cause() -> None:
    """Begun, risk, PSP, wallet, ledger, then our own conclusions: also when clocks are coarse."""
    moment = {"created_at": NOW, "updated_at": NOW}
    story = replace(
        play(*HAPPY, every=timedelta(0)).story,
        assessments=(stories.assessment(when=0),),
        attempts=(stories.attempt(**moment),),
        operations=(stories.operation(when=0),),
        entries=stories.entries(when=0),
    )

    sources = [event.source.value for event in timeline(story)]

    assert sources[:6] == ["PAYMENT", "RISK", "PSP", "PSP", "WALLET", "LEDGER"]
    assert set(sources[6:]) == {"PAYMENT"}
    assert timeline(story) == timeline(story)


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), min_size=4, max_size=4))
def test_the_sequence_does_not_hang_on_who_answered_first(
    order: list[int], moments: list[int]
) -> None:
    """Whatever the services tell in whatever order, time comes first and cause second."""
    operations = [stories.operation(when=moments[i], wallet=f"w{i}") for i in range(4)]
    story = replace(
        stories.completed(),
        operations=[operations[i] for i in order],
        assessments=(stories.assessment(when=moments[0]),),
    )

    events = timeline(story)

    assert [e.at for e in events] == sorted(e.at for e in events)
    risk = next(i for i, e in enumerate(events) if e.source is Source.RISK)
    later = [
        i for i, e in enumerate(events) if e.source is Source.WALLET and e.at >= events[risk].at
    ]
    assert all(i > risk for i in later)


def test_a_step_tried_again_and_again_is_told_once() -> None:
    """A hundred looks at a buyer who does not come are one line that says so."""
    story = play(Done(), *[Waiting("ACTION_REQUIRED", redirect_url="https://x")] * 100).story

    steps = [e for e in timeline(story) if e.kind == "step"]

    assert [e.summary for e in steps] == [
        "Step assess of pay_in was done in 10 ms.",
        "Step charge of pay_in had to wait: ACTION_REQUIRED (100 times).",
    ]
    assert steps[1].at == at(20)
    assert steps[1].facts["times"] == "100"
    assert steps[1].facts["last_at"] == at(1010).isoformat()


def test_a_saga_that_turned_round_tells_what_it_undid() -> None:
    """Refusal, then each step undone, and which had nothing to undo."""
    refund = Done({"psp_refund_reference": "re_1"}, "refunded as re_1")
    story = play(Done(), CHARGED, NO, Done(), refund).story

    assert [e.summary for e in timeline(story) if e.kind == "step"][2:] == [
        "Step credit of pay_in was refused: WALLET_FROZEN.",
        "Step credit of pay_in was undone in 10 ms.",
        "Step charge of pay_in was undone in 10 ms: refunded as re_1.",
        "Step assess of pay_in had nothing to undo.",
    ]
    assert "The payment went from PROCESSING to FAILED: WALLET_FROZEN." in told(story)


def test_trouble_while_undoing_says_that_it_goes_back() -> None:
    """A reader must not take a compensation for the charge itself."""
    story = play(Done(), CHARGED, NO, Again("ReverseCredits: UNAVAILABLE")).story

    assert (
        "Step credit of pay_in met trouble while being undone: ReverseCredits: UNAVAILABLE."
        in told(story)
    )


def test_what_is_laid_before_a_person_is_told() -> None:
    """A dead letter is an event with the reason, at the moment of the last try."""
    story = play(Done(), Stuck("INVALID_REQUEST: amount")).story

    assert told(story)[-2:] == [
        "Step charge of pay_in cannot go on: INVALID_REQUEST: amount.",
        "Step charge of pay_in was laid before a person: INVALID_REQUEST: amount.",
    ]


def test_a_refusal_by_risk_names_the_rules() -> None:
    """The rules that spoke against it, and nothing about the buyer."""
    refused = stories.assessment("REFUSED", "velocity_buyer", "velocity_card")
    story = replace(play(Refused("RISK_REFUSED", "no")).story, assessments=(refused,))

    (event,) = [e for e in timeline(story) if e.source is Source.RISK]

    assert event.summary == "REFUSED by velocity_buyer, velocity_card."
    assert event.facts["rules"] == "velocity_buyer, velocity_card"


def test_each_outcome_of_an_attempt_has_its_sentence() -> None:
    """Also one that is newer than this program."""
    declined = {"reason": "INSUFFICIENT_FUNDS", "psp_code": "insufficient_funds"}
    cases = [
        (stories.attempt("DECLINED", **declined),
         "stripe declined to charge 99.99 USD: INSUFFICIENT_FUNDS (insufficient_funds)"),
        (stories.attempt("ACTION_REQUIRED"), "stripe wants the buyer to act before it goes on"),
        (stories.attempt("PENDING"), "stripe has not decided yet"),
        (stories.attempt("TRANSIENT", reason="PSP_UNREACHABLE"),
         "Nothing happened at stripe: PSP_UNREACHABLE"),
        (stories.attempt("UNKNOWN", reason="NO_USABLE_ANSWER"),
         "Whether stripe charged 99.99 USD is not known: NO_USABLE_ANSWER"),
        (stories.attempt("UNKNOWN", reason="AMOUNT_MISMATCH", message="It says 5.00 USD."),
         "stripe was asked to charge 99.99 USD and tells another amount: It says 5.00 USD"),
        (stories.attempt("DECLINED", reason="AMOUNT_MISMATCH"),
         "stripe charged another amount than 99.99 USD, which is given back"),
        (stories.attempt(kind="REFUND", psp_reference="re_1"),
         "stripe gave back 99.99 USD as re_1"),
        (stories.attempt(kind="AUTHORIZATION"), "stripe holds 99.99 USD as pi_1"),
        (stories.attempt("value 9", kind="value 8"), "stripe answered “value 9”"),
    ]  # fmt: skip

    for attempt, expected in cases:
        story = replace(play().story, attempts=(attempt,))
        assert told(story, Source.PSP)[-1] == f"{expected} (2 requests)."


def test_orders_that_move_together_are_told_together() -> None:
    """Fifty orders do not make fifty lines of each status, nor fifty of one transaction."""
    payment = make_payment(*(make_order(seller=f"s{i}") for i in range(50)))
    names = [f"seller:demo:s{i}:USD" for i in range(50)]
    story = replace(play(*HAPPY, payment=payment).story, entries=stories.entries(*names))

    sentences = told(story)

    assert "50 orders went each from EXECUTING to SUCCESS." in sentences
    assert "Accepted 4999.50 USD from client demo: 50 orders, 50 sellers." in sentences
    assert told(story, Source.LEDGER) == [
        "Booked txn_1: debited 99.99 USD to psp:stripe:clearing:USD, credited 50 accounts."
    ]


def test_lines_of_two_transactions_are_not_mixed() -> None:
    """Lines that come interleaved still make one event for each transaction."""
    first, second = stories.entries(), stories.entries(transaction="txn_2")
    mixed = tuple(line for pair in zip(first, second, strict=True) for line in pair)
    story = replace(play(*HAPPY).story, entries=mixed)

    assert [e.subject for e in timeline(story) if e.source is Source.LEDGER] == ["txn_1", "txn_2"]


def test_a_saga_begun_later_is_told() -> None:
    """The follow-up of a payment, by its kind; one that is called as its step is not told twice."""
    first = play(*HAPPY)
    settle = play(Done(), payment=first.payment, saga=SETTLE)
    progress = replace(settle.view.progress, created_at=at(50))
    view = replace(settle.view, progress=progress)

    sentences = told(replace(first.story, sagas=(first.view, view)))

    assert "Saga settle was begun." in sentences
    assert "Step settle was done in 10 ms." in sentences


def test_words_that_nobody_knows_yet_are_told_as_they_are() -> None:
    """Another kind of saga, step, outcome or operation does not break the story."""
    view = play(Done()).view
    entry = replace(view.entries[0], step="levitate", action="ponder", outcome="float")
    progress = replace(view.progress, kind="magic", step="levitate")
    story = replace(
        play().story,
        sagas=(replace(view, progress=progress, entries=(entry,)),),
        operations=(stories.operation("HOLD"),),
        assessments=(stories.assessment("REVIEW"),),
    )

    sentences = told(story)

    assert "Step levitate of magic came to “float”." in sentences
    assert "HOLD of 99.99 USD on seller:demo:s:USD." in sentences
    assert "REVIEW." in sentences


def test_no_secret_is_told() -> None:
    """Neither the card's token nor the buyer's e-mail address is in any event."""
    events = timeline(stories.completed())

    text = str(events)

    assert "psp_card_token_xyz" not in text
    assert "buyer@example.com" not in text


def test_what_is_empty_is_no_fact() -> None:
    """A program need not tell empty from absent."""
    events = timeline(replace(stories.completed(), attempts=(stories.attempt("PENDING"),)))

    assert all(value for event in events for value in event.facts.values())


def test_spans_and_numbers_are_said_in_the_unit_that_suits() -> None:
    """No reader has to divide, and none meets a negative span of two clocks."""
    lengths = [0.048, 3.2, 90, 7_300, -1]

    assert [span(timedelta(seconds=s)) for s in lengths] == [
        "48 ms", "3.2 s", "1 min", "2 h", "0 ms"
    ]  # fmt: skip
    assert [count(1, "try"), count(2, "try"), count(0, "seller")] == [
        "1 try", "2 tries", "0 sellers"
    ]  # fmt: skip


def test_an_accepted_payment_has_a_beginning() -> None:
    """A payment that nobody has taken up yet is told already."""
    payment = make_payment()
    progress = engine.begin(stories.PAY_IN, make_id("sga"), payment, NOW)
    story = Story(payment, (stories.SagaView(progress, NOW),), ())

    assert [e.kind for e in timeline(story)] == ["accepted"]
