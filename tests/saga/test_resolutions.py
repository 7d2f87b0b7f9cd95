"""Money follows what two persons say, or the PSP's own word, whichever is first; never both.

The gateway's own rules decide what is recorded of the attempt, the engine what comes of it.
"""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payment_svc.domain.actor import Actor
from payment_svc.domain.errors import ResolutionNotOpen, SecondPersonNeeded
from payment_svc.domain.resolution import Decision, Resolution, ResolutionStatus
from payment_svc.domain.statuses import PaymentStatus
from payment_svc.operations.ports import AttemptWord
from payment_svc.sagas import engine, resolving
from payment_svc.sagas.catalogue import SAGAS
from payment_svc.sagas.commands import Command, ExecuteCharge, RefundCharge
from payment_svc.sagas.journey import Journey, Queue
from payment_svc.sagas.outcomes import Done, Outcome, Refused, Waiting
from payment_svc.sagas.policy import RetryPolicy
from payment_svc.sagas.retrying import attempt_of, may_be_retried
from payment_svc.use_cases.approve_resolution import conclude
from payment_svc.use_cases.retry_saga import let_on
from psp_gateway.domain import attempt as gateway
from psp_gateway.domain.answer import Created, Verdict, no_answer
from psp_gateway.domain.hosted_page import Reply
from psp_gateway.domain.resolution import AttemptResolution, objection, resolved
from tests.builders import NOW, make_journey
from tests.saga.world import World

POLICY = RetryPolicy()
ANN, BOB = Actor("ann"), Actor("bob")
LATE = NOW + timedelta(days=2)
WORDS = ("retry", "charged", "not_charged", "webhook", "speak", "hush", "walk")


class Psp:
    """The gateway's attempt of a charge that has happened, or not; the PSP tells or is silent."""

    def __init__(self, journey: Journey, *, charged: bool) -> None:
        self.charged = charged
        self.tells = False
        self.contradicted = False
        self.attempt = gateway.Attempt(
            attempt_id=journey.progress.memory["charge_attempt_id"],
            kind=gateway.Kind.CHARGE,
            payment_id=journey.payment.payment_id,
            client_id="demo",
            psp="stripe",
            amount=journey.amount,
            stage=gateway.Stage.CONFIRM,
            created_at=NOW,
            updated_at=NOW,
            outcome=gateway.Outcome.UNKNOWN,
            psp_reference="pi_1",
        )

    def look_up(self) -> Reply:
        """Answer truly, or not at all."""
        if not self.tells:
            return no_answer()
        return Verdict(gateway.Outcome.SUCCEEDED, reference="pi_1") if self.charged else Created("")

    def ask(self) -> Outcome:
        """Answer the saga's charge."""
        if self.tells and not self.attempt.outcome.is_final:
            outcome = gateway.Outcome.SUCCEEDED if self.charged else gateway.Outcome.DECLINED
            self.attempt = replace(self.attempt, outcome=outcome)
        if self.attempt.outcome is gateway.Outcome.SUCCEEDED:
            return Done({"psp": "stripe", "psp_reference": "pi_1"})
        if self.attempt.outcome is gateway.Outcome.DECLINED:
            return Refused("CARD_DECLINED", "Declined.")
        return Waiting("NO_USABLE_ANSWER", unknown=True)

    def webhook(self) -> None:
        """Tell of the charge, late and unasked; nothing is believed over what is final."""
        if not self.charged:
            return
        if self.attempt.outcome.is_final:
            self.contradicted |= self.attempt.outcome is gateway.Outcome.DECLINED
        else:
            self.attempt = replace(self.attempt, outcome=gateway.Outcome.SUCCEEDED)

    def resolve(self, *, is_done: bool) -> AttemptWord:
        """Hear what two persons say."""
        if self.attempt.outcome.is_final:
            return AttemptWord(self.attempt.outcome.value)
        answer = self.look_up()
        if isinstance(answer, Verdict) and answer.outcome.is_final:
            self.attempt = replace(self.attempt, outcome=answer.outcome)
            return AttemptWord(self.attempt.outcome.value)
        outcome = gateway.Outcome.SUCCEEDED if is_done else gateway.Outcome.DECLINED
        amount = self.attempt.amount if is_done else None
        said = AttemptResolution("att", outcome, "pi_1" * is_done, amount, "Seen", "ann", "bob")
        against = objection(said, self.attempt, answer)
        if against is not None:
            return AttemptWord(refusal=against.reason, message=against.message)
        self.attempt = resolved(said, self.attempt, NOW)
        return AttemptWord(self.attempt.outcome.value)


def make_resolution(journey: Journey, decision: Decision) -> Resolution:
    """Make an approved resolution of a saga as it stands."""
    is_charged = decision is Decision.CHARGED
    proposal = Resolution(
        resolution_id="res_1",
        saga_id=journey.progress.saga_id,
        payment_id=journey.payment.payment_id,
        saga_epoch=journey.progress.epoch,
        step=journey.progress.step,
        action="undo" if journey.progress.turned_round else "do",
        attempt_id=attempt_of(resolving.command_of(journey)),
        decision=decision,
        evidence="Seen in the dashboard",
        reason="The PSP does not tell",
        proposed_by=ANN,
        proposed_at=NOW,
        expires_at=NOW + timedelta(days=1),
        psp_reference="pi_1" if is_charged else "",
        amount=journey.amount if is_charged else None,
    )
    return proposal.approve(BOB, NOW)


class Case:
    """A saga whose charge is unknown, with the world around it."""

    def __init__(self, *, charged: bool) -> None:
        self.world = World()
        self.journey = self._step(make_journey(), Done())
        self.psp = Psp(self.journey, charged=charged)
        self.journey = self._step(self.journey, Waiting("NO_USABLE_ANSWER", unknown=True), LATE)
        assert self.journey.progress.queue is Queue.DEAD_LETTER

    def play(self, word: str) -> None:
        """Let something happen."""
        match word:
            case "retry" if may_be_retried(self.journey.progress):
                self._let_on()
            case "charged" | "not_charged":
                self._resolve(Decision(word.upper()))
            case "webhook":
                self.psp.webhook()
            case "speak" | "hush":
                self.psp.tells = word == "speak"
            case "walk" if self.journey.progress.queue in (Queue.RETRY, Queue.WAITING):
                self.walk()

    def walk(self) -> None:
        """Let a worker walk the saga until it parks."""
        self.journey = self.journey.with_progress(
            queue=Queue.PAYMENT, epoch=self.journey.progress.epoch + 1
        )
        while self.journey.progress.is_runnable:
            command = engine.command(SAGAS["pay_in"], self.journey)
            outcome = Done() if command is None else self._answer(command)
            self.journey = self._step(self.journey, outcome)

    def _answer(self, command: Command) -> Outcome:
        if isinstance(command, ExecuteCharge):
            return self.psp.ask()
        assert not isinstance(command, RefundCharge), "what was not charged is not given back"
        return self.world.answer(command, "done")

    def _let_on(self) -> None:
        let = let_on(self.journey.progress, ANN, "Again", NOW)
        self.journey = replace(self.journey, progress=let.progress)

    def _resolve(self, decision: Decision) -> None:
        if decision not in resolving.fitting(self.journey):
            return
        if not resolving.may_be_resolved(
            self.journey, decision, at_psp=decision is Decision.CHARGED
        ):
            return
        resolution = make_resolution(self.journey, decision)
        word = self.psp.resolve(is_done=decision is Decision.CHARGED)
        done = conclude(resolution, self.journey, word=word, policy=POLICY, now=NOW)
        assert done.move is None, "what the PSP did is heard from the gateway alone"
        if done.let_on is not None:
            self.journey = replace(self.journey, progress=done.let_on.progress)

    def _step(self, journey: Journey, outcome: Outcome, now: object = NOW) -> Journey:
        return engine.advance(
            SAGAS["pay_in"], journey, outcome,
            started_at=NOW, now=now, chance=0.1, policy=POLICY,  # type: ignore[arg-type]
        ).after  # fmt: skip


@given(st.booleans(), st.lists(st.sampled_from(WORDS), max_size=12))
def test_whatever_is_said_and_told_the_books_follow_the_attempt(
    charged: bool, words: list[str]
) -> None:
    """However resolutions, look-ups, late webhooks and retries fall, sellers are credited and books
    written once, exactly if the attempt succeeded; and the PSP's word, where it came first, stands.
    """
    case = Case(charged=charged)

    for word in words:
        case.play(word)
    case.psp.tells = True
    if may_be_retried(case.journey.progress):
        case._let_on()
        case.walk()

    assert case.journey.progress.queue is Queue.DONE
    succeeded = case.psp.attempt.outcome is gateway.Outcome.SUCCEEDED
    expected = case.journey.amount.amount if succeeded else Decimal(0)
    assert sum(case.world.credited.values(), Decimal(0)) == expected
    assert sum(case.world.posted.values(), Decimal(0)) == expected
    status = PaymentStatus.COMPLETED if succeeded else PaymentStatus.FAILED
    assert case.journey.payment.status is status
    if not {"charged", "not_charged"} & set(words):
        assert succeeded is charged


@given(st.sampled_from(["charged", "not_charged"]), st.integers(0, 3), st.integers(0, 3))
def test_a_webhook_after_a_resolution_changes_nothing_silently(
    said: str, before: int, after: int
) -> None:
    """What was found not to be charged, and was, is contradicted for all to see, never booked."""
    case = Case(charged=True)

    for word in ("walk",) * before + (said,) + ("webhook",) + ("walk",) * after:
        case.play(word)

    if said == "not_charged":
        assert case.psp.attempt.outcome is gateway.Outcome.DECLINED
        assert case.psp.contradicted
        assert not case.world.credited
    else:
        assert not case.psp.contradicted


def stuck_refund() -> Journey:
    """Make a saga that cannot give a charge back."""
    journey = make_journey()
    outcomes = (
        Done(),
        Done({"psp": "stripe", "psp_reference": "pi_1"}),
        Refused("WALLET_FROZEN", "No."),
        Done(),
        Refused("CHARGE_TOO_OLD", "No."),
    )
    for outcome in outcomes:
        journey = engine.advance(
            SAGAS["pay_in"], journey, outcome,
            started_at=NOW, now=NOW, chance=0.1, policy=POLICY,
        ).after  # fmt: skip
    assert (journey.progress.queue, journey.progress.step) == (Queue.DEAD_LETTER, "charge")
    return journey


@pytest.mark.parametrize("decision", [Decision.DONE_BY_HAND, Decision.GIVE_UP])
def test_an_undo_that_persons_did_ends_the_saga(decision: Decision) -> None:
    """The step counts as undone, the way back goes on, and the journal names the resolution. What
    the PSP has still is booked first.
    """
    journey = stuck_refund()

    done = conclude(make_resolution(journey, decision), journey, word=None, policy=POLICY, now=NOW)

    assert done.resolution.status is ResolutionStatus.APPLIED
    assert done.move is not None
    assert done.move.entries[0].detail == f"{decision} by res_1"
    after = done.move.after
    assert (after.progress.queue, after.progress.step) == (Queue.RETRY, "book_kept")
    assert after.payment.status is PaymentStatus.PROCESSING
    booked = _walked_on(after)
    assert (booked.progress.queue, booked.payment.status) == (Queue.DONE, PaymentStatus.FAILED)


def _walked_on(journey: Journey) -> Journey:
    """Let a worker do the present step."""
    taken = journey.with_progress(queue=Queue.PAYMENT)
    return engine.advance(
        SAGAS["pay_in"], taken, Done(), started_at=NOW, now=NOW, chance=0.1, policy=POLICY
    ).after


def test_what_is_given_up_going_forward_is_undone() -> None:
    """A credit that can never work turns the saga round: the charge is given back as ever."""
    journey = make_journey()
    for outcome in (Done(), Done({"psp": "stripe", "psp_reference": "pi_1"})):
        journey = engine.advance(
            SAGAS["pay_in"], journey, outcome,
            started_at=NOW, now=NOW, chance=0.1, policy=POLICY,
        ).after  # fmt: skip
    dead = journey.with_progress(queue=Queue.DEAD_LETTER, reason="INVALID_REQUEST: x")

    resolution = make_resolution(dead, Decision.GIVE_UP)
    done = conclude(resolution, dead, word=None, policy=POLICY, now=NOW)

    assert done.move is not None
    after = done.move.after.progress
    assert (after.queue, after.turned_round, after.step) == (Queue.RETRY, True, "credit")
    assert after.memory["failure_reason"] == "GIVEN_UP"


def test_what_has_moved_since_is_not_overruled() -> None:
    """A word on a saga that went on by itself is contradicted, and changes nothing."""
    journey = stuck_refund()
    resolution = make_resolution(journey, Decision.GIVE_UP)
    moved = journey.with_progress(epoch=journey.progress.epoch + 1)

    done = conclude(resolution, moved, word=None, policy=POLICY, now=NOW)

    assert done.resolution.status is ResolutionStatus.CONTRADICTED
    assert done.move is None
    assert done.let_on is None


def test_a_refund_that_the_gateway_refused_was_done_elsewhere() -> None:
    """What psp_gateway has declined, or never heard of, is taken from the persons' word alone."""
    journey = stuck_refund()
    resolution = replace(make_resolution(journey, Decision.DONE_BY_HAND), psp_reference="re_1")

    for word in (AttemptWord("DECLINED"), AttemptWord(refusal="ATTEMPT_NOT_FOUND")):
        done = conclude(resolution, journey, word=word, policy=POLICY, now=NOW)
        assert done.move is not None
    kept = conclude(resolution, journey, word=AttemptWord("SUCCEEDED"), policy=POLICY, now=NOW)
    doubt = AttemptWord(refusal="ATTEMPT_NOT_UNKNOWN", message="It is pending.")
    left = conclude(resolution, journey, word=doubt, policy=POLICY, now=NOW)

    assert kept.let_on is not None
    assert (left.move, left.let_on) == (None, None)
    assert left.resolution.note == "It is pending."


def test_one_person_is_not_two() -> None:
    """Whoever proposed cannot approve, not even by building the object; late is too late."""
    proposal = replace(
        make_resolution(stuck_refund(), Decision.GIVE_UP),
        status=ResolutionStatus.PROPOSED, approved_by=None, decided_by=None, decided_at=None,
    )  # fmt: skip

    with pytest.raises(SecondPersonNeeded):
        proposal.approve(ANN, NOW)
    with pytest.raises(SecondPersonNeeded):
        replace(proposal, approved_by="ann")
    with pytest.raises(ResolutionNotOpen):
        proposal.approve(BOB, proposal.expires_at)
    assert proposal.reject(ANN, NOW, "A slip").status is ResolutionStatus.REJECTED
    assert proposal.seen(proposal.expires_at).status is ResolutionStatus.EXPIRED


def test_only_what_fits_a_step_may_be_said() -> None:
    """Each step has its own ends; what wallets and books say is not overruled going back."""
    undone = stuck_refund()
    credit = undone.with_progress(step="credit")

    assert resolving.fitting(undone) == (Decision.DONE_BY_HAND, Decision.GIVE_UP)
    assert resolving.fitting(credit) == ()
    assert resolving.fitting(Case(charged=True).journey) == (
        Decision.CHARGED, Decision.NOT_CHARGED, Decision.OTHER_AMOUNT
    )  # fmt: skip
