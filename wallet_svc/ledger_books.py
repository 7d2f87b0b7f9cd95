"""Reads the ledger's books over gRPC, and only reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING

import grpc
from paymesh.ledger.v1 import ledger_pb2 as noun
from paymesh.ledger.v1 import ledger_service_pb2 as service

from chassis.channel import call, forwarded, to_error
from wallet_svc.domain.comparison import Balance, SubjectSum

if TYPE_CHECKING:  # the aio stub exists for the type checker alone
    from paymesh.ledger.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub

_READ_S = 10.0
_EXPORT_S = 60.0
_DEBIT_NORMAL = frozenset({noun.Account.ASSET, noun.Account.EXPENSE})


class LedgerBooks:
    """The ledger's accounts and entries.

    Args:
        stub: of the ledger.
    """

    def __init__(self, stub: "LedgerServiceAsyncStub") -> None:
        self._stub = stub

    async def balances(self, account_ids: Sequence[str]) -> Mapping[str, Balance]:
        """Read accounts, 1,000 at most; those that are not there are left out.

        Raises:
            PaymeshError: the ledger did not answer.
        """
        found = await self._accounts(account_ids)
        return {a.account_id: Balance(Decimal(a.balance), a.currency) for a in found}

    async def subject_sums(self, account_id: str) -> Mapping[str, SubjectSum]:
        """Sum the entries of each object on an account, in its normal direction; reads all of them.

        Raises:
            PaymeshError: the ledger did not answer.
        """
        accounts = await self._accounts([account_id])
        if not accounts:
            return {}
        grows_by_debit = accounts[0].type in _DEBIT_NORMAL
        sums: dict[str, SubjectSum] = {}
        request = service.ExportEntriesRequest(account_id=account_id)
        try:
            asked = self._stub.ExportEntries(request, timeout=_EXPORT_S, metadata=forwarded())
            async for chunk in asked:
                for entry in chunk.entries:
                    _add(sums, entry, grows_by_debit=grows_by_debit)
        except grpc.aio.AioRpcError as error:
            raise to_error(error) from error
        return sums

    async def _accounts(self, account_ids: Sequence[str]) -> Sequence[noun.Account]:
        request = service.GetBalancesRequest(account_ids=account_ids)
        answer: service.GetBalancesResponse = await call(self._stub.GetBalances, request, _READ_S)
        return answer.accounts


def _add(sums: dict[str, SubjectSum], entry: noun.Entry, *, grows_by_debit: bool) -> None:
    amount = Decimal(entry.amount)
    grows = (entry.side == noun.SIDE_DEBIT) == grows_by_debit
    written_at = entry.created_at.ToDatetime(tzinfo=UTC)
    before = sums.get(entry.subject_id, SubjectSum(Decimal(0), written_at))
    sums[entry.subject_id] = SubjectSum(
        before.total + (amount if grows else -amount), max(before.newest_at, written_at)
    )
