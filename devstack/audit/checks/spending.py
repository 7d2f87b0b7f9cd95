"""That nothing is spent that is not there: by wallets, and by what is paid out for them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal

from devstack.audit.facts import Facts, LimitFact, OperationFact
from devstack.audit.told import Told
from devstack.audit.verdict import Offence

# These take what has left elsewhere already, also from a wallet that has it no more.
_TAKEN_BACK = frozenset({"REVERSAL", "REFUND", "CHARGEBACK"})
_CAME_TO_NOTHING = frozenset({"FAILED", "RETURNED"})


def overspent(facts: Facts, _: Told) -> Iterator[Offence]:
    """Tell operations that spent what was not available, by the credit limit of then; and payouts
    of more than was taken from the wallet for them, where an operation names the payout.
    """
    limits = {wallet.wallet_id: wallet.credit_limit for wallet in facts.wallets}
    changes: dict[str, list[LimitFact]] = defaultdict(list)
    for change in sorted(facts.limits, key=lambda one: one.version):
        changes[change.wallet_id].append(change)
    for one in facts.operations:
        if one.available_change >= 0 or one.kind in _TAKEN_BACK:
            continue
        limit = _limit_at(one, changes, limits)
        if one.available_after < -limit:
            told = f"{one.kind} leaves {one.available_after} available, its limit is {limit}"
            yield Offence(f"{one.operation_id} of {one.wallet_id}", told)
    yield from _overpaid(facts)


def _limit_at(
    one: OperationFact, changes: Mapping[str, list[LimitFact]], limits: Mapping[str, Decimal]
) -> Decimal:
    """Tell a wallet's credit limit when an operation was made: what the next change changed."""
    later = (c.before for c in changes.get(one.wallet_id, ()) if c.version > one.version)
    return next(later, limits.get(one.wallet_id, Decimal()))


def _overpaid(facts: Facts) -> Iterator[Offence]:
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for payout in facts.payouts:
        if payout.state not in _CAME_TO_NOTHING:
            paid[payout.payout_id] += payout.amount
    taken: dict[str, Decimal] = defaultdict(Decimal)
    for one in facts.operations:
        if one.subject_id in paid:
            taken[one.subject_id] -= one.pending_change + one.available_change
    for payout_id, amount in taken.items():
        if paid[payout_id] > amount:
            told = f"pays {paid[payout_id]} out, {amount} was taken from the wallet for it"
            yield Offence(payout_id, told)
