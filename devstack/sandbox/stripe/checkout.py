"""Stripe's hosted page, for a browser: a person chooses a test card and pays. There is no field for
a card's number.
"""

from collections.abc import Awaitable, Callable
from html import escape

from aiohttp import web

from devstack.sandbox.delivery import Ending, Reply, deliver
from devstack.sandbox.stripe.bodies import challenge_url
from devstack.sandbox.stripe.currencies import shown
from devstack.sandbox.stripe.errors import StripeError
from devstack.sandbox.stripe.face import StripeFace
from devstack.sandbox.stripe.objects import Intent, Session
from devstack.sandbox.stripe.pages import document
from devstack.sandbox.world import World

_PATH = "/stripe/checkout/{id}"
_CARDS = {
    "pm_card_visa": "Visa •••• 4242, pays",
    "pm_card_mastercard": "Mastercard •••• 4444, pays",
    "pm_card_threeDSecure2Required": "Visa •••• 3220, asks for 3-D Secure",
    "pm_card_visa_chargeDeclined": "Visa •••• 0002, is declined",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "Visa •••• 9995, has not enough money",
}
_FORM = """<p>{name}<br><strong>{amount}</strong></p>
{notice}
<form method="post">
<p><label>Card <select name="card">
{cards}
</select></label></p>
<p><button name="result" value="pay">Pay</button>
<button name="result" value="cancel">Back to the shop</button></p>
</form>
<p><small>Test mode: no real card, no real money.</small></p>"""
_NOTICE = '<p role="alert">{text}</p>'
_TITLE = "Checkout test page"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def checkout_routes(face: StripeFace, world: World) -> list[web.RouteDef]:
    """Make the routes of the page."""
    return [
        web.get(_PATH, _lit(world, _show(face))),
        web.post(_PATH, _lit(world, _submit(face, world))),
    ]


def _lit(world: World, handler: Handler) -> Handler:
    async def lit(request: web.Request) -> web.StreamResponse:
        if world.dark:
            return await deliver(request, Reply(ending=Ending.HANG_UP), world)
        try:
            return await handler(request)
        except StripeError as error:
            return _page(f"<p>{escape(str(error))}</p>", error.status)

    return lit


def _show(face: StripeFace) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        session = face.session(request.match_info["id"])
        if session.status == "complete":
            return _to(session.success_url, session)
        if session.status == "expired":
            return _page("<p>This page has expired.</p>", 410)
        intent = face.intent(session.payment_intent) if session.payment_intent else None
        return _page(_form(session, _failure_of(intent)))

    return handler


def _submit(face: StripeFace, world: World) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        given = await request.post()
        session = face.session(request.match_info["id"])
        if given.get("result") == "cancel":
            if session.cancel_url is None:
                return _page(_form(session, ""))
            return _to(session.cancel_url, session)
        card = given.get("card")
        if given.get("result") != "pay" or not isinstance(card, str) or not card:
            return _page(_form(session, "Choose a card."), 400)
        intent = await face.pay(session.id, card)
        if intent.status == "requires_action":
            raise web.HTTPSeeOther(challenge_url(intent, world.base_url))
        raise web.HTTPSeeOther(request.path)  # the page tells what came of it

    return handler


def _failure_of(intent: Intent | None) -> str:
    error = intent.last_payment_error if intent is not None else None
    return str(error["message"]) if error else ""


def _form(session: Session, failure: str) -> str:
    options = (f'<option value="{card}">{escape(label)}</option>' for card, label in _CARDS.items())
    return _FORM.format(
        name=escape(session.name),
        amount=escape(shown(session.amount, session.currency)),
        notice=_NOTICE.format(text=escape(failure)) if failure else "",
        cards="\n".join(options),
    )


def _to(url: str, session: Session) -> web.Response:
    """Send the browser to the shop, with the session's id where the shop wants it."""
    location = url.replace("{CHECKOUT_SESSION_ID}", session.id)
    return web.Response(status=303, headers={"Location": location})


def _page(content: str, status: int = 200) -> web.Response:
    html = document(_TITLE, content)
    return web.Response(text=html, status=status, content_type="text/html")
