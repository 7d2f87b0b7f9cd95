"""A desk where disputes are followed and answered: a PSP that can be asked, a book and a clock."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from chassis.money import Money
from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.attempt import Attempt, Outcome
from psp_gateway.domain.dispute import Dispute, Stage, Standing, Status
from psp_gateway.domain.dispute_answer import Evidence, File
from psp_gateway.domain.inbox import State, Told
from psp_gateway.domain.psp_event import PspEvent, Subject
from psp_gateway.use_cases.answer_dispute import Answering, accept_dispute, submit_evidence
from psp_gateway.use_cases.follow_disputes import Following, follow_dispute
from tests.builders import NOW
from tests.unit.psp_gateway.dispute_book import MemoryBook
from tests.unit.psp_gateway.fakes import FreePassage
from tests.unit.psp_gateway.test_take_further import new_charge

DUE = NOW + timedelta(days=7)
OPENED = (Stage.CHARGEBACK, Status.NEEDS_RESPONSE, True)


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
