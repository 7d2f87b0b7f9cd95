"""An assessment: what a payment was judged by, and the decision, which is never changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

from chassis.money import Money


class Decision(StrEnum):
    """Whether a payment may go ahead."""

    APPROVED = "APPROVED"
    REFUSED = "REFUSED"


class Subject(StrEnum):
    """Whose attempts are counted."""

    BUYER = "buyer"
    CARD = "card"
    IP = "ip"


@dataclass(frozen=True, slots=True)
class PaymentFacts:
    """What a payment is judged by. `subjects` says who is counted: no IP told, no IP counted."""

    payment_id: str
    client_id: str
    amount: Money
    subjects: Mapping[Subject, str]


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that spoke against a payment; the message holds no personal data."""

    rule: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The decision about a payment; `counts` are the attempts seen, this one included."""

    payment_id: str
    client_id: str
    decision: Decision
    rule_hits: tuple[RuleHit, ...]
    amount: Money
    counts: Mapping[Subject, int]
    assessed_at: datetime


def one_spelling(address: str) -> str:
    """Write an IP address the one way it is counted by, so that respelling it evades no limit.

    The zone of an IPv6 address goes, and IPv4 written as IPv6 becomes IPv4.

    Raises:
        ValueError: it is no address.
    """
    parsed = ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
