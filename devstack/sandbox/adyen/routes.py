"""Adyen's URLs and its buyer's pages."""

from aiohttp import web

from devstack.sandbox.adyen.face import AdyenFace
from devstack.sandbox.adyen.payments import redirect_result
from devstack.sandbox.jsonwire.page import page, way_back
from devstack.sandbox.jsonwire.routes import api_routes, lit

_V71 = "/adyen/v71"
_PAYMENT = f"{_V71}/payments/{{id}}"
_DISPUTES = "/adyen/ca/services/DisputeService/v30"
_API = (
    ("POST", f"{_V71}/payments", "confirm"),
    ("POST", f"{_V71}/payments/details", "complete"),
    ("POST", f"{_PAYMENT}/captures", "capture"),
    ("POST", f"{_PAYMENT}/cancels", "void"),
    ("POST", f"{_PAYMENT}/refunds", "refund"),
    ("POST", f"{_PAYMENT}/reversals", "reverse"),
    ("POST", f"{_V71}/cancels", "cancel_by_reference"),
    ("POST", f"{_V71}/paymentLinks", "create"),
    ("GET", f"{_V71}/paymentLinks/{{id}}", "retrieve_link"),
    ("PATCH", f"{_V71}/paymentLinks/{{id}}", "update_link"),
    ("POST", "/adyen/v4/transfers", "payout"),
    ("GET", "/adyen/v4/transfers", "list_payouts"),
    ("GET", "/adyen/v4/transfers/{id}", "retrieve_payout"),
    ("POST", f"{_DISPUTES}/retrieveApplicableDefenseReasons", "defence_reasons"),
    ("POST", f"{_DISPUTES}/supplyDefenseDocument", "supply_document"),
    ("POST", f"{_DISPUTES}/defendDispute", "submit_evidence"),
    ("POST", f"{_DISPUTES}/acceptDispute", "accept_dispute"),
)
_TITLE = "Adyen test page"
_CHALLENGE = {"complete": "Complete authentication", "fail": "Fail authentication"}


def routes(face: AdyenFace) -> list[web.RouteDef]:
    """Make the routes below /adyen."""

    async def show_challenge(request: web.Request) -> web.Response:
        payment = face.challenged(request.match_info["id"])
        if payment is None:
            return page(_TITLE, "Nothing to authenticate.", status=409)
        text = f"{payment.amount} {payment.currency} (minor units), payment {payment.id}"
        return page(_TITLE, text, _CHALLENGE)

    async def end_challenge(request: web.Request) -> web.Response:
        result = (await request.post()).get("result")
        payment = face.challenged(request.match_info["id"])
        if result not in _CHALLENGE:
            return page(_TITLE, "result must be complete or fail.", status=400)
        if payment is None:
            return page(_TITLE, "Nothing to authenticate.", status=409)
        await face.authenticate(payment, passed=result == "complete")
        return way_back(payment.return_url, {"redirectResult": redirect_result(payment)})

    async def show_link(request: web.Request) -> web.Response:
        link = face.payable(request.match_info["id"])
        if link is None:
            return page(_TITLE, "This link cannot be paid.", status=409)
        return page(_TITLE, f"Order {link.name}", {"pay": "Pay"})

    async def pay_link(request: web.Request) -> web.Response:
        link = face.payable(request.match_info["id"])
        if link is None:
            return page(_TITLE, "This link cannot be paid.", status=409)
        await face.pay_link(link)
        back = link.given.get("returnUrl")
        return way_back(back, {}) if isinstance(back, str) and back else page(_TITLE, "Paid.")

    return [
        *api_routes(face, _API, "X-API-Key", "idempotency-key"),
        web.get("/adyen/3ds/{id}", lit(face, show_challenge)),
        web.post("/adyen/3ds/{id}", lit(face, end_challenge)),
        web.get("/adyen/pay/{id}", lit(face, show_link)),
        web.post("/adyen/pay/{id}", lit(face, pay_link)),
    ]
