"""What a batch decided, as the columns that its statements take."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bookkeeping.arrays import plain, some_texts, texts, times
from wallet_svc.domain.hold import Hold
from wallet_svc.domain.operation import Operation
from wallet_svc.domain.wallet import NewWallet, Standing, Wallet
from wallet_svc.domain.wallets import Wallets


def batch(wallets: Wallets) -> dict[str, Any]:
    """Write the parameters of `statements.WRITE`."""
    return {
        "at": wallets.now,
        **_claims(wallets),
        **_operations(wallets.applied),
        **_wallets(wallets.changed),
    }


def holds(wallets: Wallets) -> list[str]:
    """Write the parameters of `statements.WRITE_HOLDS`; empty when none was made or moved."""
    moved: list[Hold] = [wallets.holds[hold_id] for hold_id in wallets.moved_holds]
    if not moved:
        return []
    return [
        texts([hold.hold_id for hold in moved]),
        texts([hold.wallet_id for hold in moved]),
        texts([hold.subject_id for hold in moved]),
        plain([hold.currency for hold in moved]),
        plain([hold.amount for hold in moved]),
        plain([hold.open for hold in moved]),
        plain([hold.captured for hold in moved]),
        plain([hold.released for hold in moved]),
        plain([hold.status.value for hold in moved]),
        times([hold.expires_at for hold in moved]),
        times([hold.created_at for hold in moved]),
    ]


def new_wallets(asked: Mapping[str, NewWallet], now: datetime) -> list[Any]:
    """Write the parameters of `statements.OPEN_WALLETS`, in the order of their ids."""
    new = [wallet for _, wallet in sorted(asked.items())]
    return [
        now,
        texts([wallet.wallet_id for wallet in new]),
        texts([wallet.client_id for wallet in new]),
        texts([wallet.owner for wallet in new]),
        plain([wallet.currency for wallet in new]),
        plain([wallet.account_type.value for wallet in new]),
        plain([wallet.credit_limit or 0 for wallet in new]),
    ]


def _claims(wallets: Wallets) -> dict[str, str]:
    """In the order in which every batch takes them."""
    claims: list[tuple[str, str | None, int | None, datetime | None]] = [
        (o.operation_id, o.wallet_id, o.sequence, None) for o in wallets.applied
    ]
    claims += [(operation_id, None, None, wallets.now) for operation_id in wallets.closings]
    claims.sort(key=lambda claim: claim[0])
    names, owners, sequences, closed = zip(*claims, strict=True)
    return {
        "claims": texts(names),
        "claim_wallets": some_texts(owners),
        "claim_sequences": plain(sequences),
        "closed": times(closed),
    }


def _operations(applied: Sequence[Operation]) -> dict[str, str]:
    changes = [o.change for o in applied]
    standings = [o.after for o in applied]
    return {
        "ids": texts([o.operation_id for o in applied]),
        "wallets": texts([o.wallet_id for o in applied]),
        "kinds": plain([o.kind.value for o in applied]),
        "amounts": plain([o.amount for o in applied]),
        "currencies": plain([o.currency for o in applied]),
        "subjects": texts([o.subject_id for o in applied]),
        "references": texts([o.refers_to for o in applied]),
        "rests": plain([o.releases_rest for o in applied]),
        "pending_changes": plain([change.pending for change in changes]),
        "available_changes": plain([change.available for change in changes]),
        "held_changes": plain([change.held for change in changes]),
        "pendings_after": plain([after.pending for after in standings]),
        "availables_after": plain([after.available for after in standings]),
        "helds_after": plain([after.held for after in standings]),
        "sequences": plain([after.operation_count for after in standings]),
        "versions": plain([after.version for after in standings]),
    }


def _wallets(changed: Sequence[tuple[Wallet, Standing]]) -> dict[str, Any]:
    """Write what wallets have now, and of which version they must have been until then."""
    standings = [standing for _, standing in changed]
    return {
        "changed_count": len(changed),
        "changed": texts([wallet.wallet_id for wallet, _ in changed]),
        "pendings": plain([standing.pending for standing in standings]),
        "availables": plain([standing.available for standing in standings]),
        "helds": plain([standing.held for standing in standings]),
        "counts": plain([standing.operation_count for standing in standings]),
        "new_versions": plain([standing.version for standing in standings]),
        "were_versions": plain([wallet.standing.version for wallet, _ in changed]),
    }
