"""Decides a batch of commands, one after the other, chains of linked ones whole."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from wallet_svc.domain import errors
from wallet_svc.domain.errors import LinkedRefused, Refusal
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.movements import HOLD_MOVEMENTS, MOVEMENTS
from wallet_svc.domain.operation import (
    WITHOUT_AMOUNT,
    Command,
    Kind,
    NewOperation,
    Operation,
    Reversal,
    incoming_id,
    own_kind,
    reversal_id,
)
from wallet_svc.domain.takes import require_takes
from wallet_svc.domain.wallet import Change
from wallet_svc.domain.wallets import Applied, Closed, ReversalOutcome, Wallets


def decide(wallets: Wallets, commands: Sequence[Command]) -> list[ReversalOutcome]:
    """Do each command or refuse it, and answer each in order; the wallets keep what was done."""
    outcomes: list[ReversalOutcome] = []
    for chain in _chains(commands):
        if len(chain) == 1:
            outcomes.append(_decide(wallets, chain[0]))
        else:
            outcomes.extend(_decide_together(wallets, chain))
    return outcomes


def _chains(commands: Sequence[Command]) -> Iterator[Sequence[Command]]:
    """Cut commands where one is not linked to the next."""
    start = 0
    for end, command in enumerate(commands, 1):
        if isinstance(command, Reversal) or not command.is_linked:
            yield commands[start:end]
            start = end
    if start < len(commands):
        yield commands[start:]


def _decide(wallets: Wallets, command: Command) -> ReversalOutcome:
    try:
        return _do(wallets, command)
    except Refusal as refusal:
        return refusal


def _decide_together(wallets: Wallets, chain: Sequence[Command]) -> list[ReversalOutcome]:
    draft = wallets.draft()
    outcomes: list[ReversalOutcome] = []
    for place, command in enumerate(chain):
        try:
            outcomes.append(_do(draft, command))
        except Refusal as refusal:
            companion = LinkedRefused(command.operation_id)
            return [refusal if index == place else companion for index in range(len(chain))]
    wallets.keep_draft(draft)
    return outcomes


def _do(wallets: Wallets, command: Command) -> Applied | Closed:
    if isinstance(command, Reversal):
        return _reverse(wallets, command)
    known = wallets.operations.get(command.operation_id)
    if known is not None:
        hold = wallets.holds.get(known.operation_id) if known.kind is Kind.HOLD else None
        known.require_same(command, hold.expires_at if hold else None)
        return Applied(known, replayed=True)
    if command.operation_id in wallets.closed:
        raise errors.ReversedBeforeArrival(command.operation_id)
    if command.kind is Kind.TRANSFER:
        return _transfer(wallets, command)
    operation, hold = _move(wallets, command)
    wallets.keep(operation, hold)
    return Applied(operation, replayed=False)


def _transfer(wallets: Wallets, asked: NewOperation) -> Applied:
    """Take from one wallet and give to the other; both are decided before either is kept."""
    arrival = asked._replace(
        operation_id=incoming_id(asked.operation_id),
        wallet_id=asked.refers_to,
        kind=Kind.TRANSFER_IN,
        refers_to=asked.wallet_id,
        expected_version=None,
    )
    if arrival.operation_id in wallets.operations:
        raise errors.OperationReused(arrival.operation_id, ["kind"])
    if arrival.operation_id in wallets.closed:
        raise errors.ReversedBeforeArrival(arrival.operation_id)
    (out, _), (in_, _) = _move(wallets, asked), _move(wallets, arrival)
    wallets.keep(out)
    wallets.keep(in_)
    return Applied(out, replayed=False)


def _reverse(wallets: Wallets, command: Reversal) -> Applied | Closed:
    credit = wallets.operations.get(command.operation_id)
    if credit is None:
        own = own_kind(command.operation_id)
        if own is not None:
            raise errors.NotReversible(command.operation_id, own)
        return wallets.close(command.operation_id)
    if credit.kind is not Kind.CREDIT:
        raise errors.NotReversible(credit.operation_id, credit.kind)
    own_id = reversal_id(credit.operation_id)
    known = wallets.operations.get(own_id)
    if known is not None:
        if (known.kind, known.refers_to) != (Kind.REVERSAL, credit.operation_id):
            raise errors.OperationReused(own_id, ["reverses"])
        return Applied(known, replayed=True)
    if own_id in wallets.closed:
        raise errors.ReversedBeforeArrival(own_id)
    asked = NewOperation(
        own_id,
        credit.wallet_id,
        Kind.REVERSAL,
        credit.amount,
        credit.currency,
        credit.subject_id,
        refers_to=credit.operation_id,
    )
    operation, _ = _move(wallets, asked)
    wallets.keep(operation)
    return Applied(operation, replayed=False)


def _move(wallets: Wallets, asked: NewOperation) -> tuple[Operation, Hold | None]:
    """Make an operation, and the hold as it leaves it; nothing is kept yet.

    Raises:
        Refusal: the wallet does not take it.
    """
    wallet = wallets.wallet(asked.wallet_id)
    require_takes(wallet, asked.kind, asked.currency)
    standing = wallets.standings[asked.wallet_id]
    if asked.expected_version is not None and asked.expected_version != standing.version:
        raise errors.VersionConflict(
            wallet.wallet_id, expected=asked.expected_version, actual=standing.version
        )
    hold: Hold | None = None
    movement = MOVEMENTS.get(asked.kind)
    if movement is not None:
        change = movement(wallets, wallet, standing, asked)
    else:
        change, hold = HOLD_MOVEMENTS[asked.kind](wallets, wallet, standing, asked)
    operation = Operation(
        asked.operation_id,
        asked.wallet_id,
        asked.kind,
        _amount(asked, change),
        asked.currency,
        asked.subject_id,
        asked.refers_to,
        asked.releases_rest,
        change,
        standing.after(change),
        wallets.now,
    )
    return operation, hold


def _amount(asked: NewOperation, change: Change) -> Decimal:
    """Tell how much is done; what is let go of a hold is whatever was open."""
    return change.available if asked.kind in WITHOUT_AMOUNT else asked.amount
