"""Where a buyer may be sent from a PSP's page: to the sites that the operator has named alone.

A link that looks like a payment and leads anywhere is what phishing is made of.
"""

import re
from dataclasses import dataclass

from chassis.errors import InvalidRequest
from payment_svc.domain import url

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})
_ORIGIN = re.compile(r"(https?)://([A-Za-z0-9.-]+)(?::([0-9]{1,5}|\*))?", re.ASCII)

_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})", re.ASCII)  # no URI to whoever reads strictly

_Origin = tuple[str, str, int | None]  # scheme, host, port; None: any


@dataclass(frozen=True, slots=True)
class ReturnUrls:
    """The sites that buyers may be sent back to."""

    origins: frozenset[_Origin] = frozenset()

    @classmethod
    def parse(cls, text: str, *, is_production: bool) -> "ReturnUrls":
        """Read origins separated by commas: `https://shop.example`, `http://127.0.0.1:*`.

        Any port is for this machine alone, and so is http in production for nobody.

        Raises:
            ValueError: one of them is none, or too loose.
        """
        named = [part.strip() for part in text.split(",") if part.strip()]
        return cls(frozenset(_origin(part, is_production=is_production) for part in named))

    def check(self, field: str, text: str) -> None:
        """Let a URL pass whose site is named.

        Raises:
            InvalidRequest: naming `field`; it is no URL, or leads elsewhere.
        """
        match = url.match(text)
        if match is None or _BARE_PERCENT.search(text):
            raise InvalidRequest.field(
                field,
                "must be an absolute URL of plain ASCII, without user and fragment; % stands before"
                " two hexadecimal digits",
            )
        scheme, host = match["scheme"], match["host"].lower()
        port = int(match["port"] or url.DEFAULT_PORTS[scheme])
        if not self.origins & {(scheme, host, port), (scheme, host, None)}:
            why = f"{scheme}://{match['host']} is not among the sites that buyers may be sent to"
            raise InvalidRequest.field(field, why, "RETURN_URL_REFUSED")


def _origin(text: str, *, is_production: bool) -> _Origin:
    match = _ORIGIN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no origin such as https://shop.example")
    scheme, host, port = match[1], match[2].lower(), match[3]
    if is_production and scheme != "https":
        raise ValueError(f"{text!r} must be https in production")
    if port == "*":
        if host not in _LOOPBACK:
            raise ValueError(f"{text!r}: any port is for 127.0.0.1 and localhost alone")
        return scheme, host, None
    return scheme, host, int(port or url.DEFAULT_PORTS[scheme])
