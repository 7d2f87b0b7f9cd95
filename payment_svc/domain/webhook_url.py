"""Where a webhook may be sent: the one reading of a URL, and which addresses are nobody's to reach.

A client names the address, we connect to it from inside: without rules it could reach what only
we can (server-side request forgery).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from chassis.errors import InvalidRequest
from payment_svc.domain import url

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# What the C library reads as a number: 127.1, 0x7f.1, 2130706433, 0177.0.0.1.
_NUMBER = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII | re.IGNORECASE)
_LABEL_LENGTH_MAX, _HOST_LENGTH_MAX = 63, 253
_PRODUCTION_PORTS = frozenset({443, 8443})
# Not told by `is_global`, which is about who owns a network, not about where it leads.
_LEADING_ELSEWHERE = tuple(
    ip_network(network)
    for network in (
        "64:ff9b::/96", "64:ff9b:1::/48",  # NAT64: an IPv4 address of anybody's choice
        "2001::/32", "2002::/16",  # Teredo and 6to4: the same
        "::/96",  # IPv4-compatible, given up long ago
        "192.88.99.0/24",  # relays of 6to4
        "fec0::/10",  # site-local, given up, still routed by some
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WebhookUrl:
    """A URL that was read; `text` is sent to exactly as it is, `host` is without brackets."""

    text: str
    host: str
    port: int

    @property
    def address(self) -> Address | None:
        """The address, if the host is one and not a name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class TargetRules:
    """Where webhooks may go.

    Attributes:
        is_production: https alone, on ports 443 and 8443.
        allowed: networks that may be reached though they are not public.
    """

    is_production: bool = True
    allowed: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, networks: str, *, is_production: bool) -> "TargetRules":
        """Read networks in CIDR form, separated by commas.

        Raises:
            ValueError: one of them is none.
        """
        named = [name.strip() for name in networks.split(",") if name.strip()]
        return cls(is_production, tuple(ip_network(name) for name in named))

    def read(self, text: str) -> WebhookUrl:
        """Read a URL by the rules; a host that is a name may still lead to a refused address.

        Raises:
            InvalidRequest: naming `url`.
        """
        match = url.match(text)
        if match is None:
            raise _refused("must be an absolute URL of plain ASCII, without user and fragment")
        if self.is_production and match["scheme"] != "https":
            raise _refused("must be https")
        port = int(match["port"] or url.DEFAULT_PORTS[match["scheme"]])
        if not (port in _PRODUCTION_PORTS if self.is_production else 0 < port < 65_536):
            raise _refused("the port must be 443 or 8443" if self.is_production else "no such port")
        read = WebhookUrl(text, match["host"].strip("[]").lower(), port)
        if read.address is None:
            _check_name(read.host, in_brackets=match["host"].startswith("["))
        elif not self.admits(read.address):
            raise _refused("the address is not a public one", "ADDRESS_REFUSED")
        return read

    def admits(self, address: Address) -> bool:
        """Tell whether an address may be connected to."""
        if any(address in network for network in self.allowed):
            return True
        if isinstance(address, IPv6Address) and (address.ipv4_mapped or address.scope_id):
            return False
        if any(address in network for network in _LEADING_ELSEWHERE):
            return False
        return address.is_global and not (address.is_multicast or address.is_reserved)

    def admits_all(self, addresses: Sequence[str]) -> bool:
        """Tell whether each of the addresses a name leads to may be connected to."""
        return all(self.admits(ip_address(address)) for address in addresses)


def _check_name(host: str, *, in_brackets: bool) -> None:
    labels = host.split(".")
    if in_brackets or _NUMBER.fullmatch(labels[-1]):
        raise _refused("the host is no address")
    if len(host) > _HOST_LENGTH_MAX or not all(0 < len(x) <= _LABEL_LENGTH_MAX for x in labels):
        raise _refused("the host is no name")


def _refused(why: str, reason: str = "INVALID_FIELD") -> InvalidRequest:
    return InvalidRequest.field("url", why, reason)
