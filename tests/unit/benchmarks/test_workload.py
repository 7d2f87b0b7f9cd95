"""Requests that are made ahead, and the audit at the end."""

import pytest
from paymesh.ledger.v1 import ledger_service_pb2 as ledger
from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from benchmarks.ledger import LedgerWorkload
from benchmarks.load import Requests
from benchmarks.scenarios import Scenario, Shape
from benchmarks.wallet import WalletWorkload
from benchmarks.workload import BooksBroken, Stored, check
from chassis.interceptors import validate


@pytest.mark.parametrize("shape", list(Shape))
def test_postings_are_valid_and_new(shape: Shape) -> None:
    """Each request passes the service's validation, and no reference comes twice."""
    requests = Requests(LedgerWorkload(), Scenario(shape, in_flight=1, batch=100))

    made = [ledger.PostTransactionsRequest.FromString(requests.take()) for _ in range(300)]

    for request in made[:10]:
        validate(request)
    references = [posting.reference for request in made for posting in request.postings]
    assert len(set(references)) == len(references) == 30_000


@pytest.mark.parametrize(("shape", "is_hot"), [(Shape.HOT, True), (Shape.UNIFORM, False)])
def test_hot_postings_share_an_account(shape: Shape, *, is_hot: bool) -> None:
    """Hot: each touches the platform's account; uniform: none has an account in common with all."""
    requests = Requests(LedgerWorkload(), Scenario(shape, in_flight=1, batch=100))

    request = ledger.PostTransactionsRequest.FromString(requests.take())

    touched = [{entry.account_id for entry in posting.entries} for posting in request.postings]
    assert all(len(accounts) == 2 for accounts in touched)
    assert bool(set.intersection(*touched)) is is_hot


@pytest.mark.parametrize("shape", list(Shape))
def test_operations_are_valid_and_new(shape: Shape) -> None:
    """Each request passes the service's validation, and no operation id comes twice."""
    requests = Requests(WalletWorkload(), Scenario(shape, in_flight=1, batch=100))

    made = [wallet.ApplyOperationsRequest.FromString(requests.take()) for _ in range(300)]

    for request in made[:10]:
        validate(request)
    ids = [operation.operation_id for request in made for operation in request.operations]
    assert len(set(ids)) == len(ids) == 30_000


def test_what_was_not_written_is_told_by_its_reason() -> None:
    """A refusal and a replay are no transactions of ours."""
    response = ledger.PostTransactionsResponse()
    response.results.add().transaction.reference = "charge:1:captured"
    response.results.add().refusal.reason = "ACCOUNT_FROZEN"
    replayed = response.results.add(replayed=True)
    replayed.transaction.reference = "charge:2:captured"

    answer = LedgerWorkload().judge(response)

    assert (answer.written, answer.refusals) == (1, ["ACCOUNT_FROZEN", "REPLAYED"])


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (Stored(9, ()), "10 transactions were acknowledged, 2 have an unknown end, 9 are stored"),
        (Stored(13, ()), "13 are stored"),
        (Stored(10, ("the trial balance is off",)), "the trial balance is off"),
    ],
)
def test_an_audit_that_finds_something_is_loud(stored: Stored, told: str) -> None:
    """A transaction too few, one too many, or sums that disagree end the benchmark."""
    with pytest.raises(BooksBroken, match=told):
        check("service", stored, acknowledged=10, unknown=2)


@pytest.mark.parametrize("count", [10, 11, 12])
def test_an_unknown_end_may_have_been_either(count: int) -> None:
    """Of requests without an answer, any part may be stored."""
    said = check("service", Stored(count, ()), acknowledged=10, unknown=2)

    assert said.startswith("service: 10 acknowledged")
