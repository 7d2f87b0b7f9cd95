"""What the faces of all PSPs share: the clock, the record, the faults and the switches."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from devstack.sandbox.clock import SandboxClock
from devstack.sandbox.entry import Entry
from devstack.sandbox.faults import FaultBook
from devstack.sandbox.record import Record


class Face(Protocol):
    """One PSP as callers see it.

    `operations` names its calls, for the faults that are meant for one of them.
    """

    psp: str
    operations: frozenset[str]

    def restore(self, entry: Entry, detail: Mapping[str, Any]) -> None:
        """Take up a line of the record, in the record's order."""

    def settle_due(self) -> None:
        """Bring about what has fallen due by the sandbox's clock."""

    def state(self) -> Mapping[str, Any]:
        """Count what there is, for `/control/state`."""

    def dispute(self, reference: str, reason: str, step: str) -> str:
        """Let a charge be disputed, or a dispute go on by a step of the PSP's own; tell its id.

        Raises:
            ValueError: it cannot.
        """


@dataclass(slots=True)
class WebhookSwitches:
    """How webhooks go out.

    Args:
        hold: they wait until it is lifted.
        copies: how often each is sent.
        shuffle: whether those of a moment go in disorder.
        delay_ms: how late each is.
    """

    hold: bool = False
    copies: int = 1
    shuffle: bool = False
    delay_ms: int = 0


@dataclass(slots=True)
class World:
    """The sandbox behind its faces.

    Args:
        dark: whether the PSPs hang up on every call, before any effect.
        over_refund: whether refunds above the charge are let through.
        key_lifetime_s: how long an idempotency key is remembered, by the sandbox's clock.
        webhooks: how they go out.
        calls: how many there were, by `psp.operation`, those that were hung up on included.
        base_url: where the sandbox is reached; known once it listens.
    """

    record: Record
    faults: FaultBook
    clock: SandboxClock = field(default_factory=SandboxClock)
    key_lifetime_s: float = 86_400.0
    dark: bool = False
    over_refund: bool = False
    base_url: str = ""
    calls: Counter[str] = field(default_factory=Counter)
    webhooks: WebhookSwitches = field(default_factory=WebhookSwitches)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, seconds: float) -> None:
        """Let real time pass; less when the sandbox stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
