"""gRPC to use cases and back; the only file that sees both."""

import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from paymesh.psp.v1 import attempt_pb2 as attempts
from paymesh.psp.v1 import provider_pb2 as nouns
from paymesh.psp.v1 import psp_gateway_service_pb2 as service
from paymesh.psp.v1.psp_gateway_service_pb2_grpc import PspGatewayServiceServicer

from chassis.errors import InvalidRequest
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Kind
from psp_gateway.domain.errors import InvalidAmount, NoRoute, Refusal
from psp_gateway.guard import Guard
from psp_gateway.messages import METHODS_IN, page_of, paid_by, results, to_attempt, to_provider
from psp_gateway.payout_servicer import PayoutCalls
from psp_gateway.ports import AttemptReader, TellAudit, tell_nobody
from psp_gateway.running import Asked, Running
from psp_gateway.use_cases.execute_charges import begin_charge, execute_charge
from psp_gateway.use_cases.execute_holds import HoldCommand, begin_hold, execute_hold
from psp_gateway.use_cases.execute_refunds import RefundCommand, begin_refund, execute_refund
from psp_gateway.use_cases.list_attempts import list_attempts, list_attempts_of_payments
from psp_gateway.use_cases.resume_charge import resume_charge
from psp_gateway.use_cases.route_charge import ChargeCommand, Router
from psp_gateway.use_cases.take_further import Means


class PspGatewayServicer(PspGatewayServiceServicer):
    """`paymesh.psp.v1.PspGatewayService`.

    Args:
        fingerprint_key: hashes payment tokens, so that a reused attempt is told without storing
            one.
    """

    def __init__(
        self,
        means: Means,
        router: Router,
        reader: AttemptReader,
        running: Running[Attempt],
        guards: Mapping[str, Guard],
        payouts: PayoutCalls,
        *,
        fingerprint_key: bytes,
        tell: TellAudit = tell_nobody,
    ) -> None:
        self._means = means
        self._router = router
        self._reader = reader
        self._running = running
        self._guards = guards
        self._payouts = payouts
        self._key = fingerprint_key
        self._tell = tell

    async def ExecuteCharges(
        self, request: service.ExecuteChargesRequest, context: Any
    ) -> service.ExecuteChargesResponse:
        """Charge buyers."""
        now = self._means.clock()
        asked = [_or_refusal(self._charge, item, now) for item in request.charges]
        answers = await self._running.run(asked)
        ids = [item.attempt_id for item in request.charges]
        return service.ExecuteChargesResponse(
            results=self._results(await self._known(ids, answers))
        )

    async def ExecuteCaptures(
        self, request: service.ExecuteCapturesRequest, context: Any
    ) -> service.ExecuteCapturesResponse:
        """Take what is held."""
        now = self._means.clock()
        asked = [_or_refusal(self._capture, item, now) for item in request.captures]
        return service.ExecuteCapturesResponse(
            results=self._results(await self._running.run(asked))
        )

    async def ExecuteVoids(
        self, request: service.ExecuteVoidsRequest, context: Any
    ) -> service.ExecuteVoidsResponse:
        """Let go of what is held."""
        now = self._means.clock()
        asked = [_or_refusal(self._void, item, now) for item in request.voids]
        answers = await self._running.run(asked)
        return service.ExecuteVoidsResponse(results=self._results(answers))

    async def ExecuteRefunds(
        self, request: service.ExecuteRefundsRequest, context: Any
    ) -> service.ExecuteRefundsResponse:
        """Give charges back."""
        now = self._means.clock()
        asked = [_or_refusal(self._refund, item, now) for item in request.refunds]
        answers = await self._running.run(asked)
        return service.ExecuteRefundsResponse(results=self._results(answers))

    async def ExecutePayouts(
        self, request: service.ExecutePayoutsRequest, context: Any
    ) -> service.ExecutePayoutsResponse:
        """Pay out."""
        return service.ExecutePayoutsResponse(results=await self._payouts.execute(request.payouts))

    async def ImportBankStatement(
        self, request: service.ImportBankStatementRequest, context: Any
    ) -> service.ImportBankStatementResponse:
        """Take in what the bank says."""
        return await self._payouts.take_in(request.content)

    async def ListPayouts(
        self, request: service.ListPayoutsRequest, context: Any
    ) -> service.ListPayoutsResponse:
        """List a payout's attempts."""
        return service.ListPayoutsResponse(payouts=await self._payouts.of(request.payout_id))

    async def ListAttempts(
        self, request: service.ListAttemptsRequest, context: Any
    ) -> service.ListAttemptsResponse:
        """List a payment's attempts."""
        found = await list_attempts(self._reader, request.payment_id)
        return service.ListAttemptsResponse(attempts=self._attempts(found))

    async def ListAttemptsOfPayments(
        self, request: service.ListAttemptsOfPaymentsRequest, context: Any
    ) -> service.ListAttemptsOfPaymentsResponse:
        """List the attempts of many payments."""
        found = await list_attempts_of_payments(self._reader, request.payment_ids)
        return service.ListAttemptsOfPaymentsResponse(attempts=self._attempts(found))

    async def ResumeCharge(
        self, request: service.ResumeChargeRequest, context: Any
    ) -> service.ResumeChargeResponse:
        """Go on with a charge whose buyer has come back."""
        details = dict(request.details)
        found = await resume_charge(self._means, self._reader, request.attempt_id, details)
        return service.ResumeChargeResponse(attempt=to_attempt(found, self._means.clock()))

    async def SimulateRouting(
        self, request: service.SimulateRoutingRequest, context: Any
    ) -> service.SimulateRoutingResponse:
        """Tell where a charge would go."""
        found = self._router.route(self._command(request.charge))
        return service.SimulateRoutingResponse(
            rule=found.rule, psps=found.psps, hindered=found.reasons
        )

    async def ListProviders(
        self, request: service.ListProvidersRequest, context: Any
    ) -> service.ListProvidersResponse:
        """List the PSPs."""
        return service.ListProvidersResponse(providers=map(self._provider, sorted(self._guards)))

    async def ResetCircuit(
        self, request: service.ResetCircuitRequest, context: Any
    ) -> service.ResetCircuitResponse:
        """Close circuits."""
        guard = self._guards.get(request.psp)
        if guard is None:
            named = ", ".join(sorted(self._guards))
            raise InvalidRequest.field("psp", f"is none that is configured: {named}")
        # Circuits are in memory: told before it is done, so that neither is without a line.
        after = {"circuit": "closed", "operation": request.operation or "all"}
        await self._tell("circuit", request.psp, after)
        guard.reset(request.operation)
        return service.ResetCircuitResponse(provider=self._provider(request.psp))

    def _results(self, answers: Sequence[Attempt | Refusal]) -> list[service.AttemptResult]:
        return results(answers, self._means.clock())

    def _attempts(self, found: Sequence[Attempt]) -> list[attempts.Attempt]:
        now = self._means.clock()
        return [to_attempt(one, now) for one in found]

    def _provider(self, psp: str) -> nouns.Provider:
        return to_provider(self._means.providers[psp].capabilities, self._guards[psp].circuits)

    async def _known(
        self, ids: Sequence[str], answers: Sequence[Attempt | Refusal]
    ) -> Sequence[Attempt | Refusal]:
        """Answer what is stored in the place of a refusal to route: rules and PSPs change, and an
        attempt that was taken up before stays so.
        """
        refused = [
            id_
            for id_, answer in zip(ids, answers, strict=True)
            if isinstance(answer, NoRoute | InvalidAmount)
        ]
        if not refused:
            return answers
        stored = {found.attempt_id: found for found in await self._reader.find(refused)}
        return [
            stored.get(id_, answer) if id_ in refused else answer
            for id_, answer in zip(ids, answers, strict=True)
        ]

    def _command(self, item: service.ChargeCommand) -> ChargeCommand:
        return ChargeCommand(
            attempt_id=item.attempt_id,
            payment_id=item.payment_id,
            client_id=item.client_id,
            amount=item.amount,
            currency=item.currency,
            token=Secret(item.payment_token),
            fingerprint=hmac.digest(self._key, paid_by(item), "sha256").hex(),
            is_held=item.capture_method == service.ChargeCommand.MANUAL,
            method=METHODS_IN[item.payment_method],
            country=item.country,
            preferred_psp=item.preferred_psp,
            page=page_of(item),
            is_last_try=item.is_last_try,
        )

    def _charge(self, item: service.ChargeCommand, now: datetime) -> Asked[Attempt]:
        attempt, paying = begin_charge(self._command(item), self._router, now)
        return Asked(attempt, lambda: execute_charge(self._means, attempt, paying))

    def _capture(self, item: service.CaptureCommand, now: datetime) -> Asked[Attempt]:
        is_final = item.is_final or not item.HasField("is_final")
        return self._hold(Kind.CAPTURE, item, now, is_final=is_final)

    def _void(self, item: service.VoidCommand, now: datetime) -> Asked[Attempt]:
        return self._hold(Kind.VOID, item, now)

    def _hold(
        self,
        kind: Kind,
        item: service.CaptureCommand | service.VoidCommand,
        now: datetime,
        *,
        is_final: bool = True,
    ) -> Asked[Attempt]:
        command = HoldCommand(
            kind=kind,
            attempt_id=item.attempt_id,
            charge_attempt_id=item.charge_attempt_id,
            amount=item.amount,
            currency=item.currency,
            is_final=is_final,
        )
        attempt = begin_hold(command, now)
        return Asked(attempt, lambda: execute_hold(self._means, attempt))

    def _refund(self, item: service.RefundCommand, now: datetime) -> Asked[Attempt]:
        command = RefundCommand(
            attempt_id=item.attempt_id,
            charge_attempt_id=item.charge_attempt_id,
            amount=item.amount,
            currency=item.currency,
        )
        attempt = begin_refund(command, now)
        return Asked(attempt, lambda: execute_refund(self._means, attempt))


def _or_refusal(
    read: Callable[[Any, datetime], Asked[Attempt]], item: Any, now: datetime
) -> Asked[Attempt] | Refusal:
    try:
        return read(item, now)
    except Refusal as refusal:
        return refusal
