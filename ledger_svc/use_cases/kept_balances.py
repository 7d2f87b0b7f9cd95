"""Holds what checkpoints keep of accounts, off which reports are read, against their hashes."""

from collections.abc import AsyncIterator, Iterable

from ledger_svc.domain.checkpoint import (
    AccountAt,
    BalancesHash,
    Checkpoint,
    balance_offences,
    count_offences,
    stray_offence,
)
from ledger_svc.domain.held_accounts import HeldAccounts, WalkedAccounts
from ledger_svc.domain.verification import Offence
from ledger_svc.ports import LedgerVerification
from paging.slices import in_order


async def kept_offences(
    books: LedgerVerification, accounts: HeldAccounts, checkpoints: Iterable[Checkpoint]
) -> AsyncIterator[Offence]:
    """Tell of checkpoints that keep other balances than they were made with, and of balances that
    belong to none; reads what they keep, which is a row for each account.
    """
    for checkpoint in checkpoints:
        kept = WalkedAccounts(accounts)
        for offence in await take_kept(books, checkpoint, kept):
            yield offence
    for number in await books.stray_balances():
        yield stray_offence(number)


async def take_kept(
    books: LedgerVerification, checkpoint: Checkpoint, into: WalkedAccounts
) -> list[Offence]:
    """Let accounts have what a checkpoint keeps of them; tell what is wrong with it."""
    count = 0
    async for page in books.balances_at(checkpoint):
        count += len(page)
        for one in page:
            into.begin_at(one.account_id, one.balance.amount, one.entry_count)
    wrong = count_offences(checkpoint, count, sum(1 for _ in into.names()))
    return [*wrong, *balance_offences(checkpoint, await hash_of(into))]


async def hash_of(accounts: WalkedAccounts) -> bytes:
    """Hash what accounts have that had entries."""
    made = BalancesHash()
    async for names in in_order(accounts.names()):
        made.add(AccountAt(name, *accounts.had(name)) for name in names)
    return made.digest()
