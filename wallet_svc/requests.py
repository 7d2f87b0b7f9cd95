"""Requests to what the use cases take."""

from decimal import Decimal

from paymesh.wallet.v1 import wallet_service_pb2 as service

from bookkeeping.fields import require_text, to_moment
from bookkeeping.readable import Unreadable
from bookkeeping.refusals import parse_amount
from chassis.errors import InvalidRequest
from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import OF_A_HOLD, Kind, NewOperation, own_kind
from wallet_svc.domain.wallet import AccountType, NewWallet
from wallet_svc.messages import KINDS, TYPES
from wallet_svc.ports import OperationFilter, Period
from wallet_svc.use_cases.apply_operations import Asked

_NOTHING = Decimal(0)
_KINDS_IN = {wire: kind for kind, wire in KINDS.items()}
_TYPES_IN = {wire: kind for kind, wire in TYPES.items()}


def new_wallet(asked: service.NewWallet) -> NewWallet | Refusal:
    """Read a wallet to be opened."""
    try:
        return NewWallet.parse(
            asked.wallet_id,
            client_id=asked.client_id,
            owner=asked.owner,
            currency=asked.currency,
            account_type=_TYPES_IN.get(asked.account_type, AccountType.SELLER),
            credit_limit=asked.credit_limit if asked.HasField("credit_limit") else None,
        )
    except Refusal as refusal:
        return refusal


def new_operations(request: service.ApplyOperationsRequest) -> list[Asked]:
    """Read operations to be applied.

    Raises:
        InvalidRequest: a field of one makes no sense by itself, or the last is linked.
    """
    last = len(request.operations) - 1
    if request.operations[last].linked:
        raise InvalidRequest.field(f"operations[{last}].linked", "is linked to nothing")
    return [_new_operation(asked, place) for place, asked in enumerate(request.operations)]


def operation_filter(request: service.ListOperationsRequest) -> OperationFilter:
    """Read which operations to list.

    Raises:
        InvalidRequest: a field makes no sense.
    """
    require_text("wallet_id", request.wallet_id)
    require_text("subject_id", request.subject_id)
    created = Period(
        to_moment("created_from", request, "created_from"),
        to_moment("created_to", request, "created_to"),
    )
    kind = _KINDS_IN.get(request.kind)
    return OperationFilter(request.wallet_id, request.subject_id, kind, created)


def _new_operation(asked: service.NewOperation, place: int) -> Asked:
    kind = _KINDS_IN[asked.kind]
    _require_shape(asked, kind, place)
    amount = _NOTHING
    try:
        if kind is not Kind.RELEASE:
            amount = parse_amount("amount", asked.amount, asked.currency).amount
    except Refusal as refusal:
        return Unreadable(asked.operation_id, asked.linked, refusal)
    return NewOperation(
        asked.operation_id,
        asked.wallet_id,
        kind,
        amount,
        asked.currency,
        asked.subject_id,
        asked.hold_id or asked.to_wallet_id,
        asked.releases_rest,
        to_moment(f"operations[{place}].expires_at", asked, "expires_at")
        if kind is Kind.HOLD
        else None,
        asked.expected_version if asked.HasField("expected_version") else None,
        asked.linked,
    )


def _require_shape(asked: service.NewOperation, kind: Kind, place: int) -> None:
    """Make sure that the fields a kind needs are there, and no others."""
    path = f"operations[{place}]"
    if own_kind(asked.operation_id):
        why = "must not end as the wallets' own do, in :reversal or :expiry"
        raise InvalidRequest.field(f"{path}.operation_id", why)
    if "\0" in asked.subject_id:
        require_text(f"{path}.subject_id", asked.subject_id)
    given = bool(asked.amount), bool(asked.hold_id), bool(asked.to_wallet_id)
    needed = kind is not Kind.RELEASE, kind in OF_A_HOLD, kind is Kind.TRANSFER
    if given != needed:
        names = ("amount", "hold_id", "to_wallet_id")
        wrong = next(name for name, a, b in zip(names, given, needed, strict=True) if a != b)
        if given[names.index(wrong)]:
            raise InvalidRequest.field(f"{path}.{wrong}", f"goes not with {kind}")
        raise InvalidRequest.field(f"{path}.{wrong}", f"goes with {kind}", "MISSING_FIELD")
    if asked.releases_rest and kind is not Kind.CAPTURE_HOLD:
        raise InvalidRequest.field(f"{path}.releases_rest", f"goes not with {kind}")
    if kind is not Kind.HOLD and asked.HasField("expires_at"):
        raise InvalidRequest.field(f"{path}.expires_at", f"goes not with {kind}")
    if kind is Kind.TRANSFER and asked.to_wallet_id == asked.wallet_id:
        raise InvalidRequest.field(f"{path}.to_wallet_id", "is the wallet itself")
