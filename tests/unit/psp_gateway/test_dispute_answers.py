"""Disputes are answered: when evidence is taken, and under which key it is sent again."""

from dataclasses import replace

import pytest

from psp_gateway.dispute_ports import Heard
from psp_gateway.domain.answer import Verdict, no_answer
from psp_gateway.domain.attempt import Outcome
from psp_gateway.domain.dispute import Stage, Status
from psp_gateway.domain.dispute_answer import FILES_BYTES_MAX, Evidence, File
from psp_gateway.domain.errors import DisputeNotOpen, EvidenceRefused, EvidenceTooLate
from psp_gateway.domain.reasons import Reason
from tests.unit.psp_gateway.dispute_desk import DUE, OPENED, opened_desk, standing


def test_evidence_after_its_time_is_refused() -> None:
    """By the deadline that was asked for; nothing is sent."""
    desk = opened_desk()
    desk.now = DUE

    with pytest.raises(EvidenceTooLate):
        desk.submit()

    assert desk.psp.keys == []
    assert not desk.book.requests


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.NEEDS_RESPONSE}))
def test_a_dispute_that_waits_for_no_answer_gets_none(status: Status) -> None:
    """Whatever we knew: it is looked at first."""
    desk = opened_desk()
    desk.psp.now = standing(Stage.CHARGEBACK, status)

    with pytest.raises(DisputeNotOpen):
        desk.submit()
    with pytest.raises(DisputeNotOpen):
        desk.accept()
    assert desk.psp.keys == []


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("", ()),
        ("no", ()),
        ("x", (File("receipt", "a.pdf", "application/pdf", b"x" * (FILES_BYTES_MAX + 1)),)),
    ],
)
def test_evidence_that_is_none_is_refused(text: str, files: tuple[File, ...]) -> None:
    """Nothing, too much, or what the PSP takes none of."""
    with pytest.raises(EvidenceRefused):
        opened_desk().submit(text=text, files=files)


def test_a_request_of_unknown_end_is_sent_under_the_same_key() -> None:
    """As long as the dispute does not show that it was done."""
    desk = opened_desk()
    done = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)
    desk.psp.answers = [no_answer(), no_answer(), done]

    outcomes = [desk.submit(), desk.submit(), desk.submit(), desk.submit()]

    assert outcomes == [Outcome.UNKNOWN, Outcome.UNKNOWN, Outcome.SUCCEEDED, Outcome.SUCCEEDED]
    assert len(set(desk.psp.keys)) == 1


def test_a_request_that_a_crash_left_is_sent_under_its_key() -> None:
    """It was stored and maybe sent: it may not be taken for one that never was."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    (stored,) = desk.book.requests.values()
    desk.book.requests[stored.request_id] = replace(stored, outcome=Outcome.PENDING)
    desk.psp.says = [no_answer()]

    assert desk.submit() is Outcome.UNKNOWN

    desk.psp.answers = [replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)]
    assert desk.submit() is Outcome.SUCCEEDED
    assert len(set(desk.psp.keys)) == 1


def test_a_request_that_shows_is_not_sent_again() -> None:
    """The PSP counts submissions: one more than before is ours."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    desk.psp.now = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)

    assert desk.submit() is Outcome.SUCCEEDED
    assert len(desk.psp.keys) == 1


def test_silence_leaves_an_unknown_end_unknown() -> None:
    """A PSP that cannot be looked at says nothing of what may have arrived."""
    desk = opened_desk()
    desk.psp.answers = [no_answer()]
    desk.submit()
    desk.psp.says = [no_answer()]

    assert desk.submit() is Outcome.UNKNOWN
    assert len(desk.psp.keys) == 1


def test_a_refusal_of_the_psps_is_final() -> None:
    """And asked again it is answered from what is stored."""
    desk = opened_desk()
    desk.psp.answers = [
        Verdict(Outcome.DECLINED, reason=Reason.PSP_REQUEST_INVALID, about_request=True)
    ]

    assert [desk.submit(), desk.submit()] == [Outcome.DECLINED, Outcome.DECLINED]
    assert len(desk.psp.keys) == 1


REFUSED = Verdict(Outcome.DECLINED, reason=Reason.PSP_REQUEST_INVALID, about_request=True)
LIMITED = Verdict(Outcome.TRANSIENT, reason=Reason.PSP_RATE_LIMITED, about_request=True)
DONE = replace(standing(Stage.CHARGEBACK, Status.UNDER_REVIEW), submissions=1)


@pytest.mark.parametrize(
    ("again", "looks", "outcome"),
    [
        (REFUSED, [standing(*OPENED), DONE], Outcome.SUCCEEDED),
        (REFUSED, [standing(*OPENED), standing(*OPENED)], Outcome.DECLINED),
        (REFUSED, [standing(*OPENED), no_answer()], Outcome.UNKNOWN),
        (LIMITED, [standing(*OPENED), DONE], Outcome.SUCCEEDED),
        (LIMITED, [standing(*OPENED), standing(*OPENED)], Outcome.UNKNOWN),
    ],
)
def test_what_is_said_of_a_repetition_says_nothing_of_the_first(
    again: Verdict, looks: list[Heard], outcome: Outcome
) -> None:
    """The first may have arrived between the look and the repetition: it is looked at once more."""
    desk = opened_desk()
    desk.psp.answers = [no_answer(), again]
    desk.submit()
    desk.psp.says = looks

    assert desk.submit() is outcome


def test_evidence_is_in_no_repr() -> None:
    """It is about a buyer."""
    evidence = Evidence({"customer_name": "canary"}, (File("receipt", "canary", "x", b"canary"),))

    assert "canary" not in repr(evidence)
    assert "canary" not in repr(evidence.files)
