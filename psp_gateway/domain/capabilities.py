"""What a provider can do, declared; the table in the docs is made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from psp_gateway.domain.attempt import Method, Stage


class Captures(StrEnum):
    """How often what is held can be taken."""

    NEVER = "NEVER"
    ONCE = "ONCE"  # in full or in part; the PSP lets go of the rest
    SEVERAL = "SEVERAL"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one provider can do.

    Attributes:
        psp: its name, as attempts keep it: "stripe".
        methods: what it charges.
        first_stage: CREATE where an object is made first and money moved by a second request;
            CONFIRM where one request does it all.
        can_look_up: whether it tells, read-after-write, what became of a request. Where it does
            not, the same request under the same key is the only question there is.
        captures: how often what is held can be taken.
        refunds: whether charges can be given back, in parts and several times.
        hosted_page: whether it has a page of its own for the buyer.
        payouts: whether it pays money out.
        disputes: whether evidence can be given by its interface.
        key_retention: how long it keeps an idempotency key at least, by the stage of the request.
        debit_currencies: in which it takes BANK_DEBIT, by a scheme each: SEPA, ACH.
    """

    psp: str
    methods: frozenset[Method]
    first_stage: Stage
    can_look_up: bool
    captures: Captures
    refunds: bool
    hosted_page: bool
    payouts: bool
    disputes: bool
    key_retention: Mapping[Stage, timedelta]
    debit_currencies: frozenset[str] = frozenset()
