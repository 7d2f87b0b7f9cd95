"""`/control`: what tests and operators do to the sandbox, and read of it, as JSON."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

from aiohttp import web

from devstack.sandbox.control_input import (
    BadControl,
    RecordQuery,
    read_advance,
    read_dispute,
    read_fault,
    read_lag,
    read_switch,
    read_webhooks,
)
from devstack.sandbox.entry import MONEY_KINDS, Entry
from devstack.sandbox.faults import Fault
from devstack.sandbox.world import Face, World

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Control:
    """The handlers of `/control`."""

    def __init__(self, world: World, faces: Sequence[Face]) -> None:
        self._world = world
        self._faces = faces

    def routes(self) -> list[web.RouteDef]:
        """Make the routes."""
        return [
            web.get("/control/record", told(self.record)),
            web.get("/control/state", told(self.state)),
            web.get("/control/faults", told(self.faults)),
            web.post("/control/faults", told(self.add_fault)),
            web.delete("/control/faults", told(self.clear_faults)),
            web.delete("/control/faults/{id}", told(self.remove_fault)),
            web.post("/control/clock", told(self.clock)),
            web.post("/control/dark", told(self.dark)),
            web.post("/control/stale", told(self.stale)),
            web.post("/control/webhooks", told(self.webhooks)),
            web.post("/control/over_refund", told(self.over_refund)),
            web.post("/control/disputes", told(self.disputes)),
        ]

    async def record(self, request: web.Request) -> web.Response:
        """Give lines of the record that are on disk, oldest first."""
        if len(request.query) != len(set(request.query)):
            raise BadControl("a parameter is given twice")
        query = RecordQuery(dict(request.query))
        self._settle()
        await self._world.record.durable()
        found = self._world.record.find(query.metadata, query.kinds, query.after, query.limit + 1)
        page = found[: query.limit]
        more = page[-1].seq if len(found) > query.limit else None
        return web.json_response({"entries": [entry.to_json() for entry in page], "next": more})

    async def state(self, _: web.Request) -> web.Response:
        """Sum up what there is."""
        self._settle()
        world = self._world
        return web.json_response(
            {
                "record": {
                    "path": str(world.record.path),
                    "lines": len(world.record.entries),
                    "money": _sums(world.record.entries),
                },
                "clock": {"now": world.clock.now(), "offset_s": world.clock.offset_s},
                "dark": world.dark,
                "stale_s": world.stale_s,
                "webhooks": {**asdict(world.webhooks), **asdict(world.webhook_counts)},
                "over_refund": world.over_refund,
                "key_lifetime_s": world.key_lifetime_s,
                "faults_struck": world.faults.struck,
                "arrived": world.arrived,
                "psps": {face.psp: face.state() for face in self._faces},
            }
        )

    async def faults(self, _: web.Request) -> web.Response:
        """List the faults in force, and how often each kind took effect since the start."""
        faults = self._world.faults
        return web.json_response(
            {"faults": [_fault_json(fault) for fault in faults], "struck": faults.struck}
        )

    async def add_fault(self, request: web.Request) -> web.Response:
        """Put a fault in force."""
        fault = read_fault(await request.read(), self._world.faults.next_number())
        for name, known in (("psp", {face.psp for face in self._faces}), ("operation", self._ops)):
            if getattr(fault, name) not in (None, *known):
                raise BadControl(f"match.{name} must be one of {', '.join(sorted(known))}")
        self._world.faults.add(fault)
        return web.json_response(_fault_json(fault))

    @property
    def _ops(self) -> set[str]:
        return {operation for face in self._faces for operation in face.operations}

    async def clear_faults(self, _: web.Request) -> web.Response:
        """Lift all faults."""
        return web.json_response({"removed": self._world.faults.clear()})

    async def remove_fault(self, request: web.Request) -> web.Response:
        """Lift one fault."""
        text = request.match_info["id"].removeprefix("flt_")
        if not text.isdigit() or not self._world.faults.remove(int(text)):
            return web.json_response({"error": "no such fault"}, status=404)
        return web.json_response({"removed": 1})

    async def clock(self, request: web.Request) -> web.Response:
        """Move the clock on; what has fallen due happens now."""
        world = self._world
        world.clock.advance(read_advance(await request.read()))
        seq, now = world.record.next_seq, world.clock.now()
        entry = Entry(seq, now, "sandbox", "clock", "", "", 0, "", {})
        world.record.append(entry, {"offset_s": world.clock.offset_s})
        self._settle()
        await world.record.durable()
        return web.json_response({"now": now, "offset_s": world.clock.offset_s})

    def _settle(self) -> None:
        """Let happen what is due: some PSPs carry out later what they took in, and say nothing."""
        for face in self._faces:
            face.settle_due()

    async def dark(self, request: web.Request) -> web.Response:
        """Let the PSPs hang up on every call, or answer again."""
        self._world.dark = read_switch(await request.read(), "dark")
        return web.json_response({"dark": self._world.dark})

    async def stale(self, request: web.Request) -> web.Response:
        """Let lists lag behind what has come about; what is read by its id never does."""
        self._world.stale_s = read_lag(await request.read())
        return web.json_response({"lag_s": self._world.stale_s})

    async def webhooks(self, request: web.Request) -> web.Response:
        """Hold webhooks back, or send them late, several times, or in disorder."""
        self._world.webhooks = read_webhooks(await request.read())
        return web.json_response(asdict(self._world.webhooks))

    async def disputes(self, request: web.Request) -> web.Response:
        """Let a charge be disputed, or a dispute go on."""
        asked = read_dispute(await request.read())
        faces = {face.psp: face for face in self._faces}
        if asked["psp"] not in faces:
            raise BadControl(f"psp must be one of {', '.join(sorted(faces))}")
        try:
            reference = faces[asked["psp"]].dispute(
                asked["reference"], asked["reason"], asked["step"]
            )
        except ValueError as error:
            raise BadControl(str(error)) from error
        await self._world.record.durable()
        return web.json_response({"dispute": reference})

    async def over_refund(self, request: web.Request) -> web.Response:
        """Let refunds above the charge through, or refuse them again."""
        self._world.over_refund = read_switch(await request.read(), "over_refund")
        return web.json_response({"over_refund": self._world.over_refund})


def told(handler: Handler) -> Handler:
    """Tell bad input as a 400 with its reason."""

    async def telling(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except BadControl as error:
            return web.json_response({"error": str(error)}, status=400)

    return telling


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {
        "id": f"flt_{fault.number}",
        "kind": fault.kind,
        "times": fault.times,
        "probability": fault.probability,
        "skip": fault.skip,
        "match": {
            "psp": fault.psp,
            "operation": fault.operation,
            "metadata": fault.metadata,
        },
        "delay_ms": fault.delay_ms,
        "retry_after_s": fault.retry_after_s,
        "hold_s": fault.hold_s,
        "off_by": fault.off_by,
        "cached": fault.cached,
        "status": fault.status,
        "seen": fault.seen,
        "struck": fault.struck,
        "spent": fault.spent,
    }


def _sums(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """Sum the amounts by currency and kind."""
    sums: dict[str, Counter[str]] = {}
    for entry in entries:
        if entry.kind in MONEY_KINDS:
            sums.setdefault(entry.currency, Counter())[entry.kind] += entry.amount
    return {currency: dict(amounts) for currency, amounts in sums.items()}
