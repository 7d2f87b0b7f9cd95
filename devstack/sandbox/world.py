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
        lose: the chance of each that it is never sent.
    """

    hold: bool = False
    copies: int = 1
    shuffle: bool = False
    delay_ms: int = 0
    lose: float = 0.0


@dataclass(slots=True)
class WebhookCounts:
    """What became of webhooks since the start.

    Args:
        waiting: those on their way, or held back, now.
        sent, lost: those that were answered 2xx, and those that were never sent.
    """

    waiting: int = 0
    sent: int = 0
    lost: int = 0


@dataclass(slots=True)
class World:
    """The sandbox behind its faces.

    Args:
        dark: whether the PSPs hang up on every call, before any effect, and tell nothing.
        stale_s: how long after it came about an object is not in the lists yet, by its clock.
        over_refund: whether refunds above the charge are let through.
        key_lifetime_s: how long an idempotency key is remembered, by the sandbox's clock.
        webhooks: how they go out.
        arrived: how many requests came to each PSP, answered or hung up on.
        base_url: where the sandbox is reached; known once it listens.
    """

    record: Record
    faults: FaultBook
    clock: SandboxClock = field(default_factory=SandboxClock)
    key_lifetime_s: float = 86_400.0
    dark: bool = False
    stale_s: float = 0.0
    over_refund: bool = False
    arrived: Counter[str] = field(default_factory=Counter)
    base_url: str = ""
    webhooks: WebhookSwitches = field(default_factory=WebhookSwitches)
    webhook_counts: WebhookCounts = field(default_factory=WebhookCounts)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def pause(self, seconds: float) -> None:
        """Let real time pass; less when the sandbox stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
