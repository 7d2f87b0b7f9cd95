"""Renews certificates while a stack runs: each when half of its life is over."""

import asyncio

from devstack.mesh.certificates import Certificates, utc_now

_EVERY_S = 600.0


async def renewing(certificates: Certificates, every_s: float = _EVERY_S) -> None:
    """Look every ten minutes, for ever."""
    while True:
        await asyncio.sleep(every_s)
        await asyncio.to_thread(certificates.init, utc_now())
