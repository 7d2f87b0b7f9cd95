"""Which sellers are known: wallet_svc is asked once for each, where sellers are not opened on first
use.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paymesh.wallet.v1 import wallet_service_pb2 as wallet

from chassis.channel import call
from chassis.errors import NotFound

if TYPE_CHECKING:  # the generated modules hold it for the type checker alone
    from paymesh.wallet.v1.wallet_service_pb2_grpc import WalletServiceAsyncStub

_KNOWN_MAX = 100_000


class GrpcSellers:
    """`ports.Sellers` over gRPC. A wallet that was seen once is there for ever."""

    def __init__(self, wallet_stub: "WalletServiceAsyncStub", timeout_s: float) -> None:
        self._get = wallet_stub.GetWallet
        self._timeout_s = timeout_s
        self._known: set[str] = set()

    async def missing(self, wallet_ids: Sequence[str]) -> Sequence[str]:
        """See `ports.Sellers.missing`."""
        asked = sorted(set(wallet_ids) - self._known)
        there = await asyncio.gather(*map(self._is_there, asked))
        if len(self._known) > _KNOWN_MAX:
            self._known.clear()
        self._known.update(name for name, found in zip(asked, there, strict=True) if found)
        return [name for name, found in zip(asked, there, strict=True) if not found]

    async def _is_there(self, wallet_id: str) -> bool:
        try:
            await call(self._get, wallet.GetWalletRequest(wallet_id=wallet_id), self._timeout_s)
        except NotFound:
            return False
        return True


class AnySeller:
    """`ports.Sellers` where a seller is opened on first use: nobody is missing."""

    async def missing(self, _: Sequence[str]) -> Sequence[str]:
        """See `ports.Sellers.missing`."""
        return []
