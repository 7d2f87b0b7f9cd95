"""What a PSP told unasked, and what a person should know of, in a payment's timeline."""

from dataclasses import replace

import pytest

from payment_svc.domain.case import Case, CaseKind, CaseStatus
from payment_svc.domain.testimony import Notice
from payment_svc.explanation.story import Source, TimelineEvent
from payment_svc.explanation.timeline import timeline
from payment_svc.sagas.journey import GIVEN_UP_BY
from payment_svc.sagas.outcomes import Again, Done, Refused
from tests.unit.payment_svc.stories import BOOKED, CHARGED, HAPPY, at, play

NOTICE = Notice(
    at=at(25),
    psp="stripe",
    event_id="evt_1",
    event_type="charge.succeeded",
    subject="CHARGE",
    reference="ch_1",
    state="APPLIED",
    note="",
    delivery_count=1,
)


def told(notice: Notice) -> TimelineEvent:
    """Tell a story with a webhook in it; answer that event."""
    (event,) = [
        event
        for event in timeline(replace(play(*HAPPY).story, notices=(notice,)))
        if event.kind == "webhook"
    ]
    return event


@pytest.mark.parametrize(
    ("state", "note", "summary"),
    [
        ("APPLIED", "", "stripe told charge.succeeded: what it says is known."),
        (
            "KEPT",
            "",
            "stripe told charge.succeeded: ignored: it is about nothing of ours that waits.",
        ),
        (
            "PARKED",
            "No attempt of ours is known by it.",
            "stripe told charge.succeeded: put aside: it is about an object that is not known (No"
            " attempt of ours is known by it).",
        ),
        (
            "CONTRADICTS",
            "att_1 is DECLINED",
            "stripe told charge.succeeded: it denies what was final (att_1 is DECLINED).",
        ),
    ],
)
def test_a_webhook_is_told_with_what_became_of_it(state: str, note: str, summary: str) -> None:
    """Also one that was ignored, and why."""
    event = told(replace(NOTICE, state=state, note=note))

    assert (event.source, event.subject, event.summary) == (Source.PSP, "evt_1", summary)
    assert event.facts["state"] == state


def test_duplicates_are_counted() -> None:
    """Three deliveries are one event and two duplicates."""
    event = told(replace(NOTICE, delivery_count=3))

    assert event.summary.endswith("; 2 duplicates ignored.")
    assert event.facts["deliveries"] == "3"


_LATE, _KEPT = CaseKind.LATE_SUCCESS, CaseKind.KEPT_CHARGE
_CHARGED_LATE = "charged 99.99 USD that had been given up"
_STILL_THERE = "99.99 USD still that was to be given back"


@pytest.mark.parametrize(
    ("kind", "resolution", "about", "end"),
    [
        (_LATE, "GIVEN_BACK", _CHARGED_LATE, "was given back"),
        (_LATE, "GIVEN_UP", _CHARGED_LATE, "was given up, and is not given back"),
        (_KEPT, "GIVEN_BACK", _STILL_THERE, "was given back elsewhere, and stands in suspense"),
        (_KEPT, "GIVEN_UP", _STILL_THERE, "is not given back, and stands in suspense"),
    ],
)
def test_a_case_is_told_from_beginning_to_end(
    kind: CaseKind, resolution: str, about: str, end: str
) -> None:
    """When it was opened, when it was closed, and how it ended."""
    case = Case(
        case_id="cas_1",
        kind=kind,
        status=CaseStatus.CLOSED,
        payment_id="pay_1",
        client_id="demo",
        subject_id="att_1l1",
        psp="stripe",
        psp_reference="pi_1",
        amount="99.99",
        currency="USD",
        opened_at=at(100),
        closed_at=at(200),
        resolution=resolution,
    )
    events = timeline(replace(play(*HAPPY).story, cases=(case,)))
    assert [(e.kind, e.at, e.summary) for e in events if e.subject == "cas_1"] == [
        (
            "case_opened",
            at(100),
            f"Case cas_1: stripe has {about}.",
        ),
        ("case_closed", at(200), f"Case cas_1 is closed: 99.99 USD {end}."),
    ]


def test_what_is_booked_on_the_way_back_undoes_nothing() -> None:
    """What a PSP has still is said to be booked, also while that meets trouble."""
    given_up = Done({GIVEN_UP_BY: "res_1"}, "GIVE_UP by res_1")
    back = (Done(), CHARGED, Refused("WALLET_FROZEN", "No."), Done(), given_up)
    events = timeline(play(*back, Again("UNAVAILABLE"), BOOKED).story)

    assert [e.summary for e in events if e.facts.get("step") == "book_kept"] == [
        "Step book_kept of pay_in met trouble: UNAVAILABLE.",
        "Step book_kept of pay_in was done in 10 ms: txn_1.",
    ]
