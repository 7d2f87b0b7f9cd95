"""What a batch must know before it decides, read inside its transaction while its wallets are
locked.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from bookkeeping.arrays import texts
from chassis.database import Transaction
from wallet_svc import rows, statements
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import (
    OF_A_HOLD,
    TAKING_BACK,
    Command,
    Kind,
    NewOperation,
    Operation,
    Reversal,
    incoming_id,
    reversal_id,
)
from wallet_svc.domain.wallet import Wallet
from wallet_svc.domain.wallets import Pot

# What neither is for a hold, or makes one, nor takes back what is pending.
_PLAIN = frozenset(Kind) - OF_A_HOLD - TAKING_BACK - {Kind.HOLD}


async def lock(tx: Transaction, wallet_ids: Iterable[str]) -> list[Wallet]:
    """Lock wallets, as far as they exist, in the order of their ids."""
    found = await tx.all(statements.LOCK_WALLETS, [texts(sorted(wallet_ids))])
    return [rows.to_wallet(row) for row in found]


async def wallets(tx: Transaction, wallet_ids: Sequence[str]) -> list[Wallet]:
    """Read wallets, as far as they exist."""
    found = await tx.all(statements.WALLETS, [texts(wallet_ids)])
    return [rows.to_wallet(row) for row in found]


async def claimed(
    tx: Transaction, operation_ids: Sequence[str]
) -> tuple[list[Operation], list[str]]:
    """Find the operations of ids, and which of the ids are closed."""
    found = await tx.all(statements.CLAIMED, [texts(operation_ids)])
    if not found:
        return [], []
    closed = [row["claimed"] for row in found if row["closed_at"] is not None]
    return [rows.to_operation(row) for row in found if row["closed_at"] is None], closed


async def holds(tx: Transaction, commands: Sequence[Command]) -> list[Hold]:
    """Find the holds that operations are for, or have made before."""
    names = {name for command in commands for name in _hold_ids(command)}
    if not names:
        return []
    return [rows.to_hold(row) for row in await tx.all(statements.HOLDS, [texts(sorted(names))])]


async def pending(tx: Transaction, pots: Iterable[Pot]) -> dict[Pot, Decimal]:
    """Tell what pots have left in pending."""
    asked = sorted(set(pots))
    if not asked:
        return {}
    columns = [texts([pot.wallet_id for pot in asked]), texts([pot.subject_id for pot in asked])]
    return rows.to_pending(await tx.all(statements.PENDING, columns))


def pots(commands: Sequence[Command], credits: Iterable[Operation]) -> Iterator[Pot]:
    """Tell which pots may be taken back from: those of `credits`, which are to be reversed, and
    those of new operations that take back, or that a reversal in the batch takes back at once.
    """
    yield from (Pot(credit.wallet_id, credit.subject_id) for credit in credits)
    bases = reversed_ids(commands)
    for command in commands:
        if isinstance(command, NewOperation) and (
            command.kind in TAKING_BACK or command.operation_id in bases
        ):
            yield Pot(command.wallet_id, command.subject_id)


def needs_wallets_alone(commands: Iterable[Command]) -> bool:
    """Tell whether commands can be decided on their wallets alone, if their ids are new."""
    return all(isinstance(c, NewOperation) and c.kind in _PLAIN for c in commands)


def reversed_ids(commands: Iterable[Command]) -> set[str]:
    """Name the operations that commands are to reverse."""
    return {c.operation_id for c in commands if isinstance(c, Reversal)}


def touched(commands: Iterable[Command], credits: Iterable[Operation]) -> set[str]:
    """Name the wallets that commands may change."""
    names = {credit.wallet_id for credit in credits}
    for command in commands:
        if isinstance(command, NewOperation):
            names.add(command.wallet_id)
            if command.kind is Kind.TRANSFER:
                names.add(command.refers_to)
    return names


def results(commands: Iterable[Command]) -> set[str]:
    """Name the operations that commands would make."""
    names = set()
    for command in commands:
        if isinstance(command, Reversal):
            names.add(reversal_id(command.operation_id))
            continue
        names.add(command.operation_id)
        if command.kind is Kind.TRANSFER:
            names.add(incoming_id(command.operation_id))
    return names


def _hold_ids(command: Command) -> Iterator[str]:
    if isinstance(command, NewOperation):
        if command.kind in OF_A_HOLD:
            yield command.refers_to
        elif command.kind is Kind.HOLD:
            yield command.operation_id
