"""What operators' calls must say, and how they are told: no call changes anything without a why."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import case_pb2
from paymesh.payment.v1 import dead_letter_pb2 as noun
from paymesh.payment.v1 import operations_service_pb2 as operations

from chassis.errors import InvalidRequest
from chassis.interceptors import RequestContext, _current, validate
from paging.page_token import write_token
from payment_svc import case_presenter
from payment_svc.domain.actor import Actor
from payment_svc.domain.case import Case, CaseKind, CaseStatus
from payment_svc.operations import presenter
from payment_svc.operations.actors import current_actor
from payment_svc.operations_servicer import PaymentOperationsService
from payment_svc.sagas.policy import RetryPolicy
from tests.builders import NOW

SAGA = "sga_01"
_AT = NOW.isoformat()
CLOSED = write_token(["CLOSED"], [_AT, "cas_1"])
NUL = write_token(["OPEN"], [_AT, "\x00"])


class Nothing:
    """Operations that nobody may reach: an attribute is read, nothing is called."""

    store: Any = None
    resolutions: Any = None


def servicer() -> PaymentOperationsService:
    """Make a servicer that cannot change anything."""
    none: Any = None
    operations: Any = Nothing()
    return PaymentOperationsService(none, none, none, lambda: NOW, RetryPolicy(), operations, none)


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (operations.RetrySagaRequest(saga_id=SAGA, reason="Because"), "expected_epoch"),
        (operations.RetrySagaRequest(saga_id=SAGA, expected_epoch=1, reason="  "), "reason"),
        (operations.RetrySagasRequest(max_count=1, per_second=1, reason="Because"), "dead_before"),
        (
            operations.RetrySagasRequest(max_count=1, per_second=1, dead_before=Timestamp()),
            "reason",
        ),
        (
            operations.RetrySagasRequest(
                max_count=1, per_second=1, dead_before=Timestamp(seconds=10**15), reason="x"
            ),
            "dead_before",
        ),
        (
            operations.ListCasesRequest(page_token=CLOSED, status=case_pb2.Case.OPEN),
            "page_token",
        ),
        (operations.ListCasesRequest(page_token=NUL), "page_token"),
        (operations.ListCasesRequest(page_token="W10"), "page_token"),
        (
            operations.ResolveSagaRequest(
                saga_id=SAGA, decision=noun.Resolution.GIVE_UP, evidence=" ", reason="x"
            ),
            "evidence",
        ),
        (
            operations.ResolveSagaRequest(
                saga_id=SAGA, decision=noun.Resolution.CHARGED, evidence="x", reason="x",
                psp_reference="pi_1", amount="9.999", currency="USD",
            ),
            "amount",
        ),
        (operations.ApproveResolutionRequest(resolution_id="res_1", reason=" "), "reason"),
        (operations.RejectResolutionRequest(resolution_id="res_1", reason=" "), "reason"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
async def test_what_is_wrong_is_told_by_its_field(request_: Any, field: str) -> None:
    """The field that is missing or cannot be is named, and nothing is asked of the store."""
    rpc = getattr(servicer(), type(request_).__name__.removesuffix("Request"))

    with pytest.raises(InvalidRequest) as error:
        await rpc(request_, None)

    assert [v.field for v in error.value.violations] == [field]


@pytest.mark.parametrize(
    "wrong",
    [
        operations.RetrySagaRequest(saga_id="pay_1"),
        operations.RetrySagaRequest(saga_id=SAGA, reason="x" * 501),
        operations.RetrySagasRequest(max_count=1001, per_second=1),
        operations.RetrySagasRequest(max_count=1, per_second=0),
        operations.ResolveSagaRequest(saga_id=SAGA, evidence="x", reason="x"),
        operations.ResolveSagaRequest(
            saga_id=SAGA, decision="GIVE_UP", evidence="x", reason="x", evidence_link="javascript:1"
        ),
        operations.ListResolutionsRequest(saga_id="*"),
        operations.DescribeIdempotencyKeyRequest(client_id="demo", method="x y"),
    ],
    ids=lambda request_: type(request_).__name__,
)
def test_bounds_are_held(wrong: Any) -> None:
    """What breaks a rule of the proto reaches no use case."""
    with pytest.raises(InvalidRequest):
        validate(wrong)


def test_every_word_has_its_number() -> None:
    """Neither the contract nor the domain has a word that the other lacks."""
    for words, enum in (
        (presenter.DECISIONS, noun.Resolution.Decision),
        (presenter.STATUSES, noun.Resolution.Status),
    ):
        assert {*words.values()} == {*enum.values()} - {0}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("said", "name"), [(None, "system"), ("ann", "ann"), ("  bob ", "bob")])
def test_nobody_vouches_for_a_name(said: str | None, name: str) -> None:
    """Whoever acts without a certificate is kept as unverified."""
    metadata = () if said is None else (("x-paymesh-actor", said),)
    token = _current.set(RequestContext(metadata=metadata))
    try:
        assert current_actor() == Actor(name, is_verified=False)
        assert str(current_actor()) == f"{name} (unverified)"
    finally:
        _current.reset(token)


def test_a_certificate_vouches_for_a_name() -> None:
    """Who has one acts as whom it names, whatever he says himself."""
    ada = "spiffe://paymesh.local/operator/ada"
    told = RequestContext(metadata=(("x-paymesh-actor", "bob"),), operator=ada)
    token = _current.set(told)
    try:
        assert current_actor() == Actor(ada, is_verified=True)
    finally:
        _current.reset(token)


@pytest.mark.parametrize("said", ["x" * 201, "a\tb", "   "])
def test_a_name_is_a_name(said: str) -> None:
    """What cannot be shown is refused before anything is done in its name."""
    token = _current.set(RequestContext(metadata=(("x-paymesh-actor", said),)))
    try:
        with pytest.raises(InvalidRequest):
            current_actor()
    finally:
        _current.reset(token)


def test_a_span_is_told_whole() -> None:
    """Ages keep their parts of a second."""
    assert presenter.duration(timedelta(seconds=1.5)).ToTimedelta() == timedelta(seconds=1.5)


def test_a_page_of_cases_begins_after_the_last_of_the_page_before() -> None:
    """In the list of the same status."""
    last = Case(
        "cas_1", CaseKind.LATE_SUCCESS, CaseStatus.CLOSED, "pay_1", "demo", "att_1", "stripe",
        "pi_1", "1.00", "USD", opened_at=NOW,
    )  # fmt: skip

    token = case_presenter.write_token(last)

    assert case_presenter.read_token(CaseStatus.CLOSED, token) == (NOW, "cas_1")
