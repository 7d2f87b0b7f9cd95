"""Webhooks as messages: every word has one, and no message has a word that is not ours."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from paymesh.payment.v1 import webhook_endpoint_pb2 as messages

from payment_svc.domain import webhook_secret
from payment_svc.domain.webhook_delivery import Attempt, AttemptFailure, DeliveryStatus
from payment_svc.domain.webhook_endpoint import EndpointStatus, ShownEndpoint, WebhookEndpoint
from payment_svc.webhooks import presenter as webhook_presenter
from payment_svc.webhooks.ports import DeliveryView
from tests.builders import NOW
from tests.unit.payment_svc.webhook_builders import KEYS, NAME, make_event

ENDPOINT = WebhookEndpoint(
    "whe_1", "demo", "https://example.com/", (), "d", EndpointStatus.ENABLED, NOW
)


@pytest.mark.parametrize(
    ("words", "mapping", "enum"),
    [
        (EndpointStatus, webhook_presenter.ENDPOINT_STATUSES, messages.WebhookEndpoint.Status),
        (DeliveryStatus, webhook_presenter.DELIVERY_STATUSES, messages.WebhookDelivery.Status),
        (AttemptFailure, webhook_presenter.FAILURES, messages.WebhookAttempt.Failure),
    ],
)
def test_words_and_values_are_the_same(words: type[StrEnum], mapping: Any, enum: Any) -> None:
    """A value without a word, or a word without a value, would be found by a caller."""
    assert set(mapping) == set(words)
    assert sorted(mapping.values()) == sorted(set(enum.values()) - {0})


def test_a_secret_is_in_one_answer_alone() -> None:
    """The endpoint by itself has none; shown, it is the one that signs."""
    plain = webhook_presenter.endpoint(ENDPOINT)
    shown = webhook_presenter.with_secret(ShownEndpoint(ENDPOINT, NAME), KEYS)

    assert not plain.HasField("secret")
    assert webhook_secret.read(shown.secret) == KEYS.secret("whe_1", NAME)


def test_an_attempt_has_a_status_or_a_failure() -> None:
    """What does not apply is absent, not zero."""
    second = timedelta(seconds=1)
    attempts = [
        (1, Attempt(NOW, second, failure=AttemptFailure.TIMEOUT)),
        (2, Attempt(NOW, second, 204)),
    ]
    view = DeliveryView(
        1, "evt_1", "payment.failed", DeliveryStatus.DELIVERED, 2, NOW, None, NOW, attempts
    )

    message = webhook_presenter.delivery(view)

    first, last = message.attempts
    assert (first.HasField("http_status"), first.failure) == (False, first.TIMEOUT)
    assert (last.http_status, last.HasField("failure")) == (204, False)
    assert not message.HasField("next_attempt_at")


def test_an_events_data_is_an_object_of_strings() -> None:
    """Amounts too: no reader makes a float of them."""
    message = webhook_presenter.event(make_event())

    assert dict(message.data) == {
        "payment_id": "pay_1", "status": "COMPLETED", "amount": "99.99", "currency": "USD",
    }  # fmt: skip
