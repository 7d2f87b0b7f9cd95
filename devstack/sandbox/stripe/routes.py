"""Stripe's URLs: HTTP in, HTTP out, nothing decided here."""

import hashlib
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from aiohttp import web

from devstack.sandbox.delivery import Ending, Reply, deliver
from devstack.sandbox.stripe import pages
from devstack.sandbox.stripe.bodies import encode
from devstack.sandbox.stripe.calls import Call
from devstack.sandbox.stripe.changes import Answer
from devstack.sandbox.stripe.checkout import checkout_routes
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.face import StripeFace
from devstack.sandbox.world import World

Handler = Callable[[web.Request], Awaitable[web.Response]]

_INTENTS = "/stripe/v1/payment_intents"
_REFUNDS = "/stripe/v1/refunds"
_CHARGES = "/stripe/v1/charges"
_SESSIONS = "/stripe/v1/checkout/sessions"
_DISPUTES = "/stripe/v1/disputes"
_TRANSFERS = "/stripe/v1/transfers"
_FILES = "/stripe/v1/files"
_API = (
    ("POST", _SESSIONS, "create_session"),
    ("GET", f"{_SESSIONS}/{{id}}", "retrieve_session"),
    ("POST", f"{_SESSIONS}/{{id}}/expire", "expire_session"),
    ("POST", _INTENTS, "create"),
    ("GET", _INTENTS, "list"),
    ("GET", f"{_INTENTS}/{{id}}", "retrieve"),
    ("POST", f"{_INTENTS}/{{id}}/confirm", "confirm"),
    ("POST", f"{_INTENTS}/{{id}}/capture", "capture"),
    ("POST", f"{_INTENTS}/{{id}}/cancel", "cancel"),
    ("POST", _REFUNDS, "refund"),
    ("GET", _REFUNDS, "list_refunds"),
    ("GET", f"{_REFUNDS}/{{id}}", "retrieve_refund"),
    ("GET", _CHARGES, "list_charges"),
    ("GET", f"{_CHARGES}/{{id}}", "retrieve_charge"),
    ("POST", _TRANSFERS, "payout"),
    ("GET", _TRANSFERS, "list_payouts"),
    ("GET", f"{_TRANSFERS}/{{id}}", "retrieve_payout"),
    ("GET", f"{_DISPUTES}/{{id}}", "retrieve_dispute"),
    ("POST", f"{_DISPUTES}/{{id}}", "update_dispute"),
    ("POST", f"{_DISPUTES}/{{id}}/close", "close_dispute"),
)


def routes(face: StripeFace, world: World) -> list[web.RouteDef]:
    """Make the routes below /stripe."""
    api = [
        web.route(method, path, _api(face, world, operation)) for method, path, operation in _API
    ]
    return [
        *api,
        *checkout_routes(face, world),
        web.post(_FILES, _upload(face, world)),
        web.get("/stripe/3ds/{id}", _challenge(face, world)),
        web.post("/stripe/3ds/{id}", _authentication(face, world)),
        web.route("*", "/stripe/{rest:.*}", _unknown(world)),
    ]


def _api(face: StripeFace, world: World, operation: str) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        reads = request.method == "GET"
        call = Call(
            operation=operation,
            target=request.match_info.get("id", ""),
            form=request.rel_url.raw_query_string.encode() if reads else await request.read(),
            content_type="" if reads else request.content_type,
            authorization=request.headers.get("Authorization"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return await deliver(request, await face.handle(call), world)

    return handler


def _upload(face: StripeFace, world: World) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        form = await request.post()
        file = form.get("file")
        content = file.file.read() if isinstance(file, web.FileField) else b""
        described = {
            "purpose": str(form.get("purpose", "")),
            "name": file.filename if isinstance(file, web.FileField) else "",
            "size": len(content),
            "digest": hashlib.sha256(content).hexdigest(),
        }
        call = Call(
            operation="upload",
            form=urlencode(described).encode(),
            authorization=request.headers.get("Authorization"),
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return await deliver(request, await face.handle(call), world)

    return handler


def _challenge(face: StripeFace, world: World) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if world.dark:
            return await deliver(request, Reply(ending=Ending.HANG_UP), world)
        try:
            intent = face.intent(request.match_info["id"])
        except StripeError as error:
            return _page(pages.notice(str(error)), error.status)
        if intent.status != "requires_action":
            return _page(pages.notice(f"Nothing to authenticate: {intent.status}."), 409)
        return _page(pages.challenge(intent))

    return handler


def _authentication(face: StripeFace, world: World) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if world.dark:
            return await deliver(request, Reply(ending=Ending.HANG_UP), world)
        result = (await request.post()).get("result")
        if result not in ("complete", "fail"):
            return _page(pages.notice("result must be complete or fail."), 400)
        try:
            reference = request.match_info["id"]
            intent = await face.authenticate(reference, passed=result == "complete")
        except StripeError as error:
            return _page(pages.notice(str(error)), 409 if error.status == 400 else error.status)
        location = pages.way_back(intent)
        if location is not None:
            return web.Response(status=303, headers={"Location": location})
        return _page(pages.notice(f"Done: {intent.status}."))

    return handler


def _unknown(world: World) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if world.dark:
            return await deliver(request, Reply(ending=Ending.HANG_UP), world)
        path = request.path.removeprefix("/stripe")
        error = StripeError(
            404,
            "invalid_request_error",
            f"Unrecognized request URL ({request.method}: {path}). The sandbox does not have it.",
        )
        body = encode(Answer.refusing(error), world.base_url)
        return await deliver(request, Reply(404, body), world)

    return handler


def _page(html: str, status: int = 200) -> web.Response:
    return web.Response(text=html, status=status, content_type="text/html")
