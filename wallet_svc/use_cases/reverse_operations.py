"""Takes credits back, each once."""

from collections.abc import Sequence

from wallet_svc.domain.operation import Reversal
from wallet_svc.domain.wallets import ReversalOutcome
from wallet_svc.ports import WalletWriter


async def reverse_operations(
    writer: WalletWriter, operation_ids: Sequence[str]
) -> Sequence[ReversalOutcome]:
    """Reverse credits and answer each in order; an id that is not there is closed for ever."""
    return await writer.do([Reversal(operation_id) for operation_id in operation_ids])
