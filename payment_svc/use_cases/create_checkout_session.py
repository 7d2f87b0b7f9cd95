"""CreateCheckoutSession: accept a payment that its buyer makes on a page of the PSP's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from chassis.clock import Clock
from chassis.errors import InvalidRequest
from payment_svc.domain.backlog import OPEN, Admission
from payment_svc.domain.checkout_page import LIFE_MAX, LIFE_MIN, LIFE_USUAL, CheckoutPage
from payment_svc.domain.payment import NewId, Payment
from payment_svc.domain.return_url import ReturnUrls
from payment_svc.ports import Accepted, PaymentStore, Sellers
from payment_svc.use_cases.create_payment import CreatePayment, create_payment, replayed

METHOD = "CreateCheckoutSession"


@dataclass(frozen=True, slots=True)
class CreateCheckoutSession:
    """A checkout session, as asked.

    Attributes:
        payment: what is to be paid; without token and page.
        expires_at: when the page is to close; None: after the usual time.
    """

    payment: CreatePayment
    success_url: str
    cancel_url: str
    expires_at: datetime | None = None
    preferred_psp: str = ""
    description: str = ""
    locale: str = ""


async def create_checkout_session(
    command: CreateCheckoutSession,
    *,
    store: PaymentStore,
    sellers: Sellers,
    return_urls: ReturnUrls,
    clock: Clock,
    new_id: NewId,
    render: Callable[[Payment], bytes],
    admission: Admission = OPEN,
) -> Accepted:
    """Accept the payment; its saga opens the page. A known key answers as the first time, however
    late it is for the page.

    Raises:
        InvalidRequest: a URL leads where no buyer may be sent, the page would close too soon or too
            late, or the payment cannot be; nothing is stored.
        IdempotencyKeyReused, PaymentOrderIdInUse, QueueFull: as `create_payment`.
    """
    try:
        page = _page(command, return_urls, clock())
    except InvalidRequest:
        known = await store.known(command.payment.asked)
        if known is None:
            raise
        return replayed(known)
    return await create_payment(
        replace(command.payment, page=page),
        store=store,
        sellers=sellers,
        clock=clock,
        new_id=new_id,
        render=render,
        admission=admission,
    )


def _page(command: CreateCheckoutSession, return_urls: ReturnUrls, now: datetime) -> CheckoutPage:
    return_urls.check("success_url", command.success_url)
    return_urls.check("cancel_url", command.cancel_url)
    return CheckoutPage(
        success_url=command.success_url,
        cancel_url=command.cancel_url,
        expires_at=_expiry(command.expires_at, now),
        preferred_psp=command.preferred_psp,
        description=command.description,
        locale=command.locale,
    )


def _expiry(asked: datetime | None, now: datetime) -> datetime:
    if asked is None:
        return now + LIFE_USUAL
    if not now + LIFE_MIN <= asked <= now + LIFE_MAX:
        raise InvalidRequest.field("expires_at", "must be 35 minutes to 23 hours from now")
    return asked
