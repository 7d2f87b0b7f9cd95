"""Reads a request to post at a glance: most requests keep every rule, and say so cheaply.

Holding a message against the rules of its proto costs as much as reading it does. Here it is read
first, and the texts that rules are about are looked at all at once. The answer is only ever "all is
well": what is not, or may not be, is left to `validate`, which finds the words for it.
"""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from paymesh.ledger.v1 import ledger_service_pb2 as service

from chassis.errors import InvalidRequest
from ledger_svc import messages
from ledger_svc.domain.posting import Posting
from privacy.card_numbers import hold_no_card_number

Handler = TypeVar("Handler", bound=Callable[..., Any])

# As the proto has them.
_POSTINGS_MAX, _LINES_MAX, _DESCRIPTION_MAX, _SUBJECT_MAX = 1000, 64, 200, 64
_NAMES = re.compile(r"(?:[A-Za-z0-9_.:-]{1,200}+\n)*+")


def checked_inside(handler: Handler) -> Handler:
    """Let the gate pass an RPC's requests on: where there is doubt, it calls `validate` itself."""
    handler.__dict__["check"] = lambda _: None
    return handler


def to_postings(request: service.PostTransactionsRequest) -> list[Posting] | None:
    """Read a request; None when a rule may be broken, a posting makes no sense, or there is one
    made of a template.
    """
    if not 1 <= len(request.postings) <= _POSTINGS_MAX:
        return None
    try:
        asked = [messages.to_posting(one, place) for place, one in enumerate(request.postings)]
    except (InvalidRequest, KeyError):  # an enumeration's value that is none
        return None
    read = [one for one in asked if isinstance(one, Posting)]
    return read if len(read) == len(asked) and _are_well(read) else None


def _are_well(postings: list[Posting]) -> bool:
    """Hold postings against all the rules that their reading does not: an amount or a currency that
    breaks one is none, and a side is one of two.
    """
    names = [line[0] for posting in postings for line in posting.lines]
    names += [posting.reference for posting in postings]
    descriptions = [posting.description for posting in postings]
    templates = [posting.template for posting in postings]
    subjects = [posting.subject_id for posting in postings]
    return (
        not postings[-1].is_linked
        and not any(templates)
        and max([len(posting.lines) for posting in postings]) <= _LINES_MAX
        and _are_names(names)
        and max(map(len, subjects)) <= _SUBJECT_MAX
        and max(map(len, descriptions)) <= _DESCRIPTION_MAX
        and hold_no_card_number(descriptions)
    )


def _are_names(texts: list[str]) -> bool:
    """Look at all names at once: one by one would cost six times as much."""
    lines = "\n".join(texts) + "\n"
    return lines.count("\n") == len(texts) and _NAMES.fullmatch(lines) is not None
