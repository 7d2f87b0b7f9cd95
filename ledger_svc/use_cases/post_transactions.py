"""Posts transactions, each whole or not at all; what is linked, together or not at all."""

from collections.abc import Sequence

from bookkeeping.readable import Unreadable, do_readable, refuse_linked
from ledger_svc.domain.books import Outcome
from ledger_svc.domain.errors import LinkedRefused
from ledger_svc.domain.posting import Posting
from ledger_svc.ports import LedgerWriter

Asked = Posting | Unreadable


async def post_transactions(writer: LedgerWriter, asked: Sequence[Asked]) -> Sequence[Outcome]:
    """Post transactions and answer each in order; what could not even be read stays refused, and
    so does what is linked with it.
    """
    return await do_readable(refuse_linked(asked, LinkedRefused), writer.do)
