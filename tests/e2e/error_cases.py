"""The wrong requests of the public API, one fault each, and what each is answered."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

CARD = "4242 4242-4242 4242"
ASTRAY = b"""{"buyer_info": {"id": "b"}, "checkout_id": "c", "success_url": "https://evil.example/",
"cancel_url": "https://shop.example/", "payment_orders": [{"seller_account": "s", "amount": "1.00",
"currency": "EUR", "payment_order_id": "o"}]}"""
Request = dict[str, Any]
Edit = Callable[[Request], object]


@dataclass(frozen=True, slots=True)
class Case:
    """A request that is wrong in one way.

    Attributes:
        path: of the field at fault; empty when it is none.
        edit: spoils the specification's request.
        raw: the body instead of it.
        headers: sent instead of the usual ones; None: not sent.
        call: verb and path, when it is not POST /v1/payments.
        is_native: whether the same can be sent as gRPC, and is refused alike there.
    """

    title: str
    status: int
    code: int
    reason: str
    path: str = ""
    edit: Edit = lambda request: None
    raw: bytes | None = None
    headers: Mapping[str, str | None] = field(default_factory=dict)
    call: tuple[str, str] = ("POST", "/v1/payments")
    is_native: bool = False


def order(**changes: Any) -> Edit:
    """Change the order of the request."""
    return lambda request: request["payment_orders"][0].update(changes)


def without(*path: str) -> Edit:
    """Leave a field out."""

    def edit(request: Request) -> None:
        inner: Any = request
        for name in path[:-1]:
            inner = inner[name] if isinstance(inner, dict) else inner[0][name]
        (inner if isinstance(inner, dict) else inner[0]).pop(path[-1])

    return edit


def orders(*changes: Mapping[str, Any]) -> Edit:
    """Have an order for each of `changes`, with an id of its own unless it is changed."""

    def edit(request: Request) -> None:
        first = request["payment_orders"][0]
        request["payment_orders"] = [
            {**first, "payment_order_id": str(uuid4()), **change} for change in changes
        ]

    return edit


def bad(
    title: str, reason: str, path: str, edit: Edit, *, is_native: bool = True, **more: Any
) -> Case:
    """Make a case that is 400 INVALID_ARGUMENT by a field."""
    return Case(title, 400, 3, reason, path, edit, is_native=is_native, **more)


AMOUNT, CURRENCY = "payment_orders[0].amount", "payment_orders[0].currency"
ORDER_ID = "payment_orders[0].payment_order_id"
KEY = "Idempotency-Key"
CASES = [
    Case("no Idempotency-Key", 400, 3, "IDEMPOTENCY_KEY_MISSING", KEY, headers={KEY: None},
         is_native=True),
    Case("a key of 256 characters", 400, 3, "IDEMPOTENCY_KEY_INVALID", KEY,
         headers={KEY: "k" * 256}, is_native=True),
    Case("a key with a space", 400, 3, "IDEMPOTENCY_KEY_INVALID", KEY, headers={KEY: "a b"},
         is_native=True),
    bad("an unknown key", "UNKNOWN_FIELD", "colour", lambda r: r.update(colour="red"),
        is_native=False),
    bad("an unknown key inside an order", "UNKNOWN_FIELD", "payment_orders[0].colour",
        order(colour="red"), is_native=False),
    bad("a key twice", "DUPLICATE_FIELD", "checkout_id", without(), is_native=False,
        raw=b'{"checkout_id": "a", "checkout_id": "b"}'),
    bad("a key twice inside buyer_info", "DUPLICATE_FIELD", "buyer_info.id", without(),
        is_native=False, raw=b'{"buyer_info": {"id": "a", "id": "b"}}'),
    Case("a body said to be text", 400, 3, "UNSUPPORTED_CONTENT_TYPE", "Content-Type",
         headers={"Content-Type": "text/plain"}),
    Case("a body without a type", 400, 3, "UNSUPPORTED_CONTENT_TYPE", "Content-Type",
         headers={"Content-Type": ""}),
    Case("a body cut off", 400, 3, "MALFORMED_JSON", raw=b'{"checkout_id": "a"'),
    Case("no body", 400, 3, "MALFORMED_JSON", raw=b""),
    Case("a list", 400, 3, "MALFORMED_JSON", raw=b"[]"),
    Case("not UTF-8", 400, 3, "MALFORMED_JSON", raw=b'{"checkout_id": "\xff"}'),
    *(bad(f"amount `{text}` USD", "INVALID_AMOUNT", AMOUNT, order(amount=text))
      for text in ("99.999", "-1", "+1", "1e3", "NaN", "0", "0.00", "1,00", " 1", "01", "1.",
                   "1234567890123456", "٣")),
    bad("an empty amount", "MISSING_FIELD", AMOUNT, order(amount="")),
    bad("amount `1.0` JPY", "INVALID_AMOUNT", AMOUNT, order(amount="1.0", currency="JPY")),
    bad("amount as a JSON number", "INVALID_FIELD", AMOUNT, order(amount=99.99), is_native=False),
    bad("currency `ZZZ`", "UNKNOWN_CURRENCY", CURRENCY, order(currency="ZZZ")),
    bad("currency `XAU`, gold", "UNKNOWN_CURRENCY", CURRENCY, order(currency="XAU")),
    bad("currency `usd`", "INVALID_FIELD", CURRENCY, order(currency="usd")),
    bad("no currency", "MISSING_FIELD", CURRENCY, without("payment_orders", "currency")),
    bad("two currencies", "MIXED_CURRENCIES", "payment_orders[1].currency",
        orders({}, {"currency": "EUR"})),
    bad("no orders", "INVALID_FIELD", "payment_orders", orders()),
    bad("51 orders", "INVALID_FIELD", "payment_orders", orders(*[{}] * 51)),
    bad("a payment_order_id twice", "DUPLICATE_PAYMENT_ORDER_ID",
        "payment_orders[1].payment_order_id",
        orders({"payment_order_id": "twice"}, {"payment_order_id": "twice"})),
    bad("no buyer_info", "MISSING_FIELD", "buyer_info", without("buyer_info")),
    bad("no checkout_id", "MISSING_FIELD", "checkout_id", without("checkout_id")),
    bad("no credit_card_info", "MISSING_FIELD", "credit_card_info", without("credit_card_info")),
    bad("no seller_account", "MISSING_FIELD", "payment_orders[0].seller_account",
        without("payment_orders", "seller_account")),
    bad("an e-mail address that is none", "INVALID_FIELD", "buyer_info.email",
        lambda r: r["buyer_info"].update(email="nobody")),
    bad("an IP address that is none", "INVALID_FIELD", "buyer_info.ip_address",
        lambda r: r["buyer_info"].update(ip_address="300.1.1.1")),
    bad("manual capture with a charge per order", "INVALID_FIELD", "partial_failure_policy",
        lambda r: r.update(capture_method="MANUAL", partial_failure_policy="KEEP_SUCCESSFUL")),
    bad("a card number as token", "CARD_NUMBER_REFUSED", "credit_card_info.token",
        lambda r: r["credit_card_info"].update(token=CARD)),
    bad("a card number as checkout_id", "CARD_NUMBER_REFUSED", "checkout_id",
        lambda r: r.update(checkout_id="4242424242424242")),
    bad("a card number as buyer", "CARD_NUMBER_REFUSED", "buyer_info.id",
        lambda r: r["buyer_info"].update(id=CARD)),
    bad("a card number as seller", "CARD_NUMBER_REFUSED", "payment_orders[0].seller_account",
        order(seller_account=CARD)),
    bad("a card number as payment_order_id", "CARD_NUMBER_REFUSED", ORDER_ID,
        order(payment_order_id=CARD)),
    Case("a card number as Idempotency-Key", 400, 3, "CARD_NUMBER_REFUSED", "idempotency-key",
         headers={KEY: "4242424242424242"}, is_native=True),
    Case("a card number in the path", 400, 3, "CARD_NUMBER_REFUSED", "(the path)",
         call=("GET", "/v1/payments/4242424242424242")),
    Case("no credentials", 401, 16, "CREDENTIALS_MISSING", headers={"Authorization": None},
         is_native=True),
    Case("another scheme", 401, 16, "CREDENTIALS_MISSING", is_native=True,
         headers={"Authorization": "Basic ZGVtbzpkZW1v"}),
    Case("a key that is none of ours", 401, 16, "CREDENTIALS_INVALID", is_native=True,
         headers={"Authorization": "Bearer pm_000000000000_" + "0" * 52}),
    *(Case(title, 401, 16, reason, is_native=native, headers={
        "X-Paymesh-Timestamp": "0", "X-Paymesh-Nonce": "n", "X-Paymesh-Signature": "0" * 64,
        **headers})
      for title, reason, headers, native in (
          ("a signature without its nonce", "SIGNATURE_MISSING", {"X-Paymesh-Nonce": None}, True),
          ("a signature that is none", "SIGNATURE_INVALID", {"X-Paymesh-Signature": "x"}, True),
          ("a timestamp that is none", "TIMESTAMP_INVALID", {"X-Paymesh-Timestamp": "now"}, True),
          ("a nonce with a space", "NONCE_INVALID", {"X-Paymesh-Nonce": "a b"}, True),
          ("a signature of long ago", "TIMESTAMP_OUT_OF_WINDOW", {}, False),
      )),
    Case("a body over 64 KiB", 413, 3, "REQUEST_TOO_LARGE", raw=b" " * 70_000),
    Case("headers over 16 KiB", 431, 3, "HEADERS_TOO_LARGE", headers={"X-Long": "x" * 20_000}),
    Case("a type that looks like gRPC", 400, 3, "UNSUPPORTED_CONTENT_TYPE", "Content-Type",
         headers={"Content-Type": "application/grpc-web"}),
    Case("a slash too many", 404, 5, "NO_SUCH_PATH", call=("POST", "/v1/payments/")),
    Case("a path that is none", 404, 5, "NO_SUCH_PATH", call=("GET", "/v1/nothing")),
    Case("a verb that is none", 404, 5, "NO_SUCH_PATH", call=("DELETE", "/v1/payments/pay_1")),
    Case("an unknown query parameter", 400, 3, "MALFORMED_REQUEST",
         call=("GET", "/v1/payments?colour=red")),
    Case("a status that is none", 400, 3, "MALFORMED_REQUEST",
         call=("GET", "/v1/payments?status=PAID")),
    Case("a page token that is none of ours", 400, 3, "INVALID_FIELD", "page_token",
         is_native=True, call=("GET", "/v1/payments?page_token=x")),
    Case("an amount without a currency", 400, 3, "MISSING_FIELD", "currency",
         is_native=True, call=("GET", "/v1/payments?amount_min=1.00")),
    Case("a payment that is not there", 404, 5, "PAYMENT_NOT_FOUND",
         is_native=True, call=("GET", "/v1/payments/pay_0")),
    Case("a payment id that is none", 400, 3, "INVALID_FIELD", "payment_id",
         is_native=True, call=("GET", "/v1/payments/order_789")),
    Case("a checkout session that is not there", 404, 5, "CHECKOUT_SESSION_NOT_FOUND",
         call=("GET", "/v1/checkout_sessions/cks_0")),
    Case("a return to a site that is not named", 400, 3, "RETURN_URL_REFUSED", "success_url",
         raw=ASTRAY, call=("POST", "/v1/checkout_sessions")),
]  # fmt: skip

# What is wrong only because of what was before, or because of who cannot be reached.
REUSED = Case("another request under a used key", 409, 6, "IDEMPOTENCY_KEY_REUSED", is_native=True)
IN_USE = Case(
    "a payment_order_id that is in use", 409, 6, "PAYMENT_ORDER_ID_IN_USE", is_native=True
)
NOT_HELD = [
    Case(f"{title} what is not held", 400, 9, reason, is_native=True, raw=b"{}")
    for title, reason in (
        ("capturing", "PAYMENT_NOT_CAPTURABLE"),
        ("cancelling", "PAYMENT_NOT_CANCELLABLE"),
    )
]
ABOVE = Case("capturing more than is held", 400, 3, "AMOUNT_ABOVE_AUTHORIZED", "amount",
             raw=b'{"amount": "100.00"}', is_native=True)  # fmt: skip
STRANGER = Case("another client's payment", 404, 5, "PAYMENT_NOT_FOUND", is_native=True)
REPLAYED = Case("a signed request sent twice", 401, 16, "NONCE_USED")
NO_SCOPE = Case("a method that the client has no scope for", 403, 7, "SCOPE_MISSING",
                is_native=True)  # fmt: skip
SLOW_BODY = Case("a body that does not arrive", 408, 4, "REQUEST_TIMEOUT")
AWAY = {
    name: Case(f"{name} does not answer", 503, 14, "UNAVAILABLE", is_native=True,
               call=("GET", "/v1/payments/pay_0"))
    for name in ("edge_auth", "payment_svc")
}  # fmt: skip
NO_ANSWER = Case("no answer in time", 504, 4, "DEADLINE_EXCEEDED", is_native=True)
FAULT = Case("a fault of ours", 500, 13, "INTERNAL", is_native=True)
NO_SELLER = Case("a seller that nobody knows", 400, 3, "UNKNOWN_SELLER",
                 "payment_orders[0].seller_account", is_native=True)  # fmt: skip
LIMITED = Case("too many requests", 429, 8, "RATE_LIMITED", is_native=True)
LATER = [REUSED, IN_USE, *NOT_HELD, ABOVE, STRANGER, REPLAYED, NO_SCOPE, SLOW_BODY,
         *AWAY.values(), NO_ANSWER, FAULT, NO_SELLER, LIMITED]  # fmt: skip
