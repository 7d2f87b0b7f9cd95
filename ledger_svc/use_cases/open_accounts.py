"""Opens accounts that are not there yet."""

from collections.abc import Sequence

from ledger_svc.domain.account import Account, NewAccount
from ledger_svc.domain.errors import Refusal
from ledger_svc.ports import LedgerWriter


async def open_accounts(
    writer: LedgerWriter, asked: Sequence[NewAccount | Refusal]
) -> list[Account | Refusal]:
    """Open accounts and answer each in order; what could not even be read stays refused."""
    readable = [item for item in asked if isinstance(item, NewAccount)]
    answers = iter(await writer.open_accounts(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]
