"""A request as it stands at the edge."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

# As Envoy reads it: any other type, `application/grpc-web` too, is transcoded as JSON.
_GRPC = re.compile(r"application/grpc(\+.*)?", re.ASCII)
_NATIVE = "/paymesh.payment.v1.PaymentService/"
# What begins a payment, in both ways of asking.
_BEGINNING = frozenset(
    {
        *("/v1/payments", "/v1/checkout_sessions"),
        *(f"{_NATIVE}CreatePayment", f"{_NATIVE}CreateCheckoutSession"),
    }
)


@dataclass(frozen=True, slots=True)
class EdgeRequest:
    """A request at the edge; header names are lower case, `path` has the query."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""  # the address it came from

    @property
    def is_grpc(self) -> bool:
        """Whether it is native gRPC rather than REST."""
        return _GRPC.fullmatch(self.headers.get("content-type", "")) is not None

    @property
    def begins_payment(self) -> bool:
        """Whether it asks for a new payment."""
        return self.method == "POST" and self.route in _BEGINNING

    @property
    def route(self) -> str:
        """The path without its query."""
        return self.path.partition("?")[0]
