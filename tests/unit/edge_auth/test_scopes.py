"""Every method of the public API asks for a scope, and a client has what it was given."""

import pytest
from google.protobuf.descriptor import MethodDescriptor

from edge_auth.domain.scopes import MONEY_OUT, NEEDED, Scope, move_money_out
from edge_auth.routes import PUBLIC

METHODS = [method for service in PUBLIC for method in service.methods]
READS = ("Get", "List", "Watch")
# Named by the interface; their protos come.
PLANNED = {"CreateRefund", "GetRefund", "CreatePayout", "GetPayout"}
PLANNED |= {"ListDisputes", "GetDispute", "SubmitEvidence", "AcceptDispute"}


def named(method: MethodDescriptor) -> str:
    """Name a method as the table does."""
    return f"{method.containing_service.full_name}/{method.name}"


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_method_is_in_the_table(method: MethodDescriptor) -> None:
    """A method that is missing is refused at the edge: give it a scope in edge_auth's table."""
    assert named(method) in NEEDED


@pytest.mark.parametrize("method", METHODS, ids=named)
def test_what_only_reads_asks_for_read_and_nothing_else_does(method: MethodDescriptor) -> None:
    """A client that may read can change nothing."""
    assert (NEEDED[named(method)] is Scope.READ) is method.name.startswith(READS)


# Each write is done once under its key, though it is sent again by whoever has seen it: these keep
# a record of the key in the transaction that does it,
RECORDED = {"CreatePayment", "CapturePayment", "CancelPayment", "CreateCheckoutSession"}
RECORDED |= {"CreateWebhookEndpoint", "RotateWebhookSecret", "RedeliverEvent"}
# and of these the second finds nothing left to do: an endpoint's id is never used again, and a PSP
# is told of a buyer's return once.
ONCE_BY_NATURE = {"DeleteWebhookEndpoint", "ResumePayment"}


def test_every_write_is_once_whatever_redis_forgets() -> None:
    """A new one keeps a record of its key, or says here why it need not."""
    writes = {m.name for m in METHODS if NEEDED[named(m)] is not Scope.READ}

    assert writes == RECORDED | ONCE_BY_NATURE
    assert not RECORDED & ONCE_BY_NATURE


def test_table_names_no_method_that_is_none() -> None:
    """A method that was renamed leaves nothing behind."""
    known = {named(method) for method in METHODS}

    assert {name.rpartition("/")[2] for name in set(NEEDED) - known} <= PLANNED


@pytest.mark.parametrize("scope", Scope)
def test_refund_and_payout_move_money_out(scope: Scope) -> None:
    """These two must be signed for, whatever else a client may do."""
    assert move_money_out([Scope.READ, scope]) is (scope in MONEY_OUT)
    assert {Scope.REFUND, Scope.PAYOUT} == MONEY_OUT
