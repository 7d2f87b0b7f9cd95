"""A Stripe face in this process, on a clock that stands still, with helpers to call it."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from devstack.sandbox.clock import SandboxClock
from devstack.sandbox.faults import FaultBook
from devstack.sandbox.record import Record
from devstack.sandbox.stripe.calls import Call
from devstack.sandbox.stripe.face import StripeFace
from devstack.sandbox.world import World

START = 1_800_000_000.0


class UnsyncedRecord(Record):
    """A record that trusts the operating system: enough where no machine loses its power."""

    def _write(self, batch: bytes) -> None:
        os.write(self._file, batch)


class LocalFace:
    """A face on a record file, which `reopened` finds again as a restart would."""

    def __init__(self, path: Path) -> None:
        self.record = UnsyncedRecord(path)
        self.world = World(self.record, FaultBook(1), SandboxClock(lambda: START))
        self.face = StripeFace(self.world)
        for entry, detail in self.record.open():
            self.face.restore(entry, detail)

    async def call(
        self, operation: str, target: str = "", key: str | None = None, **parameters: object
    ) -> tuple[int, Any]:
        """Make a call; give status and JSON body."""
        pairs = {name.replace("__", "[") + "]" * name.count("__"): value
                 for name, value in parameters.items()}  # fmt: skip
        call = Call(
            operation=operation,
            target=target,
            form=urlencode(pairs).encode(),
            authorization="Bearer sk_test_1",
            idempotency_key=key,
        )
        reply = await self.face.handle(call)
        return reply.status, json.loads(reply.body)

    async def close(self) -> None:
        """Bring the record to disk and close it."""
        await self.record.close()

    async def reopened(self) -> "LocalFace":
        """Restart on the same record."""
        await self.close()
        return LocalFace(self.record.path)
