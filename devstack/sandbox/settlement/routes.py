"""`/control/settlement`: files to take, mismatches to plant, transfers to the bank account."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from aiohttp import web

from devstack.sandbox.control import told
from devstack.sandbox.control_input import BadControl
from devstack.sandbox.entry import Entry
from devstack.sandbox.settlement.asked import read_date, read_plan, read_transfer
from devstack.sandbox.settlement.book import Book, GivenAlready
from devstack.sandbox.settlement.files import WRITERS, Files
from devstack.sandbox.settlement.mismatch import Plan, Planted
from devstack.sandbox.settlement.movements import Movements
from devstack.sandbox.settlement.paypal_stl import BOM
from devstack.sandbox.settlement.schedule import PSPS, SCHEDULES
from devstack.sandbox.world import Face, World

_PATH = "/control/settlement"


class Settlement:
    """The handlers, and what of them is kept in the record: plans, and which files are out."""

    def __init__(self, world: World, faces: Sequence[Face]) -> None:
        self._world = world
        self._faces = faces
        self._book = Book(Movements(world.record.entries))
        self._files = Files(self._book)
        self._noted: dict[str, date] = {}
        # Large files are made in a thread, one at a time.
        self._turn = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Make the routes."""
        return [
            web.get(_PATH, told(self.listing)),
            web.get(f"{_PATH}/mismatches", told(self.mismatches)),
            web.post(f"{_PATH}/mismatches", told(self.plant)),
            web.post(f"{_PATH}/transfers", told(self.transfer)),
            web.get(f"{_PATH}/{{psp}}/{{date}}", told(self.file)),
        ]

    def restore(self, kind: str, detail: Mapping[str, Any]) -> None:
        """Take up a line of the record, in the record's order."""
        if kind == "mismatch":
            self._book.plant(Plan(**{**detail, "day": date.fromisoformat(detail["day"])}))
        elif kind == "files_given":
            self._noted[detail["psp"]] = day = date.fromisoformat(detail["day"])
            self._book.give(detail["psp"], day)

    async def listing(self, _: web.Request) -> web.Response:
        """List all files there are; from now on none of them changes."""
        async with self._turn:
            now = self._now()
            found = await asyncio.to_thread(lambda: list(self._files.listed(now)))
            await self._note()
        files = [
            {
                "psp": writer,
                "date": day.isoformat(),
                "name": seal.name,
                "bytes": seal.size,
                "sha256": seal.sha256,
                "url": f"{_PATH}/{writer}/{day}",
            }
            for writer, day, seal in found
        ]
        return web.json_response({"files": files})

    async def file(self, request: web.Request) -> web.Response:
        """Give a file; from now on it does not change."""
        writer, day = request.match_info["psp"], read_date(request.match_info["date"])
        has_mark = request.query.get("bom", "false")
        if has_mark not in ("true", "false") or (has_mark == "true" and writer != "paypal"):
            raise BadControl("bom must be true or false, and true is PayPal's")
        if writer not in WRITERS:
            raise BadControl(f"files are of {', '.join(WRITERS)}")
        async with self._turn:
            found = await asyncio.to_thread(self._files.find, writer, day, self._now())
            await self._note()
        if found is None:
            return web.json_response({"error": "no such file, or its day is not over"}, status=404)
        return web.Response(
            body=(BOM if has_mark == "true" else b"") + found.content,
            content_type=found.content_type,
            charset="utf-8",
            headers={"Content-Disposition": f'attachment; filename="{found.name}"'},
        )

    async def plant(self, request: web.Request) -> web.Response:
        """Plant mismatches in a file that has not been given."""
        body = await request.read()
        async with self._turn:
            plan = read_plan(body, len(self._book.plans) + 1)
            try:
                self._book.plant(plan)
            except GivenAlready as error:
                return web.json_response({"error": str(error)}, status=409)
            detail = {
                "number": plan.number,
                "seed": plan.seed,
                "psp": plan.psp,
                "day": plan.day.isoformat(),
                "kind": plan.kind,
                "count": plan.count,
            }
            await self._append("mismatch", detail)
            planted = await asyncio.to_thread(self._planted, self._now())
        return web.json_response(self._plan_json(plan, planted))

    async def mismatches(self, _: web.Request) -> web.Response:
        """Tell the truth about what was planted, in the files of days that are over."""
        async with self._turn:
            planted = await asyncio.to_thread(self._planted, self._now())
        plans = [self._plan_json(plan, planted) for plan in self._book.plans]
        return web.json_response({"mismatches": plans})

    async def transfer(self, request: web.Request) -> web.Response:
        """Let money come to the bank account, leave it, or come back."""
        given = read_transfer(await request.read())
        record, now = self._world.record, self._world.clock.now()
        entry = Entry(
            seq=record.next_seq,
            at=now,
            psp="bank",
            kind=given.kind,
            reference=given.end_to_end_id,
            payment_reference=given.end_to_end_id,
            amount=given.amount,
            currency=given.currency,
            metadata=given.texts,
        )
        record.append(entry, {})
        await record.durable()
        return web.json_response(entry.to_json())

    def _now(self) -> float:
        """Let happen what is due, then tell the time."""
        for face in self._faces:
            face.settle_due()
        return self._world.clock.now()

    def _planted(self, now: float) -> list[Planted]:
        return [each for psp in PSPS for day in self._book.days(psp, now) for each in day.planted]

    def _plan_json(self, plan: Plan, planted: Sequence[Planted]) -> dict[str, object]:
        is_over = SCHEDULES[plan.psp].is_closed(plan.day, self._world.clock.now())
        return {
            "id": f"mis_{plan.number}",
            "seed": plan.seed,
            "psp": plan.psp,
            "date": plan.day.isoformat(),
            "kind": plan.kind,
            "count": plan.count,
            "is_over": is_over,
            "planted": [each.to_json() for each in planted if each.plan == plan],
        }

    async def _note(self) -> None:
        """Note in the record which files are out, so that a restart does not change them."""
        for psp, day in self._book.given_through.items():
            if self._noted.get(psp) != day:
                self._noted[psp] = day
                await self._append("files_given", {"psp": psp, "day": day.isoformat()})
        await self._world.record.durable()

    async def _append(self, kind: str, detail: Mapping[str, Any]) -> None:
        record = self._world.record
        entry = Entry(record.next_seq, self._world.clock.now(), "sandbox", kind, "", "", 0, "", {})
        record.append(entry, detail)
        await record.durable()
