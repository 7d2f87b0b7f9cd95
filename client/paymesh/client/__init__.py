"""The Python client of paymesh: typed, patient, and never paying twice.

    async with Paymesh("127.0.0.1:8080", api_key=key) as paymesh:
        payment = await paymesh.create_payment(request, wait_s=5)

Requests and answers are the messages of `paymesh.payment.v1`.
"""

from paymesh.client.blocking import BlockingPaymesh
from paymesh.client.calling import Patience
from paymesh.client.errors import (
    AlreadyExists,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidRequest,
    NotFound,
    PaymeshError,
    RateLimited,
    Unauthenticated,
    Unavailable,
)
from paymesh.client.payments import FINAL, Paymesh
from paymesh.client.webhooks import InvalidWebhook, verify_webhook

__all__ = [
    "FINAL",
    "AlreadyExists",
    "BlockingPaymesh",
    "DeadlineExceeded",
    "FailedPrecondition",
    "InvalidRequest",
    "InvalidWebhook",
    "NotFound",
    "Patience",
    "Paymesh",
    "PaymeshError",
    "RateLimited",
    "Unauthenticated",
    "Unavailable",
    "verify_webhook",
]
