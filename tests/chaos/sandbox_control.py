"""Trouble at the PSPs, through the sandbox's /control."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_CALM = {"hold": False, "copies": 1, "shuffle": False, "delay_ms": 0}
_TROUBLED_HOOKS = {"hold": False, "copies": 3, "shuffle": True, "delay_ms": 1500}
_EXTRA: Mapping[str, Mapping[str, Any]] = {
    "slow": {"delay_ms": 1500},
    "rate_limit": {"retry_after_s": 1},
    "charge_then_timeout": {"hold_s": 10},
}
_LOOK_EVERY_S = 0.3
_SHARE = 0.4  # of the calls that a fault strikes while it lasts


class Psps:
    """What can be done to the PSPs. The sandbox may be dead: then nothing happens, and False."""

    def __init__(self, stack: Mapping[str, Any]) -> None:
        self._url = stack["psp_sandbox"]["url"] + "/control"

    async def trouble(self, kind: str, lasting_s: float) -> int:
        """Make trouble of a kind for a while; answer how often it took effect."""
        if kind == "dark":
            return await self._dark(lasting_s)
        if kind == "webhooks":
            return await self._disturb_webhooks(lasting_s)
        fault = {"kind": kind, "probability": _SHARE, **_EXTRA.get(kind, {})}
        seen: dict[str, int] = {}
        until = asyncio.get_running_loop().time() + lasting_s
        while asyncio.get_running_loop().time() < until:
            await self._keep_up(fault, seen)
            await asyncio.sleep(_LOOK_EVERY_S)
        await self._keep_up(fault, seen)
        await self._call("DELETE", "faults")
        return sum(seen.values())

    async def _keep_up(self, fault: Mapping[str, Any], seen: dict[str, int]) -> None:
        """Note how often a fault struck; set it again when the sandbox forgot it, having died."""
        found = await self._call("GET", "faults")
        if found is None:
            return
        if not found["faults"]:
            seen[f"before {len(seen)}"] = seen.pop("now", 0)
            await self._post("faults", fault)
        seen["now"] = sum(one["struck"] for one in found["faults"])

    async def slow_down(self, lasting_s: float) -> None:
        """Have every call take longer than that, for so long."""
        slow = {"kind": "slow", "probability": 1.0, "delay_ms": round(lasting_s * 1500)}
        await self._post("faults", slow)
        await asyncio.sleep(lasting_s)
        await self._call("DELETE", "faults")

    async def _dark(self, lasting_s: float) -> int:
        """Hang up on every call; answer on how many."""
        if await self._post("dark", {"dark": True}) is None:
            return 0
        before = _arrived(await self.state())
        await asyncio.sleep(lasting_s)
        after = _arrived(await self.state())
        await self._post("dark", {"dark": False})
        return max(after - before, 0) if before is not None and after is not None else 0

    async def _disturb_webhooks(self, lasting_s: float) -> int:
        """Send webhooks late, several times and in disorder; answer how many more there were."""
        if await self._post("webhooks", _TROUBLED_HOOKS) is None:
            return 0
        before = _told(await self.state())
        await asyncio.sleep(lasting_s)
        after = _told(await self.state())
        await self._post("webhooks", _CALM)
        return max(after - before, 0) if before is not None and after is not None else 0

    async def heal(self) -> None:
        """Lift everything.

        Raises:
            RuntimeError: the sandbox does not answer.
        """
        answers = (
            await self._post("dark", {"dark": False}),
            await self._post("webhooks", _CALM),
            await self._call("DELETE", "faults"),
        )
        if None in answers:
            raise RuntimeError("the PSP sandbox does not answer")

    async def darken(self) -> None:
        """Let every call be hung up on."""
        await self._post("dark", {"dark": True})

    async def state(self) -> dict[str, Any]:
        """Read what the sandbox says of itself; empty when it does not answer."""
        return await self._call("GET", "state") or {}

    async def _post(self, path: str, content: Mapping[str, Any]) -> dict[str, Any] | None:
        return await self._call("POST", path, json=content)

    async def _call(self, verb: str, path: str, **extra: Any) -> dict[str, Any] | None:
        try:
            async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
                async with session.request(verb, f"{self._url}/{path}", **extra) as response:
                    response.raise_for_status()
                    return dict(await response.json())
        except (aiohttp.ClientError, TimeoutError, OSError):
            return None


def _arrived(state: Mapping[str, Any]) -> int | None:
    """Count the calls that came to the PSPs, by what the sandbox says of itself."""
    return sum(state["arrived"].values()) if state else None


def _told(state: Mapping[str, Any]) -> int | None:
    """Count the webhooks that were sent, or are on their way."""
    return state["webhooks"]["sent"] + state["webhooks"]["waiting"] if state else None
