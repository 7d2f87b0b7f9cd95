"""What becomes of a delivery after an attempt; when it is tried again; how an event is written."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from payment_svc.domain.webhook_delivery import (
    Attempt,
    AttemptFailure,
    DeliveryStatus,
    RetrySchedule,
    judge,
)
from payment_svc.domain.webhook_endpoint import (
    EVENT_TYPES,
    WebhookEvent,
    check_event_types,
    event_id,
    read_event_id,
)
from tests.builders import NOW
from tests.unit.payment_svc.webhook_builders import make_delivery

SCHEDULE = RetrySchedule()


def attempt(status: int | None = None, failure: AttemptFailure | None = None) -> Attempt:
    """Make an attempt of a tenth of a second."""
    return Attempt(NOW, timedelta(milliseconds=100), status, failure)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_delivery(status: int) -> None:
    """Which one does not matter."""
    verdict = judge(make_delivery(), attempt(status), SCHEDULE, NOW, 0.5)

    assert (verdict.status, verdict.pause) == (DeliveryStatus.DELIVERED, None)


@pytest.mark.parametrize("status", [199, 301, 307, 308, 400, 401, 404, 429, 500, 503])
def test_anything_else_is_tried_again(status: int) -> None:
    """Also what looks like a mistake for good: a receiver's deployment may mend it."""
    verdict = judge(make_delivery(), attempt(status), SCHEDULE, NOW, 0.5)

    assert (verdict.status, verdict.pause) == (DeliveryStatus.PENDING, timedelta(seconds=5))
    assert not verdict.disables_endpoint


def test_gone_disables_the_endpoint() -> None:
    """410 is a receiver's way to say: never again."""
    verdict = judge(make_delivery(), attempt(410), SCHEDULE, NOW, 0.5)

    assert verdict.status is DeliveryStatus.FAILED
    assert verdict.disables_endpoint


@pytest.mark.parametrize("failure", list(AttemptFailure))
def test_a_failure_is_tried_again_unless_nobody_wants_it(failure: AttemptFailure) -> None:
    """Names, certificates and our own keys may be mended; an endpoint that is gone is gone."""
    verdict = judge(make_delivery(), attempt(failure=failure), SCHEDULE, NOW, 0.5)

    gone = failure is AttemptFailure.ENDPOINT_GONE
    assert verdict.status is (DeliveryStatus.FAILED if gone else DeliveryStatus.PENDING)


def test_the_pauses_grow_and_three_days_end_them() -> None:
    """5 s, 30 s, 2 min, 10 min, 30 min, 1 h, then every 4 h, then never."""
    spent, pauses = timedelta(), []
    while (pause := SCHEDULE.pause(len(pauses) + 1, spent, 0.5)) is not None:
        pauses.append(pause)
        spent += pause

    seconds = [pause.total_seconds() for pause in pauses]
    assert seconds[:7] == [5, 30, 120, 600, 1800, 3600, 14400]
    assert set(seconds[7:]) == {14400}
    assert timedelta(days=3) - timedelta(hours=4) < spent <= timedelta(days=3)


@given(st.integers(1, 100), st.floats(0, 1, exclude_max=True))
def test_chance_spreads_a_pause_by_a_quarter(tries: int, chance: float) -> None:
    """Many deliveries that failed at once do not come back at once."""
    usual = SCHEDULE.pauses[min(tries, 7) - 1]
    pause = SCHEDULE.pause(tries, timedelta(), chance)

    assert pause is not None
    assert 0.75 * usual <= pause <= 1.25 * usual


@given(st.from_regex(r"\A[a-z]{3}_[0-9a-z]{1,60}\Z"), st.integers(1, 999_999_999))
def test_an_events_id_tells_what_it_is_about(object_id: str, sequence: int) -> None:
    """What was written is read again, whatever letters the object's id has."""
    assert read_event_id(event_id(object_id, sequence)) == (object_id, sequence)


@pytest.mark.parametrize(
    "text", ["", "evt_", "evt_pay_1", "evt_pay_1s0", "evt_pay_1s01", "pay_1s1"]
)
def test_what_is_no_events_id_is_refused(text: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest):
        read_event_id(text)


def test_an_event_is_written_the_same_each_time() -> None:
    """The bytes that are signed do not depend on the order in which the database keeps fields."""
    data = {"status": "COMPLETED", "amount": "99.99", "note": "ü"}
    events = [
        WebhookEvent("pay_1", 3, "payment.completed", fields, NOW)
        for fields in (data, dict(reversed(data.items())))
    ]

    assert events[0].body() == events[1].body()
    assert json.loads(events[0].body()) == {
        "id": "evt_pay_1s3",
        "type": "payment.completed",
        "timestamp": "2026-01-15T10:30:00Z",
        "sequence": 3,
        "data": data,
    }


def test_a_type_that_no_event_has_is_refused() -> None:
    """It would be waited for in vain."""
    check_event_types(tuple(EVENT_TYPES))

    with pytest.raises(InvalidRequest) as refusal:
        check_event_types(("payment.completed", "payment.complete"))
    assert refusal.value.violations[0].field == "event_types[1]"
