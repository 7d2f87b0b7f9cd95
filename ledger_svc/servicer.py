"""gRPC to use cases and back; with `messages`, the only place that sees both."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any

from paymesh.ledger.v1 import ledger_service_pb2 as service
from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceServicer

from bookkeeping.fields import require_text, stamp, to_moment
from chassis.clock import Clock, utc_now
from chassis.errors import InvalidRequest
from chassis.interceptors import request_context, validate
from ledger_svc import glance, messages, ports, verification_messages
from ledger_svc.domain.account import AccountStatus
from ledger_svc.domain.books import Closed, Outcome, Posted
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Reversal, is_own_name
from ledger_svc.ports import EntryFilter, PendingFilter, Period
from ledger_svc.use_cases.change_status import change_status
from ledger_svc.use_cases.close_month import close_month
from ledger_svc.use_cases.export_entries import export_entries
from ledger_svc.use_cases.get_balance import get_balance, get_balances
from ledger_svc.use_cases.get_effective_statement import get_effective_statement
from ledger_svc.use_cases.get_statement import get_statement
from ledger_svc.use_cases.get_transaction import get_transaction
from ledger_svc.use_cases.get_trial_balance import get_trial_balance
from ledger_svc.use_cases.list_accounts import list_account_changes, list_accounts
from ledger_svc.use_cases.list_entries import list_entries
from ledger_svc.use_cases.list_pendings import list_pendings
from ledger_svc.use_cases.list_proofs import list_checkpoints, list_seals
from ledger_svc.use_cases.open_accounts import open_accounts
from ledger_svc.use_cases.post_transactions import Asked, post_transactions
from ledger_svc.use_cases.resolve_transactions import resolve_transactions
from ledger_svc.use_cases.reverse_transaction import reverse_transaction
from ledger_svc.use_cases.verify_ledger import verify_ledger


class LedgerServicer(LedgerServiceServicer):
    """`paymesh.ledger.v1.LedgerService`.

    Args:
        writer, reader, closer: the books, by what is done with them.
        proofs_at_once: verifications and closings of months under way at once, each of which holds
            all accounts in memory; others wait.
        clock: tells whether a month is over.
    """

    def __init__(
        self,
        writer: ports.LedgerWriter,
        reader: ports.LedgerReader,
        closer: ports.MonthCloser,
        *,
        proofs_at_once: int = 2,
        clock: Clock = utc_now,
    ) -> None:
        self._proofs = asyncio.Semaphore(proofs_at_once)
        self._writer = writer
        self._reader = reader
        self._closer = closer
        self._clock = clock

    async def OpenAccounts(
        self, request: service.OpenAccountsRequest, context: Any
    ) -> service.OpenAccountsResponse:
        """Open accounts."""
        for index, asked in enumerate(request.accounts):
            for key, value in asked.metadata.items():
                require_text(f"accounts[{index}].metadata[{key}]", value)
        readable = list(map(messages.to_new_account, request.accounts))
        answers = await open_accounts(self._writer, readable)
        return service.OpenAccountsResponse(
            results=[
                service.OpenAccountResult(refusal=messages.refusal(answer))
                if isinstance(answer, Refusal)
                else service.OpenAccountResult(account=messages.to_account(answer))
                for answer in answers
            ]
        )

    async def FreezeAccount(
        self, request: service.FreezeAccountRequest, context: Any
    ) -> service.FreezeAccountResponse:
        """Freeze an account."""
        after = await self._change(request, AccountStatus.FROZEN)
        return service.FreezeAccountResponse(account=after)

    async def UnfreezeAccount(
        self, request: service.UnfreezeAccountRequest, context: Any
    ) -> service.UnfreezeAccountResponse:
        """Let an account take entries again."""
        after = await self._change(request, AccountStatus.OPEN)
        return service.UnfreezeAccountResponse(account=after)

    async def CloseAccount(
        self, request: service.CloseAccountRequest, context: Any
    ) -> service.CloseAccountResponse:
        """Close an account."""
        after = await self._change(request, AccountStatus.CLOSED)
        return service.CloseAccountResponse(account=after)

    async def ListAccounts(
        self, request: service.ListAccountsRequest, context: Any
    ) -> service.ListAccountsResponse:
        """List accounts."""
        page = await list_accounts(
            self._reader,
            request.prefix,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListAccountsResponse(
            accounts=map(messages.to_account, page.accounts), next_page_token=page.next_page_token
        )

    async def ListAccountChanges(
        self, request: service.ListAccountChangesRequest, context: Any
    ) -> service.ListAccountChangesResponse:
        """List the changes of an account's status."""
        page = await list_account_changes(
            self._reader,
            request.account_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListAccountChangesResponse(
            changes=map(messages.to_change, page.changes), next_page_token=page.next_page_token
        )

    @glance.checked_inside
    async def PostTransactions(
        self, request: service.PostTransactionsRequest, context: Any
    ) -> service.PostTransactionsResponse:
        """Post transactions."""
        asked = glance.to_postings(request) or _looked_at(request)
        outcomes = await post_transactions(self._writer, asked)
        response = service.PostTransactionsResponse()
        for outcome in outcomes:
            messages.write_posting_result(response.results.add(), outcome)
        return response

    async def ResolveTransactions(
        self, request: service.ResolveTransactionsRequest, context: Any
    ) -> service.ResolveTransactionsResponse:
        """End pending transactions."""
        asked = [
            messages.to_resolution(resolution, f"resolutions[{index}]")
            for index, resolution in enumerate(request.resolutions)
        ]
        response = service.ResolveTransactionsResponse()
        for outcome in await resolve_transactions(self._writer, asked):
            messages.write_resolution_result(response.results.add(), outcome)
        return response

    async def ReverseTransaction(
        self, request: service.ReverseTransactionRequest, context: Any
    ) -> service.ReverseTransactionResponse:
        """Reverse a transaction."""
        require_text("reason", request.reason)
        if bool(request.entries) != bool(request.reversal_reference):
            raise InvalidRequest.field(
                "reversal_reference", "goes with `entries`, and `entries` with it"
            )
        if is_own_name(request.reversal_reference):
            raise InvalidRequest.field("reversal_reference", messages.OWN_NAME)
        try:
            asked = Reversal(
                request.reference,
                request.reason,
                messages.to_lines(request.entries),
                request.reversal_reference,
            )
        except Refusal as refusal:
            return _reversal_result(refusal)
        return _reversal_result(await reverse_transaction(self._writer, asked))

    async def GetTransaction(
        self, request: service.GetTransactionRequest, context: Any
    ) -> service.GetTransactionResponse:
        """Read a transaction."""
        found = await get_transaction(self._reader, request.reference)
        return service.GetTransactionResponse(transaction=messages.to_wire(found))

    async def ListPendings(
        self, request: service.ListPendingsRequest, context: Any
    ) -> service.ListPendingsResponse:
        """List what is pending."""
        require_text("subject_id", request.subject_id)
        expires = Period(
            to_moment("expires_from", request, "expires_from"),
            to_moment("expires_to", request, "expires_to"),
        )
        which = PendingFilter(request.account_id, request.subject_id, _created(request), expires)
        page = await list_pendings(
            self._reader, which, page_size=request.page_size, page_token=request.page_token
        )
        return service.ListPendingsResponse(
            transactions=map(messages.to_wire, page.transactions),
            next_page_token=page.next_page_token,
        )

    async def ListEntries(
        self, request: service.ListEntriesRequest, context: Any
    ) -> service.ListEntriesResponse:
        """List entries."""
        require_text("account_id", request.account_id)
        require_text("subject_id", request.subject_id)
        which = EntryFilter(
            request.account_id, request.subject_id, request.reference, _created(request)
        )
        page = await list_entries(
            self._reader, which, page_size=request.page_size, page_token=request.page_token
        )
        return service.ListEntriesResponse(
            entries=map(messages.to_entry, page.entries),
            next_page_token=page.next_page_token,
            archived_until=stamp(page.archived_until) if page.archived_until else None,
        )

    async def ExportEntries(
        self, request: service.ExportEntriesRequest, context: Any
    ) -> AsyncIterator[service.ExportEntriesResponse]:
        """Send entries."""
        which = EntryFilter(account_id=request.account_id, period=_created(request))
        async for chunk in export_entries(self._reader, which, request.resume_token):
            yield service.ExportEntriesResponse(
                entries=map(messages.to_entry, chunk.entries),
                resume_token=chunk.resume_token,
                whole_until=stamp(chunk.whole_until) if chunk.whole_until else None,
            )

    async def GetBalance(
        self, request: service.GetBalanceRequest, context: Any
    ) -> service.GetBalanceResponse:
        """Read an account."""
        at = _as_of(request)
        found = await get_balance(
            self._reader, request.account_id, at, by_effective_at=request.by_effective_at
        )
        return service.GetBalanceResponse(account=messages.to_account(found))

    async def GetBalances(
        self, request: service.GetBalancesRequest, context: Any
    ) -> service.GetBalancesResponse:
        """Read many accounts."""
        found = await get_balances(self._reader, request.account_ids)
        return service.GetBalancesResponse(
            accounts=map(messages.to_account, found.accounts), missing_account_ids=found.missing
        )

    async def GetStatement(
        self, request: service.GetStatementRequest, context: Any
    ) -> service.GetStatementResponse:
        """Make a statement."""
        period = Period(to_moment("from", request, "from"), to_moment("to", request, "to"))
        make = get_effective_statement if request.by_effective_at else get_statement
        made = await make(
            self._reader,
            request.account_id,
            period,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.GetStatementResponse(
            account=messages.to_account(made.account),
            opening_balance=str(made.opening_balance),
            closing_balance=str(made.closing_balance),
            entry_count=made.entry_count,
            entries=map(messages.to_entry, made.entries),
            next_page_token=made.next_page_token,
        )

    async def GetTrialBalance(
        self, request: service.GetTrialBalanceRequest, context: Any
    ) -> service.GetTrialBalanceResponse:
        """Sum the ledger."""
        lines = await get_trial_balance(
            self._reader, _as_of(request), by_effective_at=request.by_effective_at
        )
        return service.GetTrialBalanceResponse(lines=map(messages.to_trial_balance_line, lines))

    async def VerifyLedger(
        self, request: service.VerifyLedgerRequest, context: Any
    ) -> AsyncIterator[service.VerifyLedgerResponse]:
        """Prove the books anew."""
        known = verification_messages.to_known_seals(request.known_seals)
        async with self._proofs:
            async for told in verify_ledger(
                self._closer,
                since_last_checkpoint=request.since_last_checkpoint,
                known_seals=known,
            ):
                yield verification_messages.to_verification(told)

    async def ListSeals(
        self, request: service.ListSealsRequest, context: Any
    ) -> service.ListSealsResponse:
        """List seals."""
        page = await list_seals(
            self._closer,
            before=request.before,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListSealsResponse(
            seals=map(verification_messages.to_seal, page.items),
            next_page_token=page.next_page_token,
        )

    async def CloseMonth(
        self, request: service.CloseMonthRequest, context: Any
    ) -> AsyncIterator[service.CloseMonthResponse]:
        """Close a month."""
        async with self._proofs:
            async for told in close_month(self._closer, request.month, self._clock):
                yield verification_messages.to_closing(told)

    async def ListCheckpoints(
        self, request: service.ListCheckpointsRequest, context: Any
    ) -> service.ListCheckpointsResponse:
        """List checkpoints."""
        page = await list_checkpoints(
            self._closer,
            before=request.before,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return service.ListCheckpointsResponse(
            checkpoints=map(verification_messages.to_checkpoint, page.items),
            next_page_token=page.next_page_token,
        )

    async def _change(self, request: Any, to: AccountStatus) -> Any:
        require_text("reason", request.reason)
        actor = request_context().actor()
        after = await change_status(
            self._writer, request.account_id, to, reason=request.reason, actor=actor
        )
        return messages.to_account(after)


def _looked_at(request: service.PostTransactionsRequest) -> Sequence[Asked]:
    """Read postings that are not plainly well.

    Raises:
        InvalidRequest: naming each field that breaks a rule.
    """
    validate(request)
    last = len(request.postings) - 1
    if request.postings[last].linked:
        raise InvalidRequest.field(f"postings[{last}].linked", "is linked to nothing")
    return [messages.to_posting(posting, place) for place, posting in enumerate(request.postings)]


def _created(request: Any) -> Period:
    return Period(
        to_moment("created_from", request, "created_from"),
        to_moment("created_to", request, "created_to"),
    )


def _as_of(request: Any) -> datetime | None:
    at = to_moment("at", request, "at")
    if request.by_effective_at and at is None:
        raise InvalidRequest.field("by_effective_at", "goes with `at`")
    return at


def _reversal_result(outcome: Outcome) -> service.ReverseTransactionResponse:
    match outcome:
        case Posted():
            reversal = messages.to_wire(outcome.transaction)
            return service.ReverseTransactionResponse(reversal=reversal)
        case Closed():
            return service.ReverseTransactionResponse(closed_before_arrival=True)
        case _:
            return service.ReverseTransactionResponse(refusal=messages.refusal(outcome))
