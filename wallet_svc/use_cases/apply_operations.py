"""Applies operations, each once; what is linked, together or not at all."""

from collections.abc import Sequence

from bookkeeping.readable import Unreadable, do_readable, refuse_linked
from wallet_svc.domain.errors import LinkedRefused
from wallet_svc.domain.operation import NewOperation
from wallet_svc.domain.wallets import ReversalOutcome
from wallet_svc.ports import WalletWriter

Asked = NewOperation | Unreadable


async def apply_operations(
    writer: WalletWriter, asked: Sequence[Asked]
) -> Sequence[ReversalOutcome]:
    """Apply operations and answer each in order; what could not even be read stays refused, and so
    does what is linked with it.
    """
    return await do_readable(refuse_linked(asked, LinkedRefused), writer.do)
