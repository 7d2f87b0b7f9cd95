"""Applies operations, each once."""

from collections.abc import Sequence

from wallet_svc.domain.errors import Refusal
from wallet_svc.domain.operation import NewOperation
from wallet_svc.domain.wallets import Outcome
from wallet_svc.ports import WalletWriter


async def apply_operations(
    writer: WalletWriter, asked: Sequence[NewOperation | Refusal]
) -> list[Outcome]:
    """Apply operations and answer each in order; what could not even be read stays refused."""
    readable = [item for item in asked if isinstance(item, NewOperation)]
    answers = iter(await writer.apply(readable) if readable else ())
    return [item if isinstance(item, Refusal) else next(answers) for item in asked]
