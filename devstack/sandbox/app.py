"""Puts the sandbox together and runs it on loopback until it is told to stop."""

import asyncio
import json
import random
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from devstack.sandbox.adyen.face import AdyenFace
from devstack.sandbox.adyen.routes import routes as adyen_routes
from devstack.sandbox.control import Control
from devstack.sandbox.faults import FaultBook
from devstack.sandbox.paypal.face import PayPalFace
from devstack.sandbox.paypal.identity import certificate_routes, read_identity
from devstack.sandbox.paypal.routes import routes as paypal_routes
from devstack.sandbox.record import Record
from devstack.sandbox.settlement.files import BANK
from devstack.sandbox.settlement.routes import Settlement
from devstack.sandbox.stripe.face import StripeFace
from devstack.sandbox.stripe.routes import routes as stripe_routes
from devstack.sandbox.webhooks import Postman, Sign, adyen_sign, paypal_sign, stripe_sign
from devstack.sandbox.world import Face, World

FACES = web.AppKey("faces", Mapping[str, Face])
# Its faults and switches are for whoever reaches it: never beyond this machine.
_HOST = "127.0.0.1"
_BACKLOG = 1_024
_STOP_S = 2.0
# An evidence file has at most 5 MiB.
_BODY_MAX = 6 << 20


@dataclass(frozen=True, slots=True)
class Options:
    """How to run.

    Args:
        port: of TCP; 0 for a free one.
        record: the record's file; made when it is not there.
        seed: makes the faults' draws.
        key_lifetime_s: how long an idempotency key is remembered, by the sandbox's clock.
        webhook_url: where webhooks go, the PSP's name at the end of it; empty for nowhere.
        stripe_secret, adyen_key: what they are signed with; empty: none are sent.
        paypal_identity: the folder of what PayPal's are signed with; None: none are sent.
        paypal_webhook_id: the receiver's endpoint, as PayPal knows it.
    """

    port: int
    record: Path
    seed: int = 1
    key_lifetime_s: float = 86_400.0
    webhook_url: str = ""
    stripe_secret: str = ""
    adyen_key: str = ""
    paypal_identity: Path | None = None
    paypal_webhook_id: str = ""


def build(options: Options) -> tuple[web.Application, World, Postman]:
    """Find the state again from the record and make the web application.

    Raises:
        BrokenRecord: the record cannot be read.
        OSError: nor can its file.
    """
    record = Record(options.record)
    world = World(record, FaultBook(options.seed), key_lifetime_s=options.key_lifetime_s)
    stripe = StripeFace(world)
    adyen = AdyenFace(world)
    paypal = PayPalFace(world)
    faces: Mapping[str, Face] = {face.psp: face for face in (stripe, adyen, paypal)}
    settlement = Settlement(world, list(faces.values()))
    for entry, detail in record.open():
        if entry.kind == "clock":
            world.clock.offset_s = detail["offset_s"]
        elif entry.psp == "sandbox":
            settlement.restore(entry.kind, detail)
        elif entry.psp != BANK:
            faces[entry.psp].restore(entry, detail)
    app = web.Application(client_max_size=_BODY_MAX, middlewares=[_counting(world, faces)])
    app[FACES] = faces
    app.add_routes(Control(world, list(faces.values())).routes())
    app.add_routes(settlement.routes())
    app.add_routes(stripe_routes(stripe, world))
    app.add_routes(adyen_routes(adyen))
    app.add_routes(paypal_routes(paypal))
    signs = dict(_signs(options))
    if options.paypal_identity is not None:
        identity = read_identity(options.paypal_identity)
        app.add_routes(certificate_routes(identity))
        if options.webhook_url:
            signs["paypal"] = paypal_sign(identity, options.paypal_webhook_id, world)
    chance = random.Random(f"{options.seed}:webhooks")  # noqa: S311
    postman = Postman(world, [stripe, adyen, paypal], options.webhook_url, signs, chance)
    stripe.tells = "stripe" in postman.signs
    return app, world, postman


def _counting(world: World, faces: Mapping[str, Face]) -> Middleware:
    """Count what comes to each PSP, before anything is done about it."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        psp = request.path.split("/")[1]
        if psp in faces:
            world.arrived[psp] += 1
        return await handler(request)

    return count


def _signs(options: Options) -> Mapping[str, Sign]:
    if not options.webhook_url:
        return {}
    signs: dict[str, Sign] = {}
    if options.stripe_secret:
        signs["stripe"] = stripe_sign(options.stripe_secret)
    if options.adyen_key:
        signs["adyen"] = adyen_sign(options.adyen_key)
    return signs


async def run(options: Options) -> None:
    """Serve until SIGTERM or SIGINT; say on standard output, in one JSON line, when it is ready.

    Raises:
        BrokenRecord: the record cannot be read.
        OSError: the record or the port cannot be had.
    """
    app, world, postman = build(options)
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, world.stopping.set)
    async with serving(app, world, postman, options.port):
        print(json.dumps({"ready": True, "url": world.base_url}), flush=True)
        await world.stopping.wait()


@asynccontextmanager
async def serving(
    app: web.Application, world: World, postman: Postman, port: int = 0
) -> AsyncIterator[None]:
    """Serve what `build` has made until the end of the block; the world knows its URL then.

    Raises:
        OSError: the port cannot be had.
    """
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, port, backlog=_BACKLOG).start()
        world.base_url = f"http://{_HOST}:{runner.addresses[0][1]}"
        sending = asyncio.create_task(postman.run())
        try:
            yield
        finally:
            world.stopping.set()
            await sending
    finally:
        await runner.cleanup()
        await world.record.close()
