"""What the use cases need from outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from risk_svc.domain.assessment import Assessment, PaymentFacts, Subject


class AssessmentStore(Protocol):
    """Assessments at rest."""

    async def find(self, payment_ids: Sequence[str]) -> Mapping[str, Assessment]:
        """Read the assessments that there are.

        Raises:
            Unavailable: the database did not answer.
        """
        ...

    async def add(self, assessments: Sequence[Assessment]) -> Mapping[str, Assessment]:
        """Store assessments of payments that have none; answer what is stored for each payment.

        Raises:
            Unavailable: the database did not answer; whether they are stored is not known, and
                asking again is safe.
        """
        ...


class AttemptCounter(Protocol):
    """Counts attempts of the last hour."""

    async def count(
        self, payments: Sequence[PaymentFacts], now: datetime
    ) -> Sequence[Mapping[Subject, int]]:
        """Count each payment as an attempt of its subjects, once; tell how many each has made.

        In the order given: a later payment of a batch sees the earlier ones. A payment counted
        before sees no attempt that came after it. A count may stop at a number above every limit.

        Raises:
            Unavailable: nothing can be counted now.
        """
        ...
