"""ListAttempts, ListAttemptsOfPayments: what was asked of PSPs for a payment, or for many."""

from collections.abc import Sequence

from psp_gateway.domain.attempt import Attempt
from psp_gateway.ports import AttemptReader


async def list_attempts(reader: AttemptReader, payment_id: str) -> Sequence[Attempt]:
    """List a payment's attempts, the oldest first.

    Raises:
        Unavailable: the store did not answer.
    """
    return await reader.of_payment(payment_id)


async def list_attempts_of_payments(
    reader: AttemptReader, payment_ids: Sequence[str]
) -> Sequence[Attempt]:
    """List the attempts of payments, by payment, the oldest first.

    Raises:
        Unavailable: the store did not answer.
    """
    return await reader.of_payments(payment_ids)
