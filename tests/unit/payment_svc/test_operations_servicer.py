"""What operators' calls must say, and how they are told: no call changes anything without a why."""

from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.payment.v1 import dead_letter_pb2 as noun
from paymesh.payment.v1 import operations_service_pb2 as operations

from chassis.errors import InvalidRequest
from chassis.interceptors import RequestContext, _current, validate
from payment_svc.domain.actor import Actor
from payment_svc.operations import presenter
from payment_svc.operations.actors import current_actor
from payment_svc.operations_servicer import PaymentOperationsService
from payment_svc.sagas.policy import RetryPolicy
from tests.builders import NOW

SAGA = "sga_01"


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
async def test_what_changes_something_says_why(request_: Any, field: str) -> None:
    """The field that is missing is named, and nothing is asked of the store."""
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
