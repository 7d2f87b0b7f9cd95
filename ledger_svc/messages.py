"""The domain's objects as messages, and back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Literal

from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import posting_pb2 as wire
from paymesh.ledger.v1 import report_pb2 as report

from bookkeeping.fields import require_text, stamp, to_moment
from bookkeeping.readable import Unreadable
from chassis.errors import InvalidRequest
from chassis.money import currency_decimals
from ledger_svc import ports, template_messages
from ledger_svc.domain import account, chain, transaction
from ledger_svc.domain.account import AccountStatus, AccountType, NewAccount, Side
from ledger_svc.domain.books import Closed, Outcome, Posted
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Action, Line, Posting, Resolution, is_own_name
from ledger_svc.domain.transaction import Kind
from ledger_svc.use_cases.post_transactions import Asked

SIDES = {Side.DEBIT: noun.SIDE_DEBIT, Side.CREDIT: noun.SIDE_CREDIT}
TYPES = {kind: noun.Account.Type.Value(kind.value) for kind in AccountType}
STATUSES = {status: noun.Account.Status.Value(status.value) for status in AccountStatus}
KINDS = {kind: noun.Transaction.Kind.Value(kind.value) for kind in Kind}
# EXPIRE is the ledger's own: nobody asks for it.
ACTIONS = {Action.POST: wire.Resolution.POST, Action.VOID: wire.Resolution.VOID}

_SIDES_IN = {value: side for side, value in SIDES.items()}
_TYPES_IN = {value: kind for kind, value in TYPES.items()}
_ACTIONS_IN = {value: action for action, value in ACTIONS.items()}

OWN_NAME = "must not end as the ledger's own do, in :reversal or :resolution"


def to_new_account(asked: wire.NewAccount) -> NewAccount | Refusal:
    """Read an account to be opened."""
    try:
        return NewAccount.parse(
            asked.account_id,
            _TYPES_IN[asked.type],
            asked.currency,
            floor=asked.floor if asked.HasField("floor") else None,
            ceiling=asked.ceiling if asked.HasField("ceiling") else None,
            metadata=dict(asked.metadata),
        )
    except Refusal as refusal:
        return refusal


def to_posting(asked: wire.Posting, place: int) -> Asked:
    """Read a posting; `place` is its own in the request.

    Raises:
        InvalidRequest: a field makes no sense by itself.
    """
    description, subject_id, entries = asked.description, asked.subject_id, asked.entries
    if "\0" in description or "\0" in subject_id:
        require_text(f"postings[{place}].description", description)
        require_text(f"postings[{place}].subject_id", subject_id)
    effective_at = _moment(asked, place, "effective_at")
    expires_at = _moment(asked, place, "expires_at")
    is_pending, has_template = asked.pending, asked.HasField("template")
    if expires_at is not None and not is_pending:
        path = f"postings[{place}].expires_at"
        raise InvalidRequest.field(path, "is for pending transactions alone")
    if is_own_name(asked.reference):
        raise InvalidRequest.field(f"postings[{place}].reference", OWN_NAME)
    if has_template == bool(entries) or len(entries) == 1:
        path = f"postings[{place}].entries"
        raise InvalidRequest.field(path, "must be 2 to 64, or none with a template")
    try:
        if has_template:
            return _templated(asked, effective_at, expires_at)
        return Posting(
            asked.reference,
            to_lines(entries),
            description,
            subject_id,
            effective_at,
            asked.linked,
            is_pending,
            expires_at,
        )
    except Refusal as refusal:
        return Unreadable(asked.reference, asked.linked, refusal)


def _moment(asked: wire.Posting, place: int, field: Literal["effective_at", "expires_at"]) -> Any:
    if not asked.HasField(field):
        return None
    return to_moment(f"postings[{place}].{field}", asked, field)


def _templated(
    asked: wire.Posting, effective_at: datetime | None, expires_at: datetime | None
) -> Posting:
    made = template_messages.posting(
        asked.template,
        reference=asked.reference,
        description=asked.description,
        subject_id=asked.subject_id,
        effective_at=effective_at,
    )
    return replace(made, is_linked=asked.linked, is_pending=asked.pending, expires_at=expires_at)


def to_resolution(asked: wire.Resolution, path: str) -> Resolution | Refusal:
    """Read a resolution; `path` is its place in the request.

    Raises:
        InvalidRequest: a field makes no sense by itself.
    """
    require_text(f"{path}.reason", asked.reason)
    action = _ACTIONS_IN[asked.action]
    if asked.entries and action is Action.VOID:
        raise InvalidRequest.field(f"{path}.entries", "are for POST alone")
    try:
        return Resolution(asked.reference, action, to_lines(asked.entries), asked.reason)
    except Refusal as refusal:
        return refusal


def to_lines(entries: Iterable[noun.NewEntry]) -> tuple[Line, ...]:
    """Read lines.

    Raises:
        InvalidAmount, UnknownCurrency: one makes no sense.
    """
    lines: list[Line] = []
    before: tuple[str, str] | None = None
    for entry in entries:
        # Most transactions move one amount from side to side: it is read once.
        said = entry.amount, entry.currency
        if said != before:
            amount = Line.parse_amount(*said, place=len(lines))
            before = said
        lines.append(_tuple(Line, (entry.account_id, _SIDES_IN[entry.side], amount)))
    return tuple(lines)


# Half the price of calling a named tuple's class.
_tuple = tuple.__new__


def write_posting_result(into: wire.PostingResult, outcome: Outcome) -> None:
    """Write what came of a posting."""
    if isinstance(outcome, Posted):
        write_transaction(into.transaction, outcome.transaction)
        into.replayed = outcome.replayed
        return
    assert isinstance(outcome, Refusal)  # noqa: S101 - a posting closes nothing
    into.refusal.CopyFrom(refusal(outcome))


def write_resolution_result(into: wire.ResolutionResult, outcome: Outcome) -> None:
    """Write what came of a resolution."""
    match outcome:
        case Posted(posted, replayed):
            write_transaction(into.transaction, posted)
            into.replayed = replayed
        case Closed(replayed=replayed):
            into.closed_before_arrival = True
            into.replayed = replayed
        case _:
            into.refusal.CopyFrom(refusal(outcome))


def refusal(refused: Refusal) -> wire.Refusal:
    """Write why an item was refused."""
    return wire.Refusal(reason=refused.reason, message=refused.message, metadata=refused.metadata)


def to_account(found: account.Account) -> noun.Account:
    """Write an account."""
    standing = found.standing
    return noun.Account(
        account_id=found.account_id,
        type=TYPES[found.type],
        currency=found.currency,
        status=STATUSES[found.status],
        balance=str(standing.balance),
        entry_count=standing.entry_count,
        floor=None if found.floor is None else str(found.floor),
        ceiling=None if found.ceiling is None else str(found.ceiling),
        pending_in=str(standing.pending_in),
        pending_out=str(standing.pending_out),
        metadata=found.metadata,
        created_at=None if found.created_at is None else stamp(found.created_at),
    )


def to_change(change: account.AccountChange) -> noun.AccountChange:
    """Write a change of status."""
    return noun.AccountChange(
        account_id=change.account_id,
        from_status=STATUSES[change.from_status],
        to_status=STATUSES[change.to_status],
        reason=change.reason,
        actor=change.actor,
        changed_at=stamp(change.changed_at),
    )


def to_wire(made: transaction.Transaction) -> noun.Transaction:
    """Write a transaction; its entries say only what is their own."""
    message = noun.Transaction()
    write_transaction(message, made)
    return message


def write_transaction(into: noun.Transaction, made: transaction.Transaction) -> None:
    """Write a transaction where it belongs: a message that is put into another is copied, and a
    batch has thousands.
    """
    name, heading, created_at, entries, pending, hash_ = made
    reference, kind, description, subject, effective_at, ends, reverses, resolves, template = (
        heading
    )
    stream, number = chain.place(name)
    into.ParseFromString(_shared(kind, effective_at, created_at, stream))
    into.transaction_id = name
    into.reference = reference
    into.description = description
    into.subject_id = subject
    into.stream_number = number
    into.hash = hash_
    if reverses or resolves or template:
        into.reverses_reference = reverses
        into.resolves_reference = resolves
        into.template = template
    add = into.entries.add
    for _, _, _, account_id, side, amount, balance, sequence, _, _, _ in entries:
        entry = add()  # field by field: by name it costs half as much again
        entry.account_id = account_id
        entry.side = SIDES[side]
        entry.amount = str(amount.amount)
        entry.currency = amount.currency
        entry.balance_after = str(balance.amount)
        entry.account_sequence = sequence
    if pending:
        into.pending_entries.extend(map(_line, pending))
        if ends is not None:
            into.expires_at.CopyFrom(stamp(ends))


@lru_cache(maxsize=256)
def _shared(kind: Kind, effective_at: datetime, created_at: datetime, stream: int) -> bytes:
    """Encode what most transactions of a batch share: read at once, it costs a fifth."""
    return noun.Transaction(
        kind=KINDS[kind],
        effective_at=stamp(effective_at),
        created_at=stamp(created_at),
        stream=stream,
    ).SerializeToString()


def to_entry(listed: transaction.ListedEntry) -> noun.Entry:
    """Write an entry by itself."""
    found, heading = listed
    return noun.Entry(
        transaction_id=found.transaction_id,
        reference=found.reference,
        account_id=found.account_id,
        side=SIDES[found.side],
        amount=str(found.amount),
        currency=found.amount.currency,
        balance_after=str(found.balance_after),
        account_sequence=found.account_sequence,
        created_at=stamp(found.created_at),
        subject_id=found.subject_id,
        effective_at=stamp(found.effective_at),
        kind=KINDS[heading.kind],
        template=heading.template,
        description=heading.description,
        reverses_reference=heading.reverses_reference,
        resolves_reference=heading.resolves_reference,
    )


def _line(line: Line) -> noun.NewEntry:
    return noun.NewEntry(
        account_id=line.account_id,
        side=SIDES[line.side],
        amount=str(line.amount),
        currency=line.amount.currency,
    )


def to_trial_balance_line(line: ports.TrialBalanceLine) -> report.TrialBalanceLine:
    """Write one currency's sums."""
    decimals = currency_decimals(line.currency)

    def text(amount: Decimal) -> str:
        return f"{amount:.{decimals}f}"

    return report.TrialBalanceLine(
        currency=line.currency,
        debits=text(line.debits),
        credits=text(line.credits),
        difference=text(line.debits - line.credits),
        account_count=sum(total.account_count for total in line.totals.values()),
        by_type={kind.value: text(x.above - x.below) for kind, x in line.totals.items()},
    )
