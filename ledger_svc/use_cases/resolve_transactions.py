"""Ends pending transactions, each exactly once."""

from collections.abc import Sequence

from bookkeeping.readable import do_readable
from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Resolution
from ledger_svc.ports import LedgerWriter


async def resolve_transactions(
    writer: LedgerWriter, asked: Sequence[Resolution | Refusal]
) -> Sequence[Outcome]:
    """Post or void what is pending and answer each in order; what could not even be read stays
    refused.
    """
    return await do_readable(asked, writer.do)
