"""What Stripe's face promises of the disk, and of metadata that faults look for."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from devstack.sandbox.faults import Fault
from devstack.sandbox.record import Record
from tests.unit.sandbox.stripe_face import LocalFace

INTENT: dict[str, Any] = {
    "amount": 100,
    "currency": "usd",
    "payment_method": "pm_card_visa",
    "confirm": "true",
}


class SlowDisk(Record):
    """A record whose disk waits to be let go."""

    begun = threading.Event()
    released = threading.Event()

    def _write(self, batch: bytes) -> None:
        self.begun.set()
        assert self.released.wait(20)
        os.write(self._file, batch)


async def test_no_answer_leaves_before_the_disk_has_it(tmp_path: Path) -> None:
    """A charge, and a look at it by others, wait for the record; a duplicate gets 409 meanwhile."""
    local = LocalFace(tmp_path / "unused")
    await local.close()
    local.world.record = SlowDisk(tmp_path / "record")
    list(local.world.record.open())

    charging = asyncio.create_task(local.call("create", key="k", **INTENT))
    assert await asyncio.to_thread(SlowDisk.begun.wait, 20)
    looking = asyncio.create_task(local.call("list"))
    duplicate = asyncio.create_task(local.call("create", key="k", **INTENT))
    for _ in range(100):
        await asyncio.sleep(0)
    early = [task.done() for task in (charging, looking)]
    SlowDisk.released.set()
    answers = await asyncio.gather(charging, looking, duplicate)

    assert early == [False, False]
    assert [status for status, _ in answers] == [200, 200, 409]
    assert answers[1][1]["data"] == [answers[0][1]]
    await local.world.record.close()


async def test_faults_find_a_payment_by_its_metadata(tmp_path: Path) -> None:
    """A fault aimed at metadata strikes the confirm and the refund of that payment only."""
    local = LocalFace(tmp_path / "record")
    intents = [
        (await local.call("create", **{**INTENT, "metadata__payment_id": name}))[1]["id"]
        for name in ("pay_1", "pay_2")
    ]
    aimed = Fault(1, "error_before", operation="refund", metadata={"payment_id": "pay_2"})
    local.world.faults.add(aimed)

    statuses = [(await local.call("refund", payment_intent=intent))[0] for intent in intents]

    assert statuses == [200, 500]
    await local.close()


async def test_a_refused_execution_is_kept_under_its_key(tmp_path: Path) -> None:
    """What was refused while executing is refused again in the same words, also after a restart."""
    local = LocalFace(tmp_path / "record")
    _, intent = await local.call("create", **INTENT)
    first = await local.call("cancel", intent["id"], key="k")
    await local.call("refund", payment_intent=intent["id"])
    local = await local.reopened()
    again = await local.call("cancel", intent["id"], key="k")

    assert first[0] == 400
    assert again == first
    await local.close()


async def test_an_injected_error_is_kept_over_a_restart(tmp_path: Path) -> None:
    """A 500 after the charge is still replayed after a restart, and the charge is still there."""
    local = LocalFace(tmp_path / "record")
    local.world.faults.add(Fault(1, "error_after"))
    first, _ = await local.call("create", key="k", **INTENT)
    local = await local.reopened()
    again, _ = await local.call("create", key="k", **INTENT)
    _, page = await local.call("list")

    assert (first, again) == (500, 500)
    assert [intent["status"] for intent in page["data"]] == ["succeeded"]
    await local.close()
