"""Disputes are followed and answered: what a PSP says of one, when, and what we may do about it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.money import Money
from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Absent, Verdict, alarm, no_answer
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.dispute import (
    MOVES,
    Backwards,
    Dispute,
    News,
    Source,
    Stage,
    Standing,
    Status,
    follows,
    opened,
)
from psp_gateway.domain.dispute_answer import FILES_BYTES_MAX, Evidence, File
from psp_gateway.domain.errors import (
    DisputeNotOpen,
    EvidenceRefused,
    EvidenceTooLate,
)
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.domain.reasons import Reason
from psp_gateway.use_cases.answer_dispute import Answering, accept_dispute, submit_evidence
from psp_gateway.use_cases.follow_disputes import Following, charge_of, follow_dispute
from tests.builders import NOW
from tests.unit.psp_gateway.dispute_book import MemoryBook
from tests.unit.psp_gateway.fakes import FreePassage
from tests.unit.psp_gateway.test_take_further import new_charge, new_refund

DUE = NOW + timedelta(days=7)
OPENED = (Stage.CHARGEBACK, Status.NEEDS_RESPONSE, True)
# What Stripe's disputes go through: docs.stripe.com/disputes/how-disputes-work.
COURSES: Sequence[Sequence[tuple[Stage, Status, bool]]] = (
    (OPENED, (Stage.CHARGEBACK, Status.UNDER_REVIEW, True), (Stage.CHARGEBACK, Status.WON, False)),
    (OPENED, (Stage.CHARGEBACK, Status.LOST, True), (Stage.CHARGEBACK, Status.WON, False)),
    (
        (Stage.INQUIRY, Status.NEEDS_RESPONSE, False),
        (Stage.INQUIRY, Status.UNDER_REVIEW, False),
        OPENED,
        (Stage.CHARGEBACK, Status.LOST, True),
        (Stage.PRE_ARBITRATION, Status.NEEDS_RESPONSE, True),
        (Stage.CHARGEBACK, Status.WON, False),
    ),
    ((Stage.INQUIRY, Status.NEEDS_RESPONSE, False), (Stage.INQUIRY, Status.CLOSED, False)),
)


def standing(stage: Stage, status: Status, is_withdrawn: bool = True) -> Standing:
    """Make what a PSP says."""
    return Standing(
        reference="dp_1",
        amount=Money.parse("99.99", "USD"),
        stage=stage,
        status=status,
        is_money_withdrawn=is_withdrawn,
        evidence_due_at=DUE,
        charge_references=("pi_1",),
        submissions=0,
    )


def charged() -> Attempt:
    """Make the charge that is disputed."""
    return replace(new_charge(), outcome=Outcome.SUCCEEDED, psp_reference="pi_1")


def told(number: int = 1) -> Told:
    """Make an event of the dispute."""
    event = PspEvent(
        psp="fake",
        event_id=f"evt_{number}",
        event_type="charge.dispute.updated",
        subject=Subject.DISPUTE,
        reference="dp_1",
        charge_reference="pi_1",
    )
    return Told(number, event, NOW)


@dataclass
class FakeDisputes:
    """A PSP that can be asked: it stands as it is set to, and answers what it is told to."""

    now: Standing = field(default_factory=lambda: standing(*OPENED))
    says: list[Heard] = field(default_factory=list)
    answers: list[Heard] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def read_dispute(self, reference: str) -> Heard:
        """Tell how it stands."""
        assert reference == "dp_1"
        await asyncio.sleep(0)
        return self.says.pop(0) if self.says else self.now

    def refusal(self, dispute: Dispute, evidence: Evidence) -> tuple[str, str] | None:
        """Take all but one."""
        del dispute
        return ("texts", "not these words") if "no" in evidence.texts.values() else None

    async def submit_evidence(
        self, dispute: Dispute, evidence: Evidence, *, key: str, is_again: bool
    ) -> Heard:
        """Answer."""
        del dispute, evidence, is_again
        self.keys.append(key)
        return self.answers.pop(0)

    async def accept_dispute(self, dispute: Dispute, *, key: str) -> Heard:
        """Answer."""
        del dispute
        self.keys.append(key)
        return self.answers.pop(0)


@dataclass
class Desk:
    """A PSP, a book and a clock, and what is done with them."""

    psp: FakeDisputes = field(default_factory=FakeDisputes)
    book: MemoryBook = field(default_factory=MemoryBook)
    now: datetime = NOW

    @property
    def following(self) -> Following:
        """What following takes."""
        guards = {"fake": FreePassage()}
        return Following(self.book, {"fake": self.psp}, {}, guards, lambda: self.now)

    def follow(self, event: Told | None = None, charges: Sequence[Attempt] | None = None) -> Told:
        """Take an event in."""
        concerned = [charged()] if charges is None else charges
        return asyncio.run(follow_dispute(self.following, event or told(), concerned))

    def only(self) -> Dispute:
        """Give the one dispute there is."""
        (found,) = self.book.disputes.values()
        return found

    def submit(self, *, text: str = "We sent it.", files: tuple[File, ...] = ()) -> Outcome:
        """Hand evidence in."""
        answering = Answering(self.following, {"fake": self.psp})
        evidence = Evidence({"uncategorized_text": text} if text else {}, files)
        dispute_id = self.only().dispute_id
        call = submit_evidence(answering, dispute_id, "request_1", evidence)
        return asyncio.run(call)[0].outcome

    def accept(self) -> Outcome:
        """Give it up."""
        answering = Answering(self.following, {"fake": self.psp})
        call = accept_dispute(answering, self.only().dispute_id, "request_1")
        return asyncio.run(call)[0].outcome


def opened_desk() -> Desk:
    """Make a dispute that waits for us."""
    desk = Desk()
    assert desk.follow().state is State.APPLIED
    return desk


@settings(deadline=None)
@given(st.sampled_from(COURSES), st.data())
def test_events_late_lost_and_repeated_end_as_the_psp_stands(
    course: Sequence[tuple[Stage, Status, bool]], data: st.DataObject
) -> None:
    """However many events come at whichever moments, the last one read tells how it stands; what
    was never said is not missed.
    """
    desk = Desk()
    for each in course:
        desk.psp.now = standing(*each)
        for number in range(data.draw(st.integers(0, 2))):
            assert desk.follow(told(number)).state is State.APPLIED
    assert desk.follow(told(99)).state is State.APPLIED

    found = desk.only()
    assert (found.status, found.is_money_withdrawn) == course[-1][1:]
    assert len(found.history) <= len(course)


def test_of_two_who_read_at_once_the_later_word_stands() -> None:
    """Who was overtaken asks again, so that an older word is never stored over a newer one."""
    desk = opened_desk()
    older, newer = standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), standing(*COURSES[0][2])
    desk.psp.now = newer
    desk.psp.says = [older, newer]

    async def both() -> None:
        await asyncio.gather(
            follow_dispute(desk.following, told(2), [charged()]),
            follow_dispute(desk.following, told(3), [charged()]),
        )

    asyncio.run(both())

    assert desk.only().status is Status.WON


def test_stages_never_go_back() -> None:
    """Of all pairs only those of the table follow; a higher stage may begin in any status."""
    for (stage, status), (to_stage, to_status) in product(product(Stage, Status), repeat=2):
        rise = list(Stage).index(to_stage) - list(Stage).index(stage)
        expected = rise > 0 or (rise == 0 and (status is to_status or to_status in MOVES[status]))
        assert follows(stage, status, to_stage, to_status) is expected


def test_what_was_not_seen_between_is_no_contradiction() -> None:
    """Two moves that a PSP makes one after the other may be seen as one."""
    said = [status for status in Status if status is not Status.ACCEPTED]
    for one, two, three in product(said, repeat=3):
        if two in MOVES[one] and three in MOVES[two]:
            assert one is three or three in MOVES[one], (one, two, three)


def test_a_word_that_cannot_follow_is_for_a_person() -> None:
    """A chargeback does not become an inquiry: the dispute stays, and the event says why."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.INQUIRY, Status.UNDER_REVIEW)

    left = desk.follow(told(2))

    assert left.state is State.CONTRADICTS
    assert "INQUIRY UNDER_REVIEW" in left.note
    assert desk.only().stage is Stage.CHARGEBACK


def test_an_appeal_reopens_what_the_psp_may_reopen() -> None:
    """Where appeals are heard within a stage an end is none."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.CHARGEBACK, Status.LOST)
    desk.follow(told(2))
    desk.psp.now = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), may_reopen=True)

    assert desk.follow(told(3)).state is State.APPLIED
    assert desk.only().status is Status.UNDER_REVIEW


def test_a_loss_after_acceptance_stays_accepted() -> None:
    """It is the same to the PSP, not to us."""
    dispute = opened(charged(), standing(*OPENED), "dsp_1", NOW)
    accepted = replace(dispute, status=Status.ACCEPTED)

    after = accepted.taken(standing(Stage.CHARGEBACK, Status.LOST), News(NOW, Source.READ, "x"))

    assert after == accepted
    with pytest.raises(Backwards):
        accepted.taken(standing(Stage.CHARGEBACK, Status.WON), News(NOW, Source.READ, "x"))


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (no_answer(), State.NEW),
        (alarm("500", Reason.NO_USABLE_ANSWER, psp_code="api_error"), State.NEW),
        (Absent("404"), State.NEW),
        (replace(standing(*OPENED), reference="dp_2"), State.NEW),
        (replace(standing(*OPENED), charge_references=("pi_2",)), State.CONTRADICTS),
    ],
)
def test_without_the_psps_word_there_is_no_dispute(said: Heard, state: State) -> None:
    """It is asked again later; a dispute of another charge is for a person."""
    desk = Desk()
    desk.psp.says = [said]

    left = desk.follow()

    assert left.state is state
    assert not desk.book.disputes
    assert (left.due_at is not None) is (state is State.NEW)


def test_a_dispute_about_an_unknown_charge_waits() -> None:
    """Our own commit may come after the PSP's word."""
    assert Desk().follow(charges=[]).state is State.PARKED


def test_events_that_name_no_dispute_or_no_psp_are_kept() -> None:
    """PayPal's reversal names no dispute; a PSP without disputes here is not followed."""
    unnamed = replace(told(), event=replace(told().event, reference=""))
    unknown = replace(told(), event=replace(told().event, psp="square"))

    assert Desk().follow(unnamed).state is State.KEPT
    assert Desk().follow(unknown).state is State.KEPT


def test_the_charge_is_the_attempt_that_charged() -> None:
    """Not its refunds, and not one that was declined before."""
    declined = replace(charged(), attempt_id="att_0", outcome=Outcome.DECLINED)

    assert charge_of([declined, charged(), new_refund()]) == charged()
    assert charge_of([declined]) == declined
    assert charge_of([new_refund()]) is None


def test_evidence_after_its_time_is_refused() -> None:
    """By the deadline that was asked for; nothing is sent."""
    desk = opened_desk()
    desk.now = DUE

    with pytest.raises(EvidenceTooLate):
        desk.submit()

    assert desk.psp.keys == []
    assert not desk.book.requests


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.NEEDS_RESPONSE}))
def test_a_dispute_that_waits_for_no_answer_gets_none(status: Status) -> None:
    """Whatever we knew: it is looked at first."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.CHARGEBACK, status)

    with pytest.raises(DisputeNotOpen):
        desk.submit()
    with pytest.raises(DisputeNotOpen):
        desk.accept()
    assert desk.psp.keys == []


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("", ()),
        ("no", ()),
        ("x", (File("receipt", "a.pdf", "application/pdf", b"x" * (FILES_BYTES_MAX + 1)),)),
    ],
)
def test_evidence_that_is_none_is_refused(text: str, files: tuple[File, ...]) -> None:
    """Nothing, too much, or what the PSP takes none of."""
    with pytest.raises(EvidenceRefused):
        opened_desk().submit(text=text, files=files)


def test_a_request_of_unknown_end_is_sent_under_the_same_key() -> None:
    """As long as the dispute does not show that it was done."""
    desk = opened_desk()
    done = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)
    desk.psp.answers = [no_answer(), no_answer(), done]

    outcomes = [desk.submit(), desk.submit(), desk.submit(), desk.submit()]

    assert outcomes == [Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    assert len(set(desk.psp.keys)) == 1


def test_a_request_that_a_crash_left_is_sent_under_its_key() -> None:
    """It was stored and maybe sent: it may not be taken for one that never was."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    (stored,) = desk.book.requests.values()
    desk.book.requests[stored.request_id] = replace(stored, outcome=Outcome.PENDING)
    desk.psp.says = [no_answer()]

    assert desk.submit() is Outcome.UNKNOWN

    desk.psp.answers = [replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)]
    assert desk.submit() is Outcome.SUCCEEDED
    assert len(set(desk.psp.keys)) == 1


def test_a_request_that_shows_is_not_sent_again() -> None:
    """The PSP counts submissions: one more than before is ours."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    desk.psp.now = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)

    assert desk.submit() is Outcome.SUCCEEDED
    assert len(desk.psp.keys) == 1


def test_silence_leaves_an_unknown_end_unknown() -> None:
    """A PSP that cannot be looked at says nothing of what may have arrived."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    desk.psp.says = [no_answer()]

    assert desk.submit() is Outcome.UNKNOWN
    assert len(desk.psp.keys) == 1


def test_a_refusal_of_the_psps_is_final() -> None:
    """And asked again it is answered from what is stored."""
    desk = opened_desk()
    desk.psp.answers = [
        Verdict(Outcome.DECLINED, reason=Reason.PSP_REQUEST_INVALID, about_request=True)
    ]

    assert [desk.submit(), desk.submit()] == [Outcome.DECLINED, Outcome.DECLINED]
    assert len(desk.psp.keys) == 1


REFUSED = Verdict(Outcome.DECLINED, reason=Reason.PSP_REQUEST_INVALID, about_request=True)
LIMITED = Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED, about_request=True)
DONE = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)


@pytest.mark.parametrize(
    ("again", "looks", "outcome"),
    [
        (REFUSED, [standing(*OPENED), DONE], Outcome.SUCCEEDED),
        (REFUSED, [standing(*OPENED), standing(*OPENED)], Outcome.DECLINED),
        (REFUSED, [standing(*OPENED), no_answer()], Outcome.UNKNOWN),
        (LIMITED, [standing(*OPENED), DONE], Outcome.SUCCEEDED),
        (LIMITED, [standing(*OPENED), standing(*OPENED)], Outcome.UNKNOWN),
    ],
)
def test_what_is_said_of_a_repetition_says_nothing_of_the_first(
    again: Verdict, looks: list[Heard], outcome: Outcome
) -> None:
    """The first may have arrived between the look and the repetition: it is looked at once more."""
    desk = opened_desk()
    desk.psp.answers = [no_answer(), again]
    desk.submit()
    desk.psp.says = looks

    assert desk.submit() is outcome


def test_evidence_is_in_no_repr() -> None:
    """It is about a buyer."""
    evidence = Evidence({"customer_name": "canary"}, (File("receipt", "canary", "x", b"canary"),))

    assert "canary" not in repr(evidence)
    assert "canary" not in repr(evidence.files)
