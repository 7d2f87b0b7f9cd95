"""Opens accounts that are not there yet."""

from collections.abc import Sequence

from bookkeeping.readable import do_readable
from ledger_svc.domain.account import Account, NewAccount
from ledger_svc.domain.errors import Refusal
from ledger_svc.ports import LedgerWriter


async def open_accounts(
    writer: LedgerWriter, asked: Sequence[NewAccount | Refusal]
) -> Sequence[Account | Refusal]:
    """Open accounts and answer each in order; what could not even be read stays refused."""
    return await do_readable(asked, writer.open_accounts)
