"""Watches wallets for whoever wants to know: one query for all watchers of the process, several
times a second, while there are any.

A watcher has room for one state, the newest: one that reads slowly misses what was between, and
never holds a queue.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

from chassis.errors import ResourceExhausted
from chassis.telemetry import logger
from wallet_svc.domain.wallet import Wallet

_WATCHERS_MAX = 2_000  # half of what RPC_COUNT_MAX is unless it is told

Look = Callable[[Mapping[str, int]], Awaitable[Sequence[Wallet]]]


class _Watcher:
    """One who watches: the newest state known, and a bell for when there is a newer one."""

    __slots__ = ("bell", "newest")

    def __init__(self, wallet: Wallet) -> None:
        self.newest = wallet
        self.bell = asyncio.Event()


class Watching:
    """Who watches which wallets.

    Args:
        look: reads those of many wallets whose version is newer than the one given.
        every_s: seconds between two looks.
        watchers_max: more are refused; below RPC_COUNT_MAX, or who watches keeps operations out.
    """

    def __init__(self, look: Look, *, every_s: float, watchers_max: int = _WATCHERS_MAX) -> None:
        self._look = look
        self._every_s = every_s
        self._watchers_max = watchers_max
        self._watchers: dict[str, set[_Watcher]] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def count(self) -> int:
        """How many watch."""
        return sum(map(len, self._watchers.values()))

    async def states(
        self, wallet: Wallet, after_version: int, timeout_s: float
    ) -> AsyncGenerator[Wallet, None]:
        """Tell a wallet's state if it is newer than a version, then newer ones for `timeout_s`.

        Raises:
            ResourceExhausted: too many watch.
        """
        if self.count >= self._watchers_max:
            raise ResourceExhausted("Too many watch here; try again soon.")
        watcher, told = _Watcher(wallet), after_version
        self._watchers.setdefault(wallet.wallet_id, set()).add(watcher)
        self._start()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        try:
            while loop.time() < deadline:
                watcher.bell.clear()
                if watcher.newest.standing.version > told:
                    told = watcher.newest.standing.version
                    yield watcher.newest
                    continue
                await _rung(watcher.bell, deadline)
        finally:
            self._leave(wallet.wallet_id, watcher)

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def _leave(self, wallet_id: str, watcher: _Watcher) -> None:
        watchers = self._watchers[wallet_id]
        watchers.discard(watcher)
        if not watchers:
            del self._watchers[wallet_id]

    def _start(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._keep_looking())

    async def _keep_looking(self) -> None:
        while self._watchers:
            await asyncio.sleep(self._every_s)
            try:
                await self._tell()
            except Exception as error:  # noqa: BLE001 - what cannot be read now is read next time
                logger().warning("watch_failed", error=error)

    async def _tell(self) -> None:
        # The oldest state that any watcher of a wallet knows: those who know more are not told.
        seen = {
            wallet_id: min(watcher.newest.standing.version for watcher in watchers)
            for wallet_id, watchers in self._watchers.items()
        }
        for wallet in await self._look(seen) if seen else ():
            for watcher in self._watchers.get(wallet.wallet_id, ()):
                if wallet.standing.version > watcher.newest.standing.version:
                    watcher.newest = wallet
                    watcher.bell.set()


async def _rung(bell: asyncio.Event, deadline: float) -> None:
    try:
        async with asyncio.timeout_at(deadline):
            await bell.wait()
    except TimeoutError:
        return
