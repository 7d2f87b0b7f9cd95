"""ExplainPayment: tell a payment's whole story to an operator."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import TypeVar

from chassis.errors import Unavailable
from payment_svc.domain.errors import PaymentNotFound
from payment_svc.domain.payment import Payment
from payment_svc.explanation.headline import headline
from payment_svc.explanation.outlook import outlook
from payment_svc.explanation.story import Explanation, Gap, Source, Story
from payment_svc.explanation.timeline import timeline
from payment_svc.operations.ports import OperatorStore
from payment_svc.ports import CaseStore, PaymentStore, SagaStore, SagaView, Witnesses
from payment_svc.sagas.policy import RetryPolicy

Told = TypeVar("Told")
_LOOKS = 3


async def explain_payment(
    payment_id: str,
    *,
    payments: PaymentStore,
    sagas: SagaStore,
    witnesses: Witnesses,
    operators: OperatorStore,
    now: datetime,
    policy: RetryPolicy,
    cases: CaseStore,
) -> Explanation:
    """Gather what every service knows of a payment of any client, and make sense of it.

    A service that does not answer leaves a gap.

    Raises:
        PaymentNotFound: no such payment.
    """
    story = await _settled(payment_id, payments, sagas, witnesses, operators, cases)
    ahead = outlook(story, now, policy)
    return Explanation(story, headline(story, ahead, now), timeline(story), ahead)


async def _settled(
    payment_id: str,
    payments: PaymentStore,
    sagas: SagaStore,
    witnesses: Witnesses,
    operators: OperatorStore,
    cases: CaseStore,
) -> Story:
    """Gather again when the payment or a saga moved meanwhile: what that did may be missing."""
    payment = await payments.find(payment_id)
    if payment is None:
        raise PaymentNotFound(payment_id)
    views, _ = await sagas.explain(payment_id)
    for _ in range(_LOOKS):
        story = await _gather(payment, payments, sagas, witnesses, operators, cases)
        if story.payment == payment and _done(story.sagas) == _done(views):
            break
        payment, views = story.payment, story.sagas
    return story


def _done(views: Sequence[SagaView]) -> list[tuple[str, int]]:
    """Tell how far each saga is."""
    return [(view.progress.saga_id, len(view.entries)) for view in views]


async def _gather(
    payment: Payment,
    payments: PaymentStore,
    sagas: SagaStore,
    witnesses: Witnesses,
    operators: OperatorStore,
    cases: CaseStore,
) -> Story:
    payment_id = payment.payment_id
    gaps: list[Gap] = []
    # Our own part is read last, the payment last of all: nothing is told that the saga which did it
    # does not know of, and no payment seems to be left by a saga that has just ended.
    assessments, attempts, notices, operations, entries = await asyncio.gather(
        _or_gap(Source.RISK, witnesses.assessments(payment_id), gaps),
        _or_gap(Source.PSP, witnesses.attempts(payment_id), gaps),
        _or_gap(Source.PSP, witnesses.notices(payment_id), gaps),
        _or_gap(Source.WALLET, witnesses.operations(payment_id), gaps),
        _or_gap(Source.LEDGER, witnesses.entries(payment_id), gaps),
    )
    actions = await operators.actions_of(payment_id)
    views, changes = await sagas.explain(payment_id)
    return Story(
        payment=await payments.find(payment_id) or payment,
        sagas=views,
        changes=changes,
        assessments=assessments,
        attempts=attempts,
        notices=notices,
        operations=operations,
        entries=entries,
        actions=actions,
        cases=await cases.cases_of(payment_id),
        gaps=_one_each(gaps),
    )


def _one_each(gaps: Sequence[Gap]) -> list[Gap]:
    """Tell once of each who is away, in the sequence of the sources."""
    first = {gap.source: gap for gap in reversed(gaps)}
    return [first[source] for source in Source if source in first]


async def _or_gap(
    source: Source, asked: Awaitable[tuple[Told, ...]], gaps: list[Gap]
) -> tuple[Told, ...]:
    try:
        return await asked
    except Unavailable as error:
        gaps.append(Gap(source, error.message))
        return ()
