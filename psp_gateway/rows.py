"""Rows of the gateway's tables to the domain's objects, and back."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from psycopg.rows import DictRow

from chassis.encryption import Keyring, Undecipherable
from chassis.money import Money
from psp_gateway.domain.attempt import Attempt, Delivery, Kind, Method, Outcome, Stage
from psp_gateway.ports import Exchange
from psp_gateway.private import REDIRECT_URL


def readable(found: Iterable[DictRow], keyring: Keyring) -> list[Attempt]:
    """Read rows of `attempts`, those left out that were tampered with: whoever works through many
    is not kept from the others. Each is counted and logged.
    """
    attempts = []
    for row in found:
        with suppress(Undecipherable):
            attempts.append(to_attempt(row, keyring))
    return attempts


def to_attempt(row: DictRow, keyring: Keyring) -> Attempt:
    """Read a row of `attempts`.

    Raises:
        Undecipherable: its redirection was tampered with.
    """
    url, before = row["redirect_url_encrypted"], row["redirect_url"]
    return Attempt(
        attempt_id=row["attempt_id"],
        kind=Kind(row["kind"]),
        payment_id=row["payment_id"],
        client_id=row["client_id"],
        psp=row["psp"],
        amount=Money.of_stored(row["amount"], row["currency"]),
        fingerprint=row["fingerprint"],
        charge_attempt_id=row["charge_attempt_id"],
        charge_reference=row["charge_reference"],
        created_at=row["created_at"],
        stage=Stage(row["stage"]),
        outcome=Outcome(row["outcome"]),
        delivery=Delivery(row["delivery"]),
        psp_reference=row["psp_reference"],
        reason=row["reason"],
        psp_code=row["psp_code"],
        message=row["message"],
        redirect_url=keyring.text(REDIRECT_URL, row["attempt_id"], url, before) or "",
        request_count=row["request_count"],
        version=row["version"],
        sent_at=row["sent_at"],
        updated_at=row["updated_at"],
        expires_at=row["expires_at"],
        psps_tried=tuple(filter(None, row["psps_tried"].split(","))),
        page_expires_at=row["page_expires_at"],
        retry_at=row["retry_at"],
        method=Method(row["method"]),
        is_final=row["is_final"],
        captured_before=row["captured_before"],
    )


def new_row(attempt: Attempt) -> Sequence[object]:
    """Write what a new attempt knows, in the order of `statements.INSERT`."""
    return (
        attempt.attempt_id,
        attempt.kind.value,
        attempt.payment_id,
        attempt.client_id,
        attempt.psp,
        attempt.amount.amount,
        attempt.amount.currency,
        attempt.fingerprint,
        attempt.charge_attempt_id,
        attempt.charge_reference,
        attempt.created_at,
        attempt.updated_at,
        attempt.stage.value,
        attempt.page_expires_at,
        attempt.method.value,
        attempt.is_final,
        attempt.captured_before,
    )


def saved_row(attempt: Attempt, keyring: Keyring) -> Sequence[object]:
    """Write how an attempt stands, in the order of `statements.SAVE`."""
    return (
        attempt.attempt_id,
        attempt.version,
        attempt.stage.value,
        attempt.outcome.value,
        attempt.delivery.value,
        attempt.psp_reference,
        attempt.reason,
        attempt.psp_code,
        attempt.message,
        keyring.encrypt(REDIRECT_URL, attempt.attempt_id, attempt.redirect_url or None),
        attempt.request_count,
        attempt.sent_at,
        attempt.updated_at,
        attempt.expires_at,
        attempt.psp,
        ",".join(attempt.psps_tried),
        attempt.page_expires_at,
        attempt.retry_at,
    )


def event_row(attempt: Attempt, exchange: Exchange) -> Sequence[object]:
    """Write one line of the trail, in the order of the second half of `statements.SAVE`."""
    return (
        attempt.attempt_id,
        exchange.operation,
        exchange.answer,
        exchange.trace,
        attempt.reason,
        attempt.psp_code,
        attempt.updated_at,
    )


def apart(ids: Sequence[str]) -> Iterator[list[int]]:
    """Divide the places of a batch so that each id is in a part once: a statement would write one
    of two and seem to have written both, so the second is to be held against the first.
    """
    left = list(range(len(ids)))
    while left:
        first = {ids[place]: place for place in reversed(left)}
        part = sorted(first.values())
        yield part
        left = sorted(set(left).difference(part))
