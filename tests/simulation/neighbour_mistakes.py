"""Planted mistakes around payment_svc: at the gateway and its PSPs, in the ledger, the wallets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from paymesh.psp.v1 import attempt_pb2
from paymesh.psp.v1.attempt_resolution_service_pb2 import ResolveAttemptsResponse
from paymesh.psp.v1.psp_gateway_service_pb2 import AttemptResult

from psp_gateway.domain.attempt import Attempt
from psp_gateway.domain.attempt import Outcome as AttemptOutcome
from psp_gateway.domain.errors import Refusal
from psp_gateway.domain.refunds import Refunds
from psp_gateway.http_client import NoAnswer
from psp_gateway.ports import Exchange, Saved, TakenUp
from psp_gateway.providers.stripe.client import Response, Result
from psp_gateway.resolution_servicer import AttemptResolutionServicer
from tests.simulation.around import Around
from tests.simulation.attempts import Attempts
from tests.simulation.books import Ledger, WalletBook, at_once
from wallet_svc.domain.operation import Command as WalletCommand
from wallet_svc.domain.operation import Reversal
from wallet_svc.domain.wallets import ReversalOutcome


class NewKeys(Around):
    """Each request has a key of its own."""

    serial = count()

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Send under a new key."""
        result: Result = await self.inner.post(path, fields, key=f"{key}-{next(self.serial)}")
        return result


class Forgetful(Around):
    """A PSP that cannot be asked, and whose keys are thought to be kept for ever."""

    @property
    def capabilities(self) -> Any:
        """Say so."""
        told = self.inner.capabilities
        kept = dict.fromkeys(told.key_retention, timedelta(days=3650))
        return replace(told, can_look_up=False, key_retention=kept)


class NeverLooks(Around):
    """A PSP that is never asked, though it could be: the same is sent again under the same key."""

    @property
    def capabilities(self) -> Any:
        """Say so."""
        return replace(self.inner.capabilities, can_look_up=False)


class LimitIsDecline(Around):
    """A 429 is taken for a decline."""

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and mistake."""
        result: Result = await self.inner.post(path, fields, key=key)
        if not isinstance(result, Response) or result.status != 429:
            return result
        error = {"type": "card_error", "code": "card_declined"}
        return replace(result, status=402, body={"error": error})


class SilenceIsNo(Around):
    """No answer is taken for: nothing was sent, and nothing happened."""

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and mistake."""
        result: Result = await self.inner.post(path, fields, key=key)
        if not isinstance(result, NoAnswer):
            return result
        return Response(400, {"error": {"type": "invalid_request_error"}}, "", False, None)


class AmountUnread(Around):
    """The amount of an answer is taken to be what was asked for."""

    def __init__(self, inner: Any) -> None:
        super().__init__(inner)
        self._asked: dict[str, object] = {}

    async def post(self, path: str, fields: Mapping[str, object], *, key: str) -> Result:
        """Ask, and read over it."""
        result = self._unread(await self.inner.post(path, fields, key=key))
        body = result.body if isinstance(result, Response) else None
        if path == "/payment_intents" and body and "id" in body:
            self._asked[body["id"]] = body["amount"]
        return result

    async def get(self, path: str, fields: Mapping[str, object] | None = None) -> Result:
        """Look up, and read over it."""
        return self._unread(await self.inner.get(path, fields))

    def _unread(self, result: Result) -> Result:
        body = result.body if isinstance(result, Response) else None
        if not isinstance(result, Response) or not body or body.get("id") not in self._asked:
            return result
        names = {"amount", "amount_capturable"} & set(body)
        if not body.get("is_held"):
            names |= {"amount_received"} & set(body)
        asked = self._asked[body["id"]]
        return replace(result, body={**body, **dict.fromkeys(names, asked)})


class LateIntent(Attempts):
    """An attempt is stored when its outcome is, not before the PSP is asked."""

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """Let it through, and store nothing."""

        def work() -> TakenUp | Refusal:
            is_known = asked.attempt_id in self.rows
            answer = super(LateIntent, self).guarded(Refunds, asked)
            if not is_known:
                self.rows.pop(asked.attempt_id, None)
            return answer

        return await self.disk.run(work)

    def saved(self, new: Attempt, exchange: Exchange) -> Saved:
        """Store it now."""
        self.rows.setdefault(new.attempt_id, new)
        return super().saved(new, exchange)


class CheckThenAct(Attempts):
    """Refunds are checked in one transaction and stored in another."""

    async def take_up_refund(self, asked: Attempt) -> TakenUp | Refusal:
        """Check, then act."""

        def looked() -> TakenUp | Refusal:
            is_known = asked.attempt_id in self.rows
            answer = self.guarded(Refunds, asked)
            if not is_known:
                self.rows.pop(asked.attempt_id, None)
            return answer

        answer = await self.disk.run(looked)
        if isinstance(answer, TakenUp) and answer.is_new:
            await self.disk.run(lambda: self.rows.setdefault(asked.attempt_id, answer.attempt))
        return answer


class Unversioned(Attempts):
    """The last to write an attempt is right, also over what is final."""

    def saved(self, new: Attempt, exchange: Exchange) -> Saved:
        """Write over whatever is there."""
        there = self.rows[new.attempt_id]
        self.rows[new.attempt_id] = replace(there, outcome=AttemptOutcome.PENDING)
        return super().saved(new, exchange)

    def may_write(self, there: Attempt, new: Attempt) -> bool:
        """Everybody may."""
        return True


class BelievesAlone(Around):
    """The gateway says yes to what persons say, and keeps nothing of it: it may still charge."""

    async def ResolveAttempts(self, request: Any, _: Any) -> Any:
        """Answer what one wants to hear."""
        said = [
            attempt_pb2.Attempt(attempt_id=one.attempt_id, outcome=one.outcome)
            for one in request.resolutions
        ]
        return ResolveAttemptsResponse(results=[AttemptResult(attempt=one) for one in said])


class BelievesPersons(Around):
    """The gateway believes persons, and does not ask the PSP once more."""

    async def ResolveAttempts(self, request: Any, context: Any) -> Any:
        """Resolve while nobody can be asked."""
        means = self.inner._means
        deaf = replace(means, providers={})
        return await AttemptResolutionServicer(deaf, self.inner._reader).ResolveAttempts(
            request, context
        )


class PostsAnew(Ledger):
    """The ledger does not look whether a reference is there."""

    def known(self) -> Sequence[Any]:
        """Know what is being reversed alone: nothing that was posted."""
        reversed_ = {one.heading.reverses_reference for one in self.written}
        return [one for one in self.written if one.reference in reversed_]


class NoTombstone(WalletBook):
    """An undo that finds nothing leaves nothing: its do may still come."""

    def decided(self, commands: Sequence[WalletCommand]) -> Sequence[ReversalOutcome]:
        """Decide, and forget what was closed."""
        before = set(self.store.closed)
        outcomes: Sequence[ReversalOutcome] = at_once(self.store.do(commands))
        if any(isinstance(command, Reversal) for command in commands):
            self.store.closed &= before
        return outcomes
