"""gRPC to use cases and back, for payouts; the part of the servicer that pays out."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from paymesh.psp.v1 import payout_pb2 as noun
from paymesh.psp.v1 import psp_gateway_service_pb2 as service

from chassis.errors import InvalidRequest
from privacy.masked import Personal
from psp_gateway.bank_statements import Statements, import_statement
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.payout import BankAccount, Destination, Payout, PspAccount, State
from psp_gateway.messages import DELIVERIES, to_refusal
from psp_gateway.running import Asked, Running
from psp_gateway.use_cases.execute_payouts import (
    Paying,
    PayoutCommand,
    begin_payout,
    execute_payout,
)

STATES = {state: noun.Payout.State.Value(state.value) for state in State}


class PayoutCalls:
    """What `PspGatewayService` does about payouts.

    Args:
        statements: of the bank that pays out; None where none does.
        fingerprint_key: hashes destinations, so that a reused attempt is told without storing one.
    """

    def __init__(
        self,
        paying: Paying,
        running: Running[Payout],
        statements: Statements | None = None,
        *,
        fingerprint_key: bytes,
    ) -> None:
        self._paying = paying
        self._running = running
        self._statements = statements
        self._key = fingerprint_key

    async def execute(self, items: Iterable[service.PayoutCommand]) -> list[service.PayoutResult]:
        """Pay out, and answer item by item."""
        now = self._paying.clock()
        asked = [self._asked(item, now) for item in items]
        answers = await self._running.run(asked)
        return [
            service.PayoutResult(refusal=to_refusal(answer))
            if isinstance(answer, Refusal)
            else service.PayoutResult(payout=to_payout(answer))
            for answer in answers
        ]

    async def of(self, payout_id: str) -> Sequence[noun.Payout]:
        """List a payout's attempts, the oldest first."""
        return [to_payout(found) for found in await self._paying.book.of_payout(payout_id)]

    async def take_in(self, content: bytes) -> service.ImportBankStatementResponse:
        """Take in a bank's file.

        Raises:
            InvalidRequest: it is none that is read here, or no bank pays out.
        """
        if self._statements is None:
            raise InvalidRequest.field("content", "no bank is configured to pay out")
        imported = await import_statement(self._statements, content)
        found = await self._paying.book.find(imported.attempt_ids)
        return service.ImportBankStatementResponse(
            payouts=map(to_payout, found), notes=imported.notes
        )

    def _asked(self, item: service.PayoutCommand, now: datetime) -> Asked[Payout] | Refusal:
        destination = to_destination(item)
        command = PayoutCommand(
            attempt_id=item.attempt_id,
            payout_id=item.payout_id,
            client_id=item.client_id,
            amount=item.amount,
            currency=item.currency,
            destination=destination,
            fingerprint=self._fingerprint(destination),
        )
        try:
            payout = begin_payout(self._paying, command, now)
        except Refusal as refusal:
            return refusal
        return Asked(payout, lambda: execute_payout(self._paying, payout, destination))

    def _fingerprint(self, destination: Destination) -> str:
        content = json.dumps(destination.content).encode()
        return hmac.new(self._key, content, hashlib.sha256).hexdigest()


def to_destination(item: service.PayoutCommand) -> Destination:
    """Read where a payout goes to."""
    given = item.destination
    if given.HasField("bank_account"):
        account = given.bank_account
        to: PspAccount | BankAccount = BankAccount(
            Personal(account.iban), Personal(account.holder_name), account.bic
        )
    else:
        to = PspAccount(given.psp_account.psp, Personal(given.psp_account.account))
    return Destination(to, item.reference_text)


def to_payout(found: Payout) -> noun.Payout:
    """Write a payout."""
    message = noun.Payout(
        attempt_id=found.attempt_id,
        payout_id=found.payout_id,
        state=STATES[found.state],
        delivery=DELIVERIES[found.delivery],
        psp=found.psp,
        psp_reference=found.psp_reference,
        amount=str(found.amount),
        currency=found.amount.currency,
        reason=found.reason,
        psp_code=found.psp_code,
        message=found.message,
        request_count=found.request_count,
        created_at=_timestamp(found.created_at),
        updated_at=_timestamp(found.updated_at),
    )
    if found.paid_at is not None:
        message.paid_at.CopyFrom(_timestamp(found.paid_at))
    return message


def _timestamp(moment: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(moment)
    return timestamp
