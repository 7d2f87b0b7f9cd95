"""Posts transactions, each whole or not at all."""

from collections.abc import Sequence

from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import Refusal
from ledger_svc.domain.transaction import Posting
from ledger_svc.ports import LedgerWriter


async def post_transactions(
    writer: LedgerWriter, asked: Sequence[Posting | Refusal]
) -> list[Outcome]:
    """Post transactions and answer each in order; what could not even be read stays refused."""
    readable = [item for item in asked if isinstance(item, Posting)]
    answers = iter(await writer.post(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]
