"""Ends pending transactions, each exactly once."""

from collections.abc import Sequence

from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.posting import Resolution
from ledger_svc.ports import LedgerWriter


async def resolve_transactions(
    writer: LedgerWriter, asked: Sequence[Resolution | Refusal]
) -> list[Outcome]:
    """Post or void what is pending and answer each in order; what could not even be read stays
    refused.
    """
    readable = [item for item in asked if isinstance(item, Resolution)]
    answers = iter(await writer.do(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]
