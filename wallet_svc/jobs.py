"""The loops of wallet_svc: ending the holds that had their time, and comparing with the ledger."""

import asyncio

from chassis.clock import Clock
from chassis.server import Job, repeat
from chassis.telemetry import logger
from wallet_svc.domain.comparison import Verdict, WalletDifference
from wallet_svc.metrics import HOLDS_EXPIRED, WALLET_DIFFERENCES, WALLETS_COMPARED_AT
from wallet_svc.ports import LedgerBooks, WalletReader
from wallet_svc.store import WalletStore
from wallet_svc.use_cases.compare_with_ledger import compare_with_ledger

_EXPIRED_AT_ONCE = 500


def hold_expiry(store: WalletStore, every_s: float) -> Job:
    """End holds that had their time, 500 a batch; many instances may: each hold ends once."""

    async def work() -> bool:
        looked_at = await store.expire(limit=_EXPIRED_AT_ONCE)
        HOLDS_EXPIRED.inc(looked_at)
        return looked_at == _EXPIRED_AT_ONCE

    async def job(stopping: asyncio.Event) -> None:
        await repeat("expiry", work, stopping, pause_s=every_s)

    return job


def ledger_comparison(
    reader: WalletReader, books: LedgerBooks, clock: Clock, every_s: float
) -> Job:
    """Compare all wallets with the ledger; a line in the log for each that differs."""

    async def work() -> bool:
        counts = dict.fromkeys(Verdict, 0)
        async for told in compare_with_ledger(reader, books, clock):
            if isinstance(told, WalletDifference):
                counts[told.verdict] += 1
                _log(told)
        for verdict, count in counts.items():
            WALLET_DIFFERENCES.labels(verdict.value).set(count)
        WALLETS_COMPARED_AT.set(clock().timestamp())
        return False

    async def job(stopping: asyncio.Event) -> None:
        await repeat("comparison", work, stopping, pause_s=every_s)

    return job


def _log(found: WalletDifference) -> None:
    log = logger()
    tell = log.info if found.verdict is Verdict.IN_FLIGHT else log.error
    tell(
        "wallet_differs",
        wallet_id=found.wallet_id,
        difference=str(found.difference),
        outcome=found.verdict.value,
        count=len(found.subjects),
    )
