"""Explaining a payment over services of which some are away; and the mapping to the wire."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from paymesh.payment.v1 import explanation_pb2

from chassis.errors import Unavailable
from payment_svc import explanation_presenter
from payment_svc.domain.case import Case
from payment_svc.domain.errors import PaymentNotFound
from payment_svc.domain.operator_action import OperatorAction
from payment_svc.domain.payment import Payment
from payment_svc.domain.testimony import (
    Assessment,
    Attempt,
    LedgerEntry,
    Notice,
    WalletOperation,
)
from payment_svc.explanation.story import Explanation, Source, Story
from payment_svc.explanation_presenter import ACTION_KINDS, SOURCES, WAITS_FOR
from payment_svc.ports import SagaView, StatusChange
from payment_svc.use_cases.explain_payment import explain_payment
from tests.unit.payment_svc import stories
from tests.unit.payment_svc.stories import POLICY, at

OTHERS = (Source.RISK, Source.PSP, Source.WALLET, Source.LEDGER)


@dataclass
class FakeBooks:
    """Our own part: `PaymentStore.find`, `SagaStore.explain`, `OperatorStore.actions_of`."""

    story: Story

    async def find(self, payment_id: str) -> Payment | None:
        """Find the one payment that there is."""
        return self.story.payment if payment_id == self.story.payment.payment_id else None

    async def cases_of(self, _: str) -> Sequence[Case]:
        """Tell its cases."""
        return self.story.cases

    async def explain(self, _: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
        """Tell its sagas and statuses."""
        return self.story.sagas, self.story.changes

    async def actions_of(self, _: str) -> Sequence[OperatorAction]:
        """Tell what operators did."""
        return self.story.actions


@dataclass
class FakeWitnesses:
    """`ports.Witnesses` over a story; who is away raises Unavailable."""

    story: Story
    away: set[Source] = field(default_factory=set)
    asked: int = 0
    asked_at_once: int = 0
    then: Story | None = None

    async def assessments(self, _: str) -> tuple[Assessment, ...]:
        """Tell what risk_svc decided."""
        await self._asked(Source.RISK)
        return tuple(self.story.assessments)

    async def attempts(self, _: str) -> tuple[Attempt, ...]:
        """Tell what was tried at PSPs."""
        await self._asked(Source.PSP)
        return tuple(self.story.attempts)

    async def notices(self, _: str) -> tuple[Notice, ...]:
        """Tell what PSPs told."""
        await self._asked(Source.PSP)
        return tuple(self.story.notices)

    async def operations(self, _: str) -> tuple[WalletOperation, ...]:
        """Tell what changed in wallets."""
        await self._asked(Source.WALLET)
        return tuple(self.story.operations)

    async def entries(self, _: str) -> tuple[LedgerEntry, ...]:
        """Tell what was booked."""
        await self._asked(Source.LEDGER)
        booked = tuple(self.story.entries)
        self.story = self.then or self.story  # it is the last to be asked
        return booked

    async def _asked(self, source: Source) -> None:
        self.asked += 1
        self.asked_at_once = max(self.asked_at_once, self.asked)
        await asyncio.sleep(0)
        self.asked -= 1
        if source in self.away:
            raise Unavailable("It did not answer within 3 s.")


async def explained(
    witnesses: FakeWitnesses,
    payment_id: str | None = None,
    *,
    books: FakeBooks | None = None,
    then: Story | None = None,
) -> Explanation:
    """Explain the payment of the witnesses' story a second after it was accepted; `then` is what
    witnesses tell from the second time on.
    """
    books = books or FakeBooks(witnesses.story)
    witnesses.then = then
    return await explain_payment(
        payment_id or witnesses.story.payment.payment_id,
        payments=books,  # type: ignore[arg-type]
        sagas=books,  # type: ignore[arg-type]
        witnesses=witnesses,
        operators=books,  # type: ignore[arg-type]
        now=at(1000),
        policy=POLICY,
        cases=books,  # type: ignore[arg-type]
    )


async def test_everybody_is_asked_at_once() -> None:
    """The whole takes as long as the slowest, not as long as all."""
    witnesses = FakeWitnesses(stories.completed())

    told = await explained(witnesses)

    assert witnesses.asked_at_once == 5
    assert told.story.gaps == []
    assert {event.source for event in told.timeline} == set(Source)


@pytest.mark.parametrize(
    "away", [(Source.RISK,), (Source.PSP,), (Source.WALLET,), (Source.LEDGER,), OTHERS]
)
async def test_a_service_that_is_away_is_a_gap(away: tuple[Source, ...]) -> None:
    """It is named with the reason, and the others' parts are told as ever."""
    missing = set(away)

    told = await explained(FakeWitnesses(stories.completed(), missing))

    assert {gap.source for gap in told.story.gaps} == missing
    assert {gap.why for gap in told.story.gaps} == {"It did not answer within 3 s."}
    assert {event.source for event in told.timeline} == set(Source) - missing
    assert all(f"{source.service} did not tell" in told.headline for source in missing)


async def test_what_a_saga_did_meanwhile_is_told() -> None:
    """A saga that ends while wallets are asked is in the story with what it did there."""
    whole = stories.completed()
    *_, last = whole.sagas
    unsettled = replace(last, entries=last.entries[:-1])
    before = replace(whole, sagas=[*whole.sagas[:-1], unsettled], operations=())
    witnesses = FakeWitnesses(before)

    class Moving(FakeBooks):
        """The saga goes on as soon as it has been looked at."""

        async def explain(self, _: str) -> tuple[Sequence[SagaView], Sequence[StatusChange]]:
            found = self.story.sagas, self.story.changes
            self.story = whole
            return found

    told = await explained(witnesses, books=Moving(before), then=whole)

    assert list(told.story.sagas) == list(whole.sagas)
    assert list(told.story.operations) == list(whole.operations)
    assert whole.operations


async def test_an_unknown_payment_is_not_found() -> None:
    """Nobody else is asked about it."""
    witnesses = FakeWitnesses(stories.completed())

    with pytest.raises(PaymentNotFound):
        await explained(witnesses, "pay_0")

    assert witnesses.asked_at_once == 0


async def test_the_message_holds_all_of_it() -> None:
    """What was gathered, and what was made of it, with moments that are not there left out."""
    told = await explained(FakeWitnesses(stories.completed(), {Source.RISK}))

    message = explanation_presenter.explanation(told)

    assert message.headline == told.headline
    assert [event.summary for event in message.timeline] == [e.summary for e in told.timeline]
    assert message.timeline[0].at.ToDatetime(UTC) == datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    assert message.outlook.waits_for == explanation_pb2.Outlook.NOTHING
    assert message.outlook.HasField("since")
    assert not message.outlook.HasField("until")
    assert [action.kind for action in message.outlook.actions] == [explanation_pb2.Action.NONE]
    assert [gap.source for gap in message.gaps] == [explanation_pb2.TimelineEvent.RISK]
    assert message.payment.payment_id == message.sagas[0].payment_id


def test_every_word_of_the_wire_is_ours_and_the_reverse() -> None:
    """A value that is added to a proto without a mapping fails here."""
    assert set(SOURCES.values()) == set(explanation_pb2.TimelineEvent.Source.values()) - {0}
    assert set(WAITS_FOR.values()) == set(explanation_pb2.Outlook.WaitsFor.values()) - {0}
    assert set(ACTION_KINDS.values()) == set(explanation_pb2.Action.Kind.values()) - {0}
