"""What must be true of the ledger and the wallets."""

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from devstack.audit.checks.suspense import left_of
from devstack.audit.facts import Facts, OperationFact
from devstack.audit.told import Told
from devstack.audit.verdict import Offence

_ZERO = Decimal()
_GROW_BY_DEBIT = frozenset({"ASSET", "EXPENSE"})
# At rest nothing stands there for a payment: owed to its buyer, or of nobody knows whom.
_CLEARING = ("buyer:", "suspense:", "fx:clearing:")


def unbalanced(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell transactions, and currencies over the whole ledger, whose debits are not their
    credits.
    """
    sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    totals: dict[str, Decimal] = defaultdict(Decimal)
    currencies = {account.account_id: account.currency for account in facts.accounts}
    for entry in facts.entries:
        signed = entry.amount if entry.is_debit else -entry.amount
        sums[entry.transaction_id, currencies.get(entry.account_id, "")] += signed
    for account in facts.accounts:
        by_debit = account.type in _GROW_BY_DEBIT
        totals[account.currency] += account.balance if by_debit else -account.balance
    for (transaction_id, currency), rest in sums.items():
        if rest:
            known = facts.transaction.get(transaction_id)
            name = known.reference if known else transaction_id
            yield Offence(name, f"debits less credits are {rest} {currency}")
    for currency, rest in totals.items():
        if rest:
            yield Offence(f"ledger {currency}", f"debits less credits are {rest} {currency}")


def not_running(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell entries that do not continue their account's balance or numbers, and accounts that are
    not what their newest entry left.
    """
    types = {account.account_id: account.type for account in facts.accounts}
    latest: dict[str, tuple[int, Decimal]] = {}
    for entry in sorted(facts.entries, key=lambda one: (one.account_id, one.sequence)):
        grows = entry.is_debit == (types.get(entry.account_id) in _GROW_BY_DEBIT)
        signed = entry.amount if grows else -entry.amount
        before = latest.get(entry.account_id)
        if before is None:  # what is archived came before it
            before = (entry.sequence - 1, entry.balance_after - signed)
            if entry.sequence == 1 and before[1]:
                yield Offence(f"{entry.account_id} entry 1", f"begins from {before[1]}")
        if (entry.sequence, entry.balance_after) != (before[0] + 1, before[1] + signed):
            yield Offence(
                f"{entry.account_id} entry {entry.sequence}",
                f"leaves {entry.balance_after} after {before[1]} and {signed}, entry {before[0]}",
            )
        latest[entry.account_id] = (entry.sequence, entry.balance_after)
    for account in facts.accounts:
        count, balance = latest.get(account.account_id, (account.entry_count, account.balance))
        if (count, balance) != (account.entry_count, account.balance):
            yield Offence(
                account.account_id,
                f"holds {account.balance} after {account.entry_count} entries, not {balance}"
                f" after {count}",
            )


def wallets_differ(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell wallets that are not what the ledger says of their account, payment by payment, but for
    what is in flight; and accounts of sellers without a wallet.
    """
    wallets = {wallet.wallet_id: wallet for wallet in facts.wallets}
    accounts = {account.account_id: account for account in facts.accounts}
    rests: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for operation in facts.operations:
        rests[operation.wallet_id][operation.subject_id] += operation.change
    for entry in facts.entries:
        if entry.account_id in wallets or entry.account_id.startswith("seller:"):
            known = facts.transaction.get(entry.transaction_id)
            grows = entry.is_debit == (accounts[entry.account_id].type in _GROW_BY_DEBIT)
            signed = entry.amount if grows else -entry.amount
            rests[entry.account_id][known.subject_id if known else ""] -= signed
    for name in sorted(rests.keys() | wallets.keys()):
        whole = wallets[name].total if name in wallets else _ZERO
        booked = accounts[name].balance if name in accounts else _ZERO
        rest = {subject: by for subject, by in rests[name].items() if by}
        if sum(rest.values(), _ZERO) != whole - booked:
            yield Offence(name, f"holds {whole}, the ledger {booked}; what was done differs too")
        for subject, by in rest.items():
            if subject not in facts.in_flight | facts.dead:
                told = f"holds {whole}, the ledger {booked}; {by} more here for {subject or '—'}"
                yield Offence(name, told)


def wallets_do_not_add_up(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell operations that do not continue their wallet's balances, wallets that are not what their
    newest operation left, and balances below what they may be.
    """
    latest: dict[str, OperationFact] = {}
    for one in sorted(facts.operations, key=lambda each: (each.wallet_id, each.sequence)):
        before = latest.get(one.wallet_id)
        start = _left(before) if before else (_ZERO, _ZERO, _ZERO)
        count = before.sequence if before else 0
        changes = (one.pending_change, one.available_change, one.held_change)
        wanted = tuple(was + by for was, by in zip(start, changes, strict=True))
        if one.sequence != count + 1 or _left(one) != wanted:
            yield Offence(one.operation_id, f"leaves {_left(one)} in {one.wallet_id}, not {wanted}")
        latest[one.wallet_id] = one
    for wallet in facts.wallets:
        holds = (wallet.pending, wallet.available, wallet.held)
        newest = latest.get(wallet.wallet_id)
        left = _left(newest) if newest else (_ZERO, _ZERO, _ZERO)
        if holds != left or wallet.operation_count != (newest.sequence if newest else 0):
            yield Offence(wallet.wallet_id, f"holds {holds}, its operations left {left}")
        if wallet.pending < 0 or wallet.held < 0:
            yield Offence(wallet.wallet_id, f"is below zero: {holds}")


def _left(one: OperationFact) -> tuple[Decimal, Decimal, Decimal]:
    return one.pending_after, one.available_after, one.held_after


def clearing_left(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell what stands for a payment at rest where nothing should: with its buyer, in suspense, in
    a seller's pending; and, of a payment that failed, anywhere. What two persons left with a PSP
    stands in suspense until it is explained.
    """
    rests: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    left = {n for key in facts.at_rest for one in left_of(facts, key) for n in one[-2:]}
    for entry in facts.entries:
        known = facts.transaction.get(entry.transaction_id)
        if known and known.subject_id in facts.at_rest and known.transaction_id not in left:
            signed = entry.amount if entry.is_debit else -entry.amount
            rests[known.subject_id, entry.account_id] += signed
    for (payment_id, account), rest in rests.items():
        status = facts.at_rest[payment_id].status
        is_over = status in ("FAILED", "CANCELLED", "REQUIRES_CAPTURE")
        if rest and (is_over or account.startswith(_CLEARING)):
            yield Offence(payment_id, f"{rest} is left in {account}, and it is {status}")
    waits = {saga.payment_id for saga in facts.sagas if saga.kind == "settle" and saga.due_at}
    pending: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for one in facts.operations:
        if one.subject_id in facts.at_rest and one.subject_id not in waits:
            pending[one.subject_id, one.wallet_id] += one.pending_change
    for (payment_id, wallet), rest in pending.items():
        if rest:
            yield Offence(payment_id, f"{rest} is still pending in {wallet}")


def done_twice(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell references of the ledger, operations of the wallets, and events of PSPs that are there
    more than once.
    """
    seen: set[tuple[str, str]] = set()
    names = [("ledger reference", one.reference) for one in facts.transactions]
    names += [("wallet operation", one.operation_id) for one in facts.operations]
    names += [("PSP event", f"{one.psp} {one.event_id}") for one in facts.inbox]
    for name in names:
        if name in seen:
            yield Offence(name[1], f"this {name[0]} is there twice")
        seen.add(name)


def unproven(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell what the ledger's own proof of hashes, seals and sequences found."""
    proof = facts.proof
    if proof is None or proof.is_sound:
        return
    for told in proof.offences:
        subject, _sign, how = told.partition(": ")
        yield Offence(subject, how)
    if not proof.offences:
        yield Offence("ledger", "its own proof says that the books are not sound")
