"""Reads the ledger's books over gRPC, and only reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import grpc
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service

from bookkeeping.fields import stamp
from chassis.channel import call, forwarded, to_error
from chassis.errors import FailedPrecondition
from wallet_svc.domain.comparison import Balance, History, SubjectSum
from wallet_svc.ports import AccountPage

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

_READ_S = 10.0
_EXPORT_S = 60.0
_PAGE = 500
_TICK = timedelta(microseconds=1)
_ARCHIVED, _UNTIL = "PERIOD_ARCHIVED", "archivedUntil"
_DEBIT_NORMAL = frozenset({noun.Account.ASSET, noun.Account.EXPENSE})


class LedgerBooks:
    """The ledger's accounts and entries.

    Args:
        stub: of the ledger.
        export_s: seconds for the entries of one account.
    """

    def __init__(self, stub: "LedgerServiceAsyncStub", *, export_s: float = _EXPORT_S) -> None:
        self._stub = stub
        self._export_s = export_s

    async def balances(self, account_ids: Sequence[str]) -> Mapping[str, Balance]:
        """Read accounts, 1,000 at most; those that are not there are left out.

        Raises:
            PaymeshError: the ledger did not answer.
        """
        return _balances(await self._accounts(account_ids))

    async def accounts_from(self, prefix: str, token: str) -> AccountPage:
        """List the accounts whose id begins with `prefix`, by id, from where a page ended; 500.

        Raises:
            PaymeshError: the ledger did not answer.
        """
        request = service.ListAccountsRequest(prefix=prefix, page_size=_PAGE, page_token=token)
        answer: service.ListAccountsResponse = await call(self._stub.ListAccounts, request, _READ_S)
        return AccountPage(_balances(answer.accounts), answer.next_page_token)

    async def history(self, account_id: str, since: datetime | None) -> History:
        """Sum the entries of each object on an account, in its normal direction, since a time; or
        since a later one, when what was before is archived. Reads all of these.

        Raises:
            DeadlineExceeded: they are too many.
            PaymeshError: the ledger did not answer.
        """
        try:
            return await self._since(account_id, since)
        except FailedPrecondition as error:
            if error.reason != _ARCHIVED:
                raise
            return await self._since(account_id, datetime.fromisoformat(error.metadata[_UNTIL]))

    async def _since(self, account_id: str, since: datetime | None) -> History:
        accounts = await self._accounts([account_id])
        if not accounts:
            return History(since, Decimal(0), {})
        opening, sums = Decimal(0), dict[str, SubjectSum]()
        request = service.ExportEntriesRequest(account_id=account_id)
        if since is not None:
            request.created_from.FromDatetime(since)
            # The balance is up to and with its time: times are of whole microseconds.
            asked = service.GetBalanceRequest(account_id=account_id, at=stamp(since - _TICK))
            then = await call(self._stub.GetBalance, asked, _READ_S)
            opening = Decimal(then.account.balance)
        grows_by_debit = accounts[0].type in _DEBIT_NORMAL
        try:
            chunks = self._stub.ExportEntries(request, timeout=self._export_s, metadata=forwarded())
            async for chunk in chunks:
                for entry in chunk.entries:
                    _add(sums, entry, grows_by_debit=grows_by_debit)
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error
        return History(since, opening, sums)

    async def _accounts(self, account_ids: Sequence[str]) -> Sequence[noun.Account]:
        request = service.GetBalancesRequest(account_ids=account_ids)
        answer: service.GetBalancesResponse = await call(self._stub.GetBalances, request, _READ_S)
        return answer.accounts


def _balances(accounts: Sequence[noun.Account]) -> dict[str, Balance]:
    return {a.account_id: Balance(Decimal(a.balance), a.currency) for a in accounts}


def _add(sums: dict[str, SubjectSum], entry: noun.Entry, *, grows_by_debit: bool) -> None:
    amount = Decimal(entry.amount)
    grows = (entry.side == noun.SIDE_DEBIT) == grows_by_debit
    written_at = entry.created_at.ToDatetime(tzinfo=UTC)
    before = sums.get(entry.subject_id, SubjectSum(Decimal(0), written_at, written_at))
    sums[entry.subject_id] = SubjectSum(
        before.total + (amount if grows else -amount),
        max(before.newest_at, written_at),
        min(before.oldest_at, written_at),
    )
