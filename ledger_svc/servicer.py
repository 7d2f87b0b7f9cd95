"""gRPC to use cases and back; the only file that sees both."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceServicer

from chassis.errors import InvalidRequest
from chassis.money import currency_decimals
from ledger_svc import ports
from ledger_svc.domain import account, transaction
from ledger_svc.domain.account import AccountStatus, AccountType, NewAccount, Side
from ledger_svc.domain.books import Closed, Outcome, Posted, ReversalOutcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.transaction import Line, Posting
from ledger_svc.ports import EntryFilter
from ledger_svc.use_cases.get_balance import get_balance
from ledger_svc.use_cases.get_transaction import get_transaction
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from ledger_svc.use_cases.list_entries import list_entries
from ledger_svc.use_cases.open_accounts import open_accounts
from ledger_svc.use_cases.post_transactions import post_transactions
from ledger_svc.use_cases.reverse_transaction import reverse_transaction

SIDES = {Side.DEBIT: noun.SIDE_DEBIT, Side.CREDIT: noun.SIDE_CREDIT}
TYPES = {
    AccountType.ASSET: noun.Account.ASSET,
    AccountType.LIABILITY: noun.Account.LIABILITY,
    AccountType.REVENUE: noun.Account.REVENUE,
    AccountType.EXPENSE: noun.Account.EXPENSE,
    AccountType.EQUITY: noun.Account.EQUITY,
}
STATUSES = {
    AccountStatus.OPEN: noun.Account.OPEN,
    AccountStatus.FROZEN: noun.Account.FROZEN,
    AccountStatus.CLOSED: noun.Account.CLOSED,
}
_SIDES_IN = {wire: side for side, wire in SIDES.items()}
_TYPES_IN = {wire: type_ for type_, wire in TYPES.items()}

# What a Timestamp can say and PostgreSQL and Python can both keep, whatever the time zone.
_YEARS = range(2, 9999)


class LedgerServicer(LedgerServiceServicer):
    """`paymesh.ledger.v1.LedgerService`."""

    def __init__(self, writer: ports.LedgerWriter, reader: ports.LedgerReader) -> None:
        self._writer = writer
        self._reader = reader

    async def OpenAccounts(
        self, request: service.OpenAccountsRequest, context: Any
    ) -> service.OpenAccountsResponse:
        """Open accounts."""
        answers = await open_accounts(self._writer, [_new_account(a) for a in request.accounts])
        return service.OpenAccountsResponse(
            results=[
                service.OpenAccountResult(refusal=_refusal(answer))
                if isinstance(answer, Refusal)
                else service.OpenAccountResult(account=_account(answer))
                for answer in answers
            ]
        )

    async def PostTransactions(
        self, request: service.PostTransactionsRequest, context: Any
    ) -> service.PostTransactionsResponse:
        """Post transactions."""
        asked = [_posting(p, f"postings[{index}]") for index, p in enumerate(request.postings)]
        outcomes = await post_transactions(self._writer, asked)
        return service.PostTransactionsResponse(results=map(_posting_result, outcomes))

    async def ReverseTransaction(
        self, request: service.ReverseTransactionRequest, context: Any
    ) -> service.ReverseTransactionResponse:
        """Reverse a transaction."""
        _require_text("reason", request.reason)
        outcome = await reverse_transaction(self._writer, request.reference, reason=request.reason)
        return _reversal_result(outcome)

    async def GetTransaction(
        self, request: service.GetTransactionRequest, context: Any
    ) -> service.GetTransactionResponse:
        """Read a transaction."""
        found = await get_transaction(self._reader, request.reference)
        return service.GetTransactionResponse(transaction=_transaction(found))

    async def ListEntries(
        self, request: service.ListEntriesRequest, context: Any
    ) -> service.ListEntriesResponse:
        """List entries."""
        _require_text("account_id", request.account_id)
        _require_text("subject_id", request.subject_id)
        page = await list_entries(
            self._reader,
            EntryFilter(request.account_id, request.subject_id),
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListEntriesResponse(
            entries=map(_entry, page.entries), next_page_token=page.next_page_token
        )

    async def GetBalance(
        self, request: service.GetBalanceRequest, context: Any
    ) -> service.GetBalanceResponse:
        """Read an account."""
        found = await get_balance(self._reader, request.account_id)
        return service.GetBalanceResponse(account=_account(found))

    async def GetTrialBalance(
        self, request: service.GetTrialBalanceRequest, context: Any
    ) -> service.GetTrialBalanceResponse:
        """Sum the ledger."""
        lines = await get_trial_balance(self._reader)
        return service.GetTrialBalanceResponse(lines=map(_trial_balance_line, lines))


def _new_account(asked: service.NewAccount) -> NewAccount | Refusal:
    floor = asked.floor if asked.HasField("floor") else None
    try:
        return NewAccount.parse(asked.account_id, _TYPES_IN[asked.type], asked.currency, floor)
    except Refusal as refusal:
        return refusal


def _posting(asked: service.Posting, path: str) -> Posting | Refusal:
    _require_text(f"{path}.description", asked.description)
    _require_text(f"{path}.subject_id", asked.subject_id)
    stamp = asked.effective_at if asked.HasField("effective_at") else None
    effective_at = None if stamp is None else _moment(f"{path}.effective_at", stamp)
    try:
        return Posting(
            reference=asked.reference,
            lines=tuple(_line(entry, index) for index, entry in enumerate(asked.entries)),
            description=asked.description,
            subject_id=asked.subject_id,
            effective_at=effective_at,
        )
    except Refusal as refusal:
        return refusal


def _line(asked: noun.NewEntry, index: int) -> Line:
    return Line.parse(
        asked.account_id,
        _SIDES_IN[asked.side],
        amount=asked.amount,
        currency=asked.currency,
        field=f"entries[{index}].amount",
    )


def _require_text(path: str, text: str) -> None:
    if "\0" in text:
        raise InvalidRequest.field(path, "must not hold a NUL character")


def _moment(path: str, stamp: Timestamp) -> datetime:
    try:
        moment = stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise InvalidRequest.field(path, "is no valid time") from error
    if moment.year not in _YEARS:
        raise InvalidRequest.field(path, f"must lie in the years {_YEARS[0]} to {_YEARS[-1]}")
    return moment


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _posting_result(outcome: Outcome) -> service.PostingResult:
    if isinstance(outcome, Refusal):
        return service.PostingResult(refusal=_refusal(outcome))
    return service.PostingResult(
        transaction=_transaction(outcome.transaction), replayed=outcome.replayed
    )


def _reversal_result(outcome: ReversalOutcome) -> service.ReverseTransactionResponse:
    match outcome:
        case Posted():
            return service.ReverseTransactionResponse(reversal=_transaction(outcome.transaction))
        case Closed():
            return service.ReverseTransactionResponse(closed_before_arrival=True)
        case _:
            return service.ReverseTransactionResponse(refusal=_refusal(outcome))


def _refusal(refusal: Refusal) -> service.Refusal:
    return service.Refusal(
        reason=refusal.reason, message=refusal.message, metadata=refusal.metadata
    )


def _account(found: account.Account) -> noun.Account:
    return noun.Account(
        account_id=found.account_id,
        type=TYPES[found.type],
        currency=found.currency,
        status=STATUSES[found.status],
        balance=str(found.balance),
        entry_count=found.entry_count,
    )


def _transaction(found: transaction.Transaction) -> noun.Transaction:
    return noun.Transaction(
        transaction_id=found.transaction_id,
        reference=found.reference,
        description=found.description,
        subject_id=found.subject_id,
        effective_at=_stamp(found.effective_at),
        created_at=_stamp(found.created_at),
        reverses_reference=found.reverses_reference,
        entries=map(_entry, found.entries),
    )


def _entry(found: transaction.Entry) -> noun.Entry:
    return noun.Entry(
        transaction_id=found.transaction_id,
        reference=found.reference,
        account_id=found.account_id,
        side=SIDES[found.side],
        amount=str(found.amount),
        currency=found.amount.currency,
        balance_after=str(found.balance_after),
        account_sequence=found.account_sequence,
        created_at=_stamp(found.created_at),
    )


def _trial_balance_line(line: ports.TrialBalanceLine) -> service.TrialBalanceLine:
    decimals = currency_decimals(line.currency)

    def text(amount: Decimal) -> str:
        return f"{amount:.{decimals}f}"

    return service.TrialBalanceLine(
        currency=line.currency,
        debits=text(line.debits),
        credits=text(line.credits),
        difference=text(line.debits - line.credits),
        transaction_count=line.transaction_count,
    )
