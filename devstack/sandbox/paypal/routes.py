"""PayPal's URLs, its access tokens and its buyer's page."""

import json

from aiohttp import web

from devstack.sandbox.delivery import deliver
from devstack.sandbox.jsonwire.messages import Call
from devstack.sandbox.jsonwire.page import page, way_back
from devstack.sandbox.jsonwire.routes import api_routes, lit
from devstack.sandbox.paypal.credentials import access_token, is_client
from devstack.sandbox.paypal.face import PayPalFace, new_id

_ORDERS = "/paypal/v2/checkout/orders"
_HOLD = "/paypal/v2/payments/authorizations/{id}"
_CAPTURE = "/paypal/v2/payments/captures/{id}"
_PAYOUTS = "/paypal/v1/payments/payouts"
_DISPUTE = "/paypal/v1/customer/disputes/{id}"
_API = (
    ("POST", _ORDERS, "create"),
    ("GET", f"{_ORDERS}/{{id}}", "retrieve"),
    ("POST", f"{_ORDERS}/{{id}}/capture", "confirm"),
    ("POST", f"{_ORDERS}/{{id}}/authorize", "confirm_hold"),
    ("GET", _HOLD, "retrieve_hold"),
    ("POST", f"{_HOLD}/capture", "capture"),
    ("POST", f"{_HOLD}/void", "void"),
    ("POST", f"{_HOLD}/reauthorize", "reauthorize"),
    ("GET", _CAPTURE, "retrieve_capture"),
    ("POST", f"{_CAPTURE}/refund", "refund"),
    ("GET", "/paypal/v2/payments/refunds/{id}", "retrieve_refund"),
    ("GET", _DISPUTE, "retrieve_dispute"),
    ("POST", f"{_DISPUTE}/accept-claim", "accept_claim"),
    ("POST", _PAYOUTS, "payout"),
    ("GET", f"{_PAYOUTS}/{{id}}", "retrieve_payout"),
    ("GET", f"{_PAYOUTS}-item/{{id}}", "retrieve_payout_item"),
)
_TITLE = "PayPal test page"
_RESULTS = {"approve": "Approve", "cancel": "Cancel"}


def routes(face: PayPalFace) -> list[web.RouteDef]:
    """Make the routes below /paypal."""

    async def token(request: web.Request) -> web.Response:
        if not is_client(request.headers.get("Authorization", "")):
            body = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return web.json_response(body, status=401)
        if (await request.post()).get("grant_type") != "client_credentials":
            return web.json_response({"error": "unsupported_grant_type"}, status=400)
        return web.json_response(access_token(face.world.clock.now()))

    async def show_order(request: web.Request) -> web.Response:
        order = face.approvable(request.match_info["id"])
        if order is None:
            return page(_TITLE, "Nothing to approve.", status=409)
        return page(_TITLE, f"Order {order.id}", _RESULTS)

    async def end_order(request: web.Request) -> web.Response:
        result = (await request.post()).get("result")
        order = face.approvable(request.match_info["id"])
        if result not in _RESULTS:
            return page(_TITLE, "result must be approve or cancel.", status=400)
        if order is None:
            return page(_TITLE, "Nothing to approve.", status=409)
        if result == "approve":
            await face.approve(order)
            query, url = {"token": order.id, "PayerID": new_id()[:13]}, order.return_url
        else:
            query, url = {"token": order.id}, order.cancel_url
        return way_back(url, query) if url else page(_TITLE, "Done.")

    async def provide_evidence(request: web.Request) -> web.StreamResponse:
        form = await request.post()
        files = [part for part in form.values() if isinstance(part, web.FileField)]
        try:
            written = form.get("input", "{}")
            given = json.loads(written) if isinstance(written, str | bytes | bytearray) else None
        except ValueError:
            given = None
        told = {**given, "files": [file.filename for file in files]} if given else given
        call = Call(
            operation="provide_evidence",
            target=request.match_info["id"],
            body=json.dumps(told).encode(),
            credentials=request.headers.get("Authorization", ""),
            key=request.headers.get("PayPal-Request-Id") or None,
        )
        return await deliver(request, await face.handle(call), face.world)

    return [
        web.post("/paypal/v1/oauth2/token", lit(face, token)),
        web.post(f"{_DISPUTE}/provide-evidence", provide_evidence),
        *api_routes(face, _API, "Authorization", "PayPal-Request-Id"),
        web.get("/paypal/approve/{id}", lit(face, show_order)),
        web.post("/paypal/approve/{id}", lit(face, end_order)),
    ]
